"""The Python side of the interop tests: reads a task as JSON on standard input, writes the answer as JSON."""

import datetime
import importlib.util
import json
import math
import sys
import types

import yaml


def load_speechbrain():
    """The real Checkpointer. SpeechBrain's own __init__ imports the whole toolkit (torchaudio and more): skipped."""
    place = importlib.util.find_spec("speechbrain").submodule_search_locations
    package = types.ModuleType("speechbrain")
    package.__path__ = list(place)
    sys.modules["speechbrain"] = package
    from speechbrain.utils import checkpoints, epoch_loop

    return checkpoints, epoch_loop


def recoverables(names, checkpoints, epoch_loop):
    import torch

    made = {}
    for name in names:
        if name == "model":
            made[name] = torch.nn.Linear(3, 2)
        elif name == "counter":
            made[name] = epoch_loop.EpochCounter(100)
        elif name == "stopper":
            made[name] = epoch_loop.EpochCounterWithStopper(100, 3, 0, "min")
    return made


def state_of(made):
    state = {}
    for name, thing in made.items():
        if name == "model":
            state[name] = thing.weight.detach().flatten().tolist()
        elif name == "counter":
            state[name] = thing.current
        elif name == "stopper":
            best = None if math.isinf(thing.best_score) else thing.best_score
            state[name] = [thing.current, thing.best_limit, best, thing.should_stop]
    return state


def describe(checkpoint):
    return {
        "name": checkpoint.path.name,
        "meta": {key: plain(value) for key, value in checkpoint.meta.items()},
        "files": sorted(checkpoint.paramfiles),
    }


def plain(value):
    """Type and value, so that 1 and 1.0 and True stay apart."""
    if isinstance(value, bool) or value is None:
        return {"type": type(value).__name__, "value": value}
    if isinstance(value, (int, float)):
        return {"type": type(value).__name__, "value": repr(value)}
    if isinstance(value, str):
        return {"type": "str", "value": value}
    if isinstance(value, bytes):
        return {"type": "bytes", "value": list(value)}
    if isinstance(value, (datetime.datetime, datetime.date)):
        return {"type": type(value).__name__, "value": value.isoformat()}
    if isinstance(value, list):
        return {"type": "list", "value": [plain(item) for item in value]}
    if isinstance(value, set):
        return {"type": "set", "value": sorted((plain(item) for item in value), key=json.dumps)}
    if isinstance(value, dict):
        pairs = [[plain(key), plain(item)] for key, item in value.items()]
        return {"type": "dict", "value": sorted(pairs, key=json.dumps)}
    raise TypeError(type(value))


def pretrain(task):
    """What the real Pretrainer collects and loads. Stands in for what it needs for hubs alone."""
    for name in ("huggingface_hub", "requests", "requests.exceptions"):
        if importlib.util.find_spec(name.split(".")[0]) is None:
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].HTTPError = OSError
    import torch

    load_speechbrain()
    from speechbrain.utils.parameter_transfer import Pretrainer

    loadables = {key: torch.nn.Linear(3, 2) for key in task["loadables"]}
    pretrainer = Pretrainer(task["collect_in"], loadables, task["paths"], conditions=task["conditions"])
    if task["collects"]:
        pretrainer.collect_files(task["default_source"])
    pretrainer.load_collected()
    return {key: model.weight.detach().flatten().tolist() for key, model in loadables.items()}


def save(task):
    import torch

    checkpoints, epoch_loop = load_speechbrain()
    made = recoverables(task["recoverables"], checkpoints, epoch_loop)
    checkpointer = checkpoints.Checkpointer(task["run"], made)
    names = []
    for step in task["steps"]:
        for name in ("counter", "stopper"):
            if name in made:
                made[name].current = step["epoch"]
        if "stopper" in made:
            made["stopper"].update_metric(step["meta"]["loss"])
        if "model" in made:
            torch.nn.init.constant_(made["model"].weight, step["meta"]["loss"])
        saved = checkpointer.save_checkpoint(step["meta"], step.get("end_of_epoch", True), step.get("name"))
        names.append(saved.path.name)
    return {"names": names, "state": state_of(made)}


def recover(task):
    checkpoints, epoch_loop = load_speechbrain()
    made = recoverables(task["recoverables"], checkpoints, epoch_loop)
    checkpointer = checkpoints.Checkpointer(task["run"], made)
    found = checkpointer.find_checkpoints(**task.get("find", {}))
    chosen = checkpointer.recover_if_possible(**task.get("find", {}))
    return {
        "listed": sorted((describe(one) for one in checkpointer.list_checkpoints()), key=lambda one: one["name"]),
        "found": [one.path.name for one in found],
        "chosen": None if chosen is None else chosen.path.name,
        "state": state_of(made),
    }


def torch_file(task):
    import torch

    model = torch.nn.Linear(3, 2)
    torch.nn.init.constant_(model.weight, task["value"])
    torch.save(model.state_dict(), task["path"])
    return {}


def averages(task):
    """Checkpoints with random models, and what SpeechBrain's averaging of the listed ones comes to."""
    import torch

    checkpoints, _ = load_speechbrain()
    torch.manual_seed(7)
    model = torch.nn.Sequential(torch.nn.Linear(37, 29), torch.nn.Linear(29, 3))
    checkpointer = checkpoints.Checkpointer(task["run"], {"model": model})
    for index in range(task["count"]):
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter)
        checkpointer.save_checkpoint(meta={"unixtime": 1000.0 + index})
    found = checkpointer.find_checkpoints(max_num_checkpoints=task["last"])
    return {"sums": sums(checkpoints.average_checkpoints(found, "model"))}


def tied_file(task):
    import torch

    weight = torch.arange(12, dtype=torch.float32).reshape(4, 3)
    state = {"embedding": weight, "head": weight, "view": weight.t(), "n": torch.tensor(3), "h": weight.half()}
    torch.save({"state_dict": state, "epoch": 3}, task["path"])
    return {"sums": sums(state)}


def load_file(task):
    """What torch.load makes of a file, by its restricted reader."""
    import torch

    state = torch.load(task["path"], weights_only=True)
    pointers = {}
    for name, tensor in state.items():
        pointers.setdefault(tensor.data_ptr(), []).append(name)
    return {"sums": sums(state), "tied": [names for names in pointers.values() if len(names) > 1]}


def sums(state):
    """Dtype, shape and SHA-256 of every tensor's bytes."""
    import hashlib

    return {
        name: [str(tensor.dtype), list(tensor.shape), hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()]
        for name, tensor in state.items()
    }


def read_yaml(task):
    """What both loaders make of each text, and whether dumping that gives the text again."""
    answers = []
    for text in task["texts"]:
        value = yaml.safe_load(text)
        assert plain(yaml.load(text, Loader=yaml.Loader)) == plain(value)
        answers.append({"value": plain(value), "again": yaml.dump(value)})
    return answers


tasks = {"save": save, "recover": recover, "torch_file": torch_file, "read_yaml": read_yaml}
tasks.update({"pretrain": pretrain, "averages": averages, "tied_file": tied_file, "load_file": load_file})
task = json.load(sys.stdin)
answer = tasks[task["do"]](task)
json.dump(answer, sys.stdout)
