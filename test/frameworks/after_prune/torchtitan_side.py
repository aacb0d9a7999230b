"""torchtitan's CheckpointManager: load takes the newest step that has .metadata, then keep_latest_k."""
import os

import torch
import torch.distributed as dist
from side import answer, digest
from torchtitan.components.checkpointer.dcp import CheckpointManager

os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29562", RANK="0", LOCAL_RANK="0", WORLD_SIZE="1")


class Steps:
    """What its trainer saves of itself."""

    def __init__(self):
        self.step = 0

    def state_dict(self):
        return {"step": torch.tensor(self.step)}

    def load_state_dict(self, state):
        self.step = int(state["step"])


class Loop:
    def __init__(self, run, keep):
        dist.init_process_group("gloo")
        torch.manual_seed(0)
        self.model = torch.nn.Linear(3, 2)
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.1)
        self.steps = Steps()
        self.manager = CheckpointManager(
            CheckpointManager.Config(enable=True, interval=1, keep_latest_k=keep, last_save_model_only=False),
            dataloader=None, model_parts=[self.model], optimizers=self.optimizer,
            lr_schedulers=torch.optim.lr_scheduler.ConstantLR(self.optimizer), states={"train_state": self.steps},
            sd_adapter=None, base_folder=run,
        )

    def save(self, times):
        for _ in range(times):
            self.model(torch.ones(3)).sum().backward()
            self.optimizer.step()
            self.steps.step += 1
            self.manager.save(self.steps.step)
            yield self.steps.step, digest(self.model.parameters())
        self.manager.close()


def train(run):
    return {"saved": dict(Loop(run, 9).save(4)), "run": f"{run}/checkpoint"}


def resume(run):
    loop = Loop(run, 2)
    assert loop.manager.load(), "torchtitan found nothing"
    start, weights = loop.steps.step, digest(loop.model.parameters())
    return {"from": start, "weights": weights, "then": [step for step, _ in loop.save(3)]}


answer(train, resume)
