"""timm's CheckpointSaver with its two best: resume_checkpoint of last.pth.tar, as its train.py does."""
import os

import timm.models
import torch
from side import answer, digest
from timm.utils import CheckpointSaver


class Loop:
    def __init__(self, run, keep):
        torch.manual_seed(0)
        self.model = torch.nn.Linear(3, 2)
        self.optimizer = torch.optim.Adam(self.model.parameters(), 0.1)
        self.saver = CheckpointSaver(
            self.model, self.optimizer, checkpoint_dir=run, recovery_dir=run, max_history=keep, decreasing=False
        )

    def save(self, epochs):
        for epoch in epochs:
            self.model(torch.ones(3)).sum().backward()
            self.optimizer.step()
            self.saver.save_checkpoint(epoch, metric=float(epoch))
            yield epoch, digest(self.model.parameters())


def train(run):
    return {"saved": dict(Loop(run, 9).save(range(4))), "by": "epoch"}


def resume(run):
    loop = Loop(run, 2)
    # What its train.py is told to resume from; a link lost would show here.
    path = os.environ.get("CKPT_PATH", os.path.join(run, "last.pth.tar"))
    start = timm.models.resume_checkpoint(loop.model, path, loop.optimizer)
    weights = digest(loop.model.parameters())
    return {"from": start - 1, "weights": weights, "then": [epoch for epoch, _ in loop.save(range(start, start + 3))]}


answer(train, resume)
