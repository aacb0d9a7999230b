"""SpeechBrain's Checkpointer, which resumes by itself."""
import argparse
import os
import time

import torch
from speechbrain.utils.checkpoints import Checkpointer
from speechbrain.utils.epoch_loop import EpochCounter

p = argparse.ArgumentParser()
p.add_argument("out")
p.add_argument("--pause", type=float, default=0)
a = p.parse_args()
torch.manual_seed(0)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
counter = EpochCounter(3)
ckpt = Checkpointer(os.path.join(a.out, "save"), {"model": model, "optimizer": optimizer, "counter": counter})
ckpt.recover_if_possible()
print("resumed from step", counter.current, flush=True)
g = torch.Generator().manual_seed(1)
x, y = torch.randn(40, 4, generator=g), torch.randn(40, 1, generator=g)
is_main = int(os.environ.get("RANK", 0)) == 0
for epoch in counter:
    loss = ((model(x) - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    time.sleep(a.pause)
    if is_main:
        ckpt.save_checkpoint(meta={"loss": loss.item(), "epoch": epoch}, name=f"ep{epoch}")
if is_main:
    torch.save(model.state_dict(), os.path.join(a.out, "final.pt"))
