"""A loop of one's own with accelerate's save_state and load_state, under the Trainer's names."""
import argparse
import os
import time

import torch
from accelerate import Accelerator

p = argparse.ArgumentParser()
p.add_argument("--out", required=True)
p.add_argument("--resume_from_checkpoint")
p.add_argument("--pause", type=float, default=0)
a = p.parse_args()
torch.manual_seed(0)
acc = Accelerator(cpu=True)
model = torch.nn.Linear(4, 1)
model, optimizer = acc.prepare(model, torch.optim.Adam(model.parameters(), 1e-2))
g = torch.Generator().manual_seed(1)
x, y = torch.randn(40, 4, generator=g), torch.randn(40, 1, generator=g)
done = 0
if a.resume_from_checkpoint:
    acc.load_state(a.resume_from_checkpoint)
    done = int(a.resume_from_checkpoint.rstrip("/").split("-")[-1])
    print("resumed from step", done, flush=True)
for step in range(done + 1, 16):
    loss = ((model(x) - y) ** 2).mean()
    optimizer.zero_grad()
    acc.backward(loss)
    optimizer.step()
    time.sleep(a.pause)
    if step % 5 == 0:
        acc.save_state(os.path.join(a.out, f"checkpoint-{step}"))
if acc.is_main_process:
    torch.save(acc.unwrap_model(model).state_dict(), os.path.join(a.out, "final.pt"))
# Ranks that end without it abort now and then in torch's own threads, after all is done.
if torch.distributed.is_initialized():
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
