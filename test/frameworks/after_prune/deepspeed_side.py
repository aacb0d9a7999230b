"""DeepSpeed, ZeRO 1: load_checkpoint without a tag goes by `latest`."""
import os

import deepspeed
import torch
from side import answer, digest

os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29561", RANK="0", LOCAL_RANK="0", WORLD_SIZE="1")


class Loop:
    def __init__(self):
        deepspeed.init_distributed("gloo")
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 2)
        self.model = model
        config = {
            "train_micro_batch_size_per_gpu": 1,
            "zero_optimization": {"stage": 1},
            "optimizer": {"type": "Adam", "params": {"lr": 0.1, "torch_adam": True}},
        }
        self.engine, *_ = deepspeed.initialize(model=model, model_parameters=model.parameters(), config=config)

    def save(self, run, times):
        for _ in range(times):
            self.engine.backward(self.engine(torch.ones(3)).sum())
            self.engine.step()
            self.engine.save_checkpoint(run, client_state={"val_loss": 1 / self.engine.global_steps})
            yield self.engine.global_steps, digest(self.model.parameters())


def train(run):
    return {"saved": dict(Loop().save(run, 4))}


def resume(run):
    loop = Loop()
    path, _ = loop.engine.load_checkpoint(run)
    assert path is not None, "DeepSpeed found nothing to load"
    start, weights = loop.engine.global_steps, digest(loop.model.parameters())
    return {"from": start, "weights": weights, "then": [step for step, _ in loop.save(run, 2)]}


answer(train, resume)
