"""What `ckpt export` puts into a folder, loaded by the frameworks' own loaders: names and values compared.

Prints one line of JSON for each thing: {"what": …, "why": null or what is wrong}. Its argument is a folder to work in.
"""
import json
import os
import sys

import torch
from exporting import export, tell, work


def same(one, other):
    assert sorted(one) == sorted(other), f"names: {sorted(set(one) ^ set(other))[:5]}"
    for name, tensor in one.items():
        assert tensor.dtype == other[name].dtype, f"{name}: {tensor.dtype} and {other[name].dtype}"
        assert torch.equal(tensor, other[name]), f"{name}: other values"


def training_files(folder):
    """What only resuming needs, which must not be there."""
    found = []
    for root, _, names in os.walk(folder):
        for name in names:
            if any(word in name for word in ("optimizer", "rng", "random_states", "trainer_state", "training_args")):
                found.append(os.path.join(root, name))
    return found


def gpt2(**more):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(7)
    return GPT2LMHeadModel(GPT2Config(n_layer=2, n_head=2, n_embd=16, vocab_size=50, n_positions=16, **more))


def tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "b": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", pad_token="[UNK]")
    fast.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    return fast


def train(model, out, steps=2, **more):
    from torch.utils.data import Dataset
    from transformers import Trainer, TrainingArguments

    class Rows(Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return {"input_ids": torch.tensor([1, 2, index]), "labels": torch.tensor([1, 2, index])}

    arguments = TrainingArguments(
        out, max_steps=steps, save_steps=1, report_to=[], use_cpu=True, disable_tqdm=True, logging_steps=1, **more
    )
    Trainer(model, arguments, train_dataset=Rows(), processing_class=tokenizer()).train()


def trainer():
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    out = os.path.join(work, "trainer")
    model = gpt2()
    train(model, out)
    into = export(out, "trainer")
    same(model.state_dict(), AutoModelForCausalLM.from_pretrained(into).state_dict())
    assert AutoTokenizer.from_pretrained(into)("a b").input_ids == [1, 2]
    assert AutoTokenizer.from_pretrained(into).chat_template is not None
    GenerationConfig.from_pretrained(into)
    assert training_files(into) == []


def sharded():
    from transformers import AutoModelForCausalLM

    out = os.path.join(work, "trainer")
    into = export(out, "sharded", "--shard-size", "8kB")
    assert os.path.exists(os.path.join(into, "model.safetensors.index.json"))
    whole = AutoModelForCausalLM.from_pretrained(export(out, "whole"))
    same(whole.state_dict(), AutoModelForCausalLM.from_pretrained(into).state_dict())


def half():
    from transformers import AutoModelForCausalLM

    out = os.path.join(work, "trainer")
    into = export(out, "half", "--dtype", "BF16")
    wanted = AutoModelForCausalLM.from_pretrained(export(out, "full")).to(torch.bfloat16)
    same(wanted.state_dict(), AutoModelForCausalLM.from_pretrained(into, dtype="auto").state_dict())


def pickled(make, automatic, name):
    """A folder of a model as it was before safetensors: `pytorch_model.bin`, tied weights in one storage."""
    folder = os.path.join(work, name)
    model = make()
    model.save_pretrained(folder)
    os.unlink(os.path.join(folder, "model.safetensors"))
    torch.save(model.state_dict(), os.path.join(folder, "pytorch_model.bin"))
    into = export(folder, name)
    loaded, report = automatic.from_pretrained(into, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"], str(report)
    same(model.state_dict(), loaded.state_dict())


def tied():
    from transformers import AutoModelForCausalLM

    pickled(gpt2, AutoModelForCausalLM, "tied")


def shared():
    from transformers import AutoModelForSeq2SeqLM, T5Config, T5ForConditionalGeneration

    config = T5Config(vocab_size=40, d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0)
    pickled(lambda: T5ForConditionalGeneration(config), AutoModelForSeq2SeqLM, "t5")


def masked():
    from transformers import AutoModelForMaskedLM, BertConfig, BertForMaskedLM

    config = BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    pickled(lambda: BertForMaskedLM(config), AutoModelForMaskedLM, "bert")


def adapter():
    from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict

    out = os.path.join(work, "peft")
    model = get_peft_model(gpt2(), LoraConfig(target_modules=["c_attn"], r=2, init_lora_weights=False, task_type="CAUSAL_LM"))
    train(model, out)
    into = export(out, "peft")
    assert training_files(into) == []
    loaded = PeftModel.from_pretrained(gpt2(), into)
    same(get_peft_model_state_dict(model), get_peft_model_state_dict(loaded))


def pipeline():
    from accelerate import Accelerator
    from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
    from diffusers.training_utils import EMAModel

    out = os.path.join(work, "diffusion")
    unet = UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, layers_per_block=1, block_out_channels=(8,), norm_num_groups=2,
        down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",),
    )
    average = EMAModel(unet.parameters(), model_cls=UNet2DModel, model_config=unet.config)
    DDPMPipeline(unet=unet, scheduler=DDPMScheduler()).save_pretrained(out)
    trained = {name: tensor + 1 for name, tensor in unet.state_dict().items()}
    unet.load_state_dict(trained)
    checkpoint = os.path.join(out, "checkpoint-5")
    accelerator = Accelerator(cpu=True)
    model = accelerator.prepare(unet)
    optimizer = accelerator.prepare(torch.optim.SGD(model.parameters(), 0.1))
    accelerator.register_save_state_pre_hook(
        lambda models, weights, folder: (models[0].save_pretrained(os.path.join(folder, "unet")), weights.pop())
    )
    accelerator.save_state(checkpoint)
    average.save_pretrained(os.path.join(checkpoint, "unet_ema"))
    assert optimizer is not None
    into = export(out, "diffusion")
    same(trained, DDPMPipeline.from_pretrained(into).unet.state_dict())
    assert training_files(into) == []
    averaged = UNet2DModel.from_pretrained(os.path.join(checkpoint, "unet_ema"))
    ema = export(out, "diffusion-ema", "--part", "ema")
    same(averaged.state_dict(), DDPMPipeline.from_pretrained(ema).unet.state_dict())
    half = export(out, "diffusion-half", "--dtype", "F16")
    same({name: one.half() for name, one in trained.items()}, DDPMPipeline.from_pretrained(half, torch_dtype=torch.float16).unet.state_dict())


def sentences():
    from sentence_transformers import SentenceTransformer
    from sentence_transformers import models as parts
    from transformers import BertConfig, BertModel

    folder = os.path.join(work, "bert-for-sentences")
    config = BertConfig(
        vocab_size=3, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    BertModel(config).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    word = parts.Transformer(folder)
    model = SentenceTransformer(modules=[word, parts.Pooling(16), parts.Dense(16, 8)], device="cpu")
    checkpoint = os.path.join(work, "sentences", "checkpoint-3")
    model.save_pretrained(checkpoint)
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        torch.save({}, os.path.join(checkpoint, name))
    with open(os.path.join(checkpoint, "trainer_state.json"), "w") as file:
        json.dump({"global_step": 3, "epoch": 1.0, "log_history": []}, file)
    into = export(os.path.join(work, "sentences"), "sentences")
    assert training_files(into) == []
    loaded = SentenceTransformer(into, device="cpu")
    same(model.state_dict(), loaded.state_dict())
    assert torch.equal(torch.tensor(model.encode(["a b"])), torch.tensor(loaded.encode(["a b"])))


def lightning():
    import lightning
    from safetensors.torch import load_file

    class Net(lightning.LightningModule):
        def __init__(self, width):
            super().__init__()
            self.save_hyperparameters()
            self.net = torch.nn.Linear(3, width)

        def training_step(self, batch, _):
            return self.net(batch).sum()

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters())

    out = os.path.join(work, "lightning")
    model = Net(2)
    trainer = lightning.Trainer(max_steps=2, default_root_dir=out, accelerator="cpu", enable_progress_bar=False, logger=False)
    trainer.fit(model, torch.utils.data.DataLoader(torch.ones(4, 3)))
    into = export(os.path.join(out, "checkpoints"), "lightning", "--strip-prefix", "net.")
    weights = load_file(os.path.join(into, "model.safetensors"))
    fresh = torch.nn.Linear(3, 2)
    fresh.load_state_dict(weights, strict=True)
    same(model.net.state_dict(), fresh.state_dict())
    own = export(os.path.join(out, "checkpoints"), "lightning-own", "--to", "torch")
    path = os.path.join(own, "model.ckpt")
    assert "optimizer_states" not in torch.load(path, weights_only=True)
    loaded = Net.load_from_checkpoint(path)
    assert loaded.hparams.width == 2
    same(model.state_dict(), loaded.state_dict())


def speechbrain():
    from speechbrain.utils.checkpoints import Checkpointer
    from speechbrain.utils.parameter_transfer import Pretrainer

    save = os.path.join(work, "speechbrain", "save")
    model, optimizer = torch.nn.Linear(3, 2), torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), 0.1)
    Checkpointer(save, {"asr": model, "optimizer": optimizer}).save_checkpoint(meta={"WER": 3.0})
    with open(os.path.join(work, "speechbrain", "hyperparams.yaml"), "w") as file:
        file.write("seed: 1\n")
    into = export(save, "speechbrain", "best")
    assert sorted(os.listdir(into)) == ["README.md", "asr.ckpt", "hyperparams.yaml"], str(os.listdir(into))
    fresh = torch.nn.Linear(3, 2)
    pretrainer = Pretrainer(collect_in=os.path.join(work, "collected"), loadables={"asr": fresh})
    pretrainer.collect_files(default_source=into)
    pretrainer.load_collected()
    same(model.state_dict(), fresh.state_dict())


