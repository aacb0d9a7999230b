"""MMEngine's Runner with its best and max_keep_ckpts: resume=True goes by last_checkpoint."""
import os

# Its own files hold more than torch loads unasked (mmengine 0.10.7 calls torch.load without saying so).
os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from side import answer, digest


class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(3, 2)

    def forward(self, x, mode="tensor"):
        out = self.net(x)
        return {"loss": out.sum()} if mode == "loss" else [out]


class Metric(BaseMetric):
    seen = 0

    def process(self, batch, samples):
        self.results.append(1.0)

    def compute_metrics(self, results):
        Metric.seen += 1
        return {"acc": float(Metric.seen)}


class Watch(Hook):
    priority = "LOWEST"

    def __init__(self):
        self.first, self.saved = None, {}

    def before_train_epoch(self, runner):
        if self.first is None:
            self.first = runner.iter, digest(runner.model.parameters())

    def after_train_epoch(self, runner):
        self.saved[runner.iter] = digest(runner.model.parameters())


def go(run, epochs, keep, resume):
    torch.manual_seed(0)
    data = dict(dataset=[{"x": torch.ones(3)}] * 4, batch_size=2, sampler=dict(type="DefaultSampler", shuffle=False),
                collate_fn=dict(type="default_collate"))
    watch = Watch()
    runner = Runner(
        Model(), run, train_dataloader=data, val_dataloader=data, val_evaluator=[Metric()], val_cfg={},
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type="Adam", lr=0.1)), resume=resume, custom_hooks=[watch],
        default_hooks=dict(checkpoint=dict(type="CheckpointHook", interval=1, max_keep_ckpts=keep, save_best="acc")),
    )
    runner.train()
    return watch


def train(run):
    return {"saved": go(run, 4, -1, False).saved}


def resume(run):
    Metric.seen = 4
    watch = go(run, 7, 2, True)
    return {"from": watch.first[0], "weights": watch.first[1], "then": list(watch.saved)}


answer(train, resume)
