"""A linear layer with Lightning; each epoch and last.ckpt are saved."""
import argparse
import os
import time

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

p = argparse.ArgumentParser()
p.add_argument("--out", required=True)
p.add_argument("--ckpt_path")
p.add_argument("--pause", type=float, default=0)
a = p.parse_args()
L.seed_everything(0)


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(4, 1)

    def training_step(self, batch, index):
        x, y = batch
        loss = ((self.net(x) - y) ** 2).mean()
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-2)


class Pause(Callback):
    def on_train_batch_end(self, *_):
        time.sleep(a.pause)


g = torch.Generator().manual_seed(1)
data = torch.utils.data.TensorDataset(torch.randn(40, 4, generator=g), torch.randn(40, 1, generator=g))
loader = torch.utils.data.DataLoader(data, batch_size=8)
if a.ckpt_path and a.ckpt_path != "last":
    print("resumed from step", torch.load(a.ckpt_path, weights_only=False)["global_step"], flush=True)
save = ModelCheckpoint(a.out, filename="ck-{step}", save_top_k=-1, every_n_epochs=1, save_last=True)
t = L.Trainer(
    max_epochs=3, logger=False, enable_progress_bar=False, enable_model_summary=False, accelerator="cpu",
    callbacks=[save, Pause()],
)
m = Model()
t.fit(m, loader, ckpt_path=a.ckpt_path)
if int(os.environ.get("RANK", 0)) == 0:
    torch.save(m.state_dict(), os.path.join(a.out, "final.pt"))
# Ranks that end without it abort now and then in torch's own threads, after all is done.
if torch.distributed.is_initialized():
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