def distributed():
    import torch.distributed.checkpoint as dcp
    from safetensors.torch import load_file

    model = gpt2()
    folder = os.path.join(work, "dcp", "step-1")
    dcp.save({"model": model.state_dict(), "step": 1}, checkpoint_id=folder)
    model.config.save_pretrained(os.path.join(work, "dcp-config"))
    into = export(folder, "dcp", "--beside", os.path.join(work, "dcp-config"))
    from transformers import AutoModelForCausalLM

    same(model.state_dict(), AutoModelForCausalLM.from_pretrained(into).state_dict())
    assert "transformer.wte.weight" in load_file(os.path.join(into, "model.safetensors"))


def accelerated():
    from accelerate import Accelerator, load_checkpoint_in_model

    accelerator = Accelerator(cpu=True)
    model = accelerator.prepare(torch.nn.Linear(3, 2))
    accelerator.prepare(torch.optim.Adam(model.parameters()))
    accelerator.save_state(os.path.join(work, "accelerate", "checkpoint_0"))
    into = export(os.path.join(work, "accelerate"), "accelerate")
    assert training_files(into) == []
    fresh = torch.nn.Linear(3, 2)
    load_checkpoint_in_model(fresh, into)
    same(model.state_dict(), fresh.state_dict())


tests = [
    trainer, sharded, half, tied, shared, masked, adapter, pipeline, sentences, lightning, speechbrain, distributed,
    accelerated,
]
for test in tests:
    if len(sys.argv) > 2 and test.__name__ not in sys.argv[2:]:
        continue
    tell(test)
