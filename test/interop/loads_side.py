"""What ckpt wrote, loaded by torch: {"do": "make"} writes two checkpoints, {"do": "load"} loads the results strictly."""

import json
import os
import sys

import torch

# Before 2.0 torch takes no float in a file that it reads with weights_only.
STRICT = int(torch.__version__.split(".")[0]) >= 2


def new_model():
    model = torch.nn.Sequential(torch.nn.Embedding(10, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 10, bias=False))
    model[2].weight = model[0].weight
    return model


def make(folder):
    for index in range(2):
        torch.manual_seed(index)
        model = new_model()
        optimizer = torch.optim.Adam(model.parameters())
        model(torch.randint(0, 10, (5,))).sum().backward()
        optimizer.step()
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": index}
        torch.save(state, os.path.join(folder, f"{index}.pt"))


def load(folder, name, key):
    """True where the model and its optimizer take it, the tie is one storage, and the values are those of the mean."""
    loaded = torch.load(os.path.join(folder, name), weights_only=STRICT)
    weights = loaded if key is None else loaded[key]
    model = new_model()
    model.load_state_dict(weights, strict=True)
    if key is not None:
        torch.optim.Adam(model.parameters()).load_state_dict(loaded["optimizer"])
    first, second = (torch.load(os.path.join(folder, f"{index}.pt"), weights_only=STRICT)["model"] for index in range(2))
    expected = {
        "mean": lambda one, other: (one + other) / 2 if one.is_floating_point() else other,
        "first": lambda one, other: one,
    }["mean" if name.startswith("mean") else "first"]
    same = all(torch.equal(weights[name], expected(first[name], second[name])) for name in first)
    tied = weights["0.weight"].data_ptr() == weights["2.weight"].data_ptr()
    return {"same": same, "tied": tied, "epoch": None if key is None else loaded["epoch"]}


task = json.load(sys.stdin)
print(json.dumps(make(task["folder"]) if task["do"] == "make" else load(task["folder"], task["name"], task["key"])))
