"""SpeechBrain's Checkpointer: recover_if_possible, then save_and_keep_only."""
import torch
from side import answer, digest
from speechbrain.utils.checkpoints import Checkpointer
from speechbrain.utils.epoch_loop import EpochCounter


class Loop:
    def __init__(self, run):
        torch.manual_seed(0)
        self.model = torch.nn.Linear(3, 2)
        self.optimizer = torch.optim.Adam(self.model.parameters(), 0.1)
        self.counter = EpochCounter(8)
        self.saver = Checkpointer(
            run, {"model": self.model, "optimizer": self.optimizer, "counter": self.counter}
        )

    def epoch(self, keep):
        for _ in self.counter:
            self.model(torch.ones(3)).sum().backward()
            self.optimizer.step()
            meta = {"loss": 1 / self.counter.current, "epoch": self.counter.current}
            self.saver.save_and_keep_only(meta=meta, min_keys=["loss"], num_to_keep=keep)
            yield self.counter.current, digest(self.model.parameters())


def train(run):
    loop = Loop(run)
    saved = {}
    for epoch, weights in loop.epoch(9):
        saved[epoch] = weights
        if epoch == 4:
            return {"saved": saved, "by": "epoch"}


def resume(run):
    loop = Loop(run)
    loop.saver.recover_if_possible()
    start, weights = loop.counter.current, digest(loop.model.parameters())
    then = [epoch for epoch, _ in loop.epoch(2)]
    return {"from": start, "weights": weights, "then": then}


answer(train, resume)
