"""Lightning's ModelCheckpoint with its two best and last.ckpt: ckpt_path="last"."""
import os

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from side import answer, digest


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(4, 1)

    def training_step(self, batch, _):
        return ((self.net(batch[0]) - 1) ** 2).mean()

    def validation_step(self, batch, _):
        self.log("val_loss", ((self.net(batch[0]) - 1) ** 2).mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-2)


class Watch(Callback):
    def __init__(self):
        self.first, self.saved = None, {}

    def on_train_start(self, trainer, model):
        self.first = trainer.global_step, digest(model.parameters())

    def on_train_epoch_end(self, trainer, model):
        self.saved[trainer.global_step] = digest(model.parameters())


def go(run, epochs, keep, **resume):
    L.seed_everything(0)
    data = torch.utils.data.TensorDataset(torch.randn(16, 4, generator=torch.Generator().manual_seed(1)))
    loader = torch.utils.data.DataLoader(data, batch_size=8)
    watch = Watch()
    save = ModelCheckpoint(run, monitor="val_loss", save_top_k=keep, save_last=True)
    trainer = L.Trainer(
        max_epochs=epochs, logger=False, enable_progress_bar=False, enable_model_summary=False, accelerator="cpu",
        callbacks=[watch, save],
    )
    trainer.fit(Model(), loader, loader, **resume)
    return watch


def train(run):
    return {"saved": go(run, 4, -1).saved}


def resume(run):
    watch = go(run, 7, 2, ckpt_path=os.environ.get("CKPT_PATH", "last"))
    return {"from": watch.first[0], "weights": watch.first[1], "then": list(watch.saved)}


answer(train, resume)
