"""As export_side.py, for frameworks that live in environments of their own: python export_elsewhere.py FOLDER NAME…"""
import glob
import json
import os
import sys

from exporting import export, tell, work


def same(one, other):
    import numpy as np

    assert sorted(one) == sorted(other), f"names: {sorted(set(one) ^ set(other))[:5]}"
    for name in one:
        mine, theirs = np.asarray(one[name]), np.asarray(other[name])
        assert mine.dtype == theirs.dtype and mine.shape == theirs.shape, f"{name}: {mine.dtype} {theirs.dtype}"
        assert mine.tobytes() == theirs.tobytes(), f"{name}: other values"


def read_safetensors(path):
    """As numpy arrays: not every environment has the library."""
    import numpy as np

    dtypes = {"F32": "float32", "F16": "float16", "I64": "int64", "I32": "int32"}
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    header.pop("__metadata__", None)
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], dtypes[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in header.items()
    }


def timm():
    import timm
    import torch
    from timm.utils import CheckpointSaver, ModelEmaV3

    def fresh():
        return timm.create_model("resnet18", num_classes=3, in_chans=1)

    model = fresh()
    average = ModelEmaV3(model)
    with torch.no_grad():
        for parameter in average.module.parameters():
            parameter.add_(1)
    run = os.path.join(work, "timm")
    os.makedirs(run)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    saver = CheckpointSaver(model, optimizer, model_ema=average, checkpoint_dir=run, recovery_dir=run)
    saver.save_checkpoint(0, metric=0.5)
    saver.save_checkpoint(1, metric=0.7)
    for part, wanted in ((None, model), ("ema", average.module)):
        into = export(run, f"timm-{part}", *([] if part is None else ["--part", part]))
        path = os.path.join(into, "model.safetensors")
        loaded = timm.create_model("resnet18", num_classes=3, in_chans=1, checkpoint_path=path)
        same(wanted.state_dict(), loaded.state_dict())


def keras():
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3")
    import keras
    import numpy as np

    run = os.path.join(work, "keras")
    os.makedirs(run)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.BatchNormalization()])
    model.compile("adam", "mse")
    saves = [
        keras.callbacks.ModelCheckpoint(os.path.join(run, "m-{epoch:02d}.keras")),
    ]
    model.fit(np.ones((8, 3)), np.zeros((8, 4)), epochs=2, verbose=0, callbacks=saves)
    into = export(run, "keras")
    [path] = glob.glob(os.path.join(into, "*.keras"))
    loaded = keras.models.load_model(path)
    named = lambda one: {str(index): values for index, values in enumerate(one.get_weights())}
    same(named(model), named(loaded))
    # The weights of a model that the script builds itself.
    weights = os.path.join(work, "keras-weights")
    os.makedirs(weights)
    model.save_weights(os.path.join(weights, "w-02.weights.h5"))
    into = export(weights, "keras-weights")
    [path] = glob.glob(os.path.join(into, "*.weights.h5"))
    fresh = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.BatchNormalization()])
    fresh.load_weights(path)
    same(named(model), named(fresh))


def orbax():
    import jax.numpy as jnp
    import numpy as np
    import orbax.checkpoint as ocp

    run = os.path.join(work, "orbax")
    rng = np.random.default_rng(3)
    params = {"dense": {"kernel": rng.normal(size=(5, 3)).astype("float32"), "bias": np.zeros(3, "float32")}}
    params["scale"] = np.asarray(jnp.asarray(rng.normal(size=4), jnp.float16))
    with ocp.CheckpointManager(run, options=ocp.CheckpointManagerOptions(max_to_keep=2)) as manager:
        for step in (1, 2):
            manager.save(step, args=ocp.args.StandardSave({"params": params, "step": step}))
        manager.wait_until_finished()
        restored = manager.restore(2)
    into = export(run, "orbax")
    flat = {"dense.kernel": restored["params"]["dense"]["kernel"], "dense.bias": restored["params"]["dense"]["bias"]}
    flat["scale"] = restored["params"]["scale"]
    same(flat, read_safetensors(os.path.join(into, "model.safetensors")))


def deepspeed():
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29577", RANK="0", LOCAL_RANK="0", WORLD_SIZE="1")
    import deepspeed as library
    import torch
    from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint
    from safetensors.torch import load_file

    library.init_distributed("gloo")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Linear(3, 5)
            self.norm = torch.nn.BatchNorm1d(5)
            self.frozen = torch.nn.Linear(5, 5)
            self.last = torch.nn.Linear(5, 3, bias=False)
            self.frozen.requires_grad_(False)

        def forward(self, x):
            return self.last(self.frozen(self.norm(self.first(x))))

    for stage in (1, 2, 3):
        model = Net()
        trained = [one for one in model.parameters() if one.requires_grad]
        groups = [{"params": trained[:2]}, {"params": trained[2:], "lr": 0.01}]
        config = {
            "train_micro_batch_size_per_gpu": 2,
            "zero_optimization": {"stage": stage, "stage3_param_persistence_threshold": 0},
            "optimizer": {"type": "Adam", "params": {"lr": 0.1, "torch_adam": True}},
        }
        engine, *_ = library.initialize(model=model, model_parameters=groups, config=config)
        run = os.path.join(work, f"zero{stage}")
        for _ in range(2):
            engine.backward(engine(torch.randn(2, 3)).sum())
            engine.step()
            engine.save_checkpoint(run)
        wanted = get_fp32_state_dict_from_zero_checkpoint(run)
        into = export(run, f"zero{stage}")
        loaded = load_file(os.path.join(into, "model.safetensors"))
        same({name: tensor.detach().float() if tensor.is_floating_point() else tensor for name, tensor in wanted.items()}, loaded)
        # Of stage 1 DeepSpeed's own script leaves out what is frozen.
        missing, unexpected = Net().load_state_dict(loaded, strict=stage > 1)
        assert unexpected == [] and all(name.startswith("frozen.") for name in missing), str(missing)
        engine.destroy()


for name in sys.argv[2:]:
    tell(globals()[name])
