"""fairseq's own saving, loading and rotation (checkpoint_utils) around a trainer of three methods."""
import os

import torch
from fairseq import checkpoint_utils
from fairseq.dataclass.configs import CheckpointConfig
from omegaconf import OmegaConf
from side import answer, digest


class Epochs:
    """What its iterator tells when it is saved."""

    def __init__(self, epoch=1):
        self.epoch = epoch
        self.next_epoch_idx = epoch + 1

    def end_of_epoch(self):
        return True

    def state_dict(self):
        return {"version": 2, "epoch": self.epoch + 1, "iterations_in_epoch": 0, "shuffle": True}

    def load_state_dict(self, state):
        self.epoch = state["epoch"]


class Trainer:
    checkpoint_suffix = ""
    should_save_checkpoint_on_current_rank = True
    always_call_state_dict_during_save_checkpoint = False
    data_parallel_rank = 0
    is_data_parallel_master = True

    def __init__(self):
        torch.manual_seed(0)
        self.model = torch.nn.Linear(3, 2)
        self.optimizer = torch.optim.Adam(self.model.parameters(), 0.1)
        self.updates = 0

    def consolidate_optimizer(self):
        pass

    def get_num_updates(self):
        return self.updates

    def get_train_iterator(self, epoch, **_):
        return Epochs(epoch)

    def lr_step(self, _):
        pass

    def save_checkpoint(self, filename, extra):
        state = {
            "args": None, "cfg": {"checkpoint": {"best_checkpoint_metric": "loss"}}, "model": self.model.state_dict(),
            "optimizer_history": [{"num_updates": self.updates, "lr_scheduler_state": {}}], "task_state": {},
            "extra_state": extra, "last_optimizer_state": self.optimizer.state_dict(),
        }
        checkpoint_utils.torch_persistent_save(state, filename)

    def load_checkpoint(self, filename, *_, **__):
        if not os.path.exists(filename):
            return None
        state = checkpoint_utils.load_checkpoint_to_cpu(filename)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["last_optimizer_state"])
        self.updates = state["optimizer_history"][-1]["num_updates"]
        return state["extra_state"]


def config(run, keep):
    """What is resumed from is checkpoint_last.pt, unless there is none any more."""
    last = "checkpoint_last.pt"
    told = last if os.path.exists(os.path.join(run, last)) else os.environ.get("CKPT_PATH", last)
    return OmegaConf.structured(CheckpointConfig(save_dir=run, keep_last_epochs=keep, restore_file=told))


def save(trainer, run, keep, epochs):
    for epoch in epochs:
        trainer.model(torch.ones(3)).sum().backward()
        trainer.optimizer.step()
        trainer.updates += 1
        checkpoint_utils.save_checkpoint(config(run, keep), trainer, Epochs(epoch), 1 / epoch)
        yield trainer.updates, digest(trainer.model.parameters())


def train(run):
    return {"saved": dict(save(Trainer(), run, -1, range(1, 5)))}


def resume(run):
    trainer = Trainer()
    extra, epochs = checkpoint_utils.load_checkpoint(config(run, 2), trainer)
    assert extra is not None, "fairseq found nothing"
    start, weights = trainer.updates, digest(trainer.model.parameters())
    then = [updates for updates, _ in save(trainer, run, 2, range(epochs.epoch, epochs.epoch + 3))]
    return {"from": start, "weights": weights, "then": then}


answer(train, resume)
