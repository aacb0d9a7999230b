"""fvcore's Checkpointer, which Detectron2 saves and resumes with: resume_or_load goes by last_checkpoint."""
import torch
from fvcore.common.checkpoint import Checkpointer, PeriodicCheckpointer
from side import answer, digest


class Loop:
    def __init__(self, run, keep):
        torch.manual_seed(0)
        self.model = torch.nn.Linear(3, 2)
        self.optimizer = torch.optim.Adam(self.model.parameters(), 0.1)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 5)
        self.checkpointer = Checkpointer(self.model, run, optimizer=self.optimizer, scheduler=self.scheduler)
        self.periodic = PeriodicCheckpointer(self.checkpointer, 2, max_to_keep=keep)

    def train(self, start, end):
        saved = {}
        for iteration in range(start, end):
            self.model(torch.ones(3)).sum().backward()
            self.optimizer.step()
            self.scheduler.step()
            self.periodic.step(iteration)
            if (iteration + 1) % 2 == 0:
                saved[iteration + 1] = digest(self.model.parameters())
        return saved


def train(run):
    return {"saved": Loop(run, None).train(0, 8)}


def resume(run):
    loop = Loop(run, 2)
    start = loop.checkpointer.resume_or_load("", resume=True).get("iteration", -1) + 1
    weights = digest(loop.model.parameters())
    return {"from": start, "weights": weights, "then": list(loop.train(start, start + 6))}


answer(train, resume)
