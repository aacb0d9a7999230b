"""Ultralytics: a classifier of two colours is interrupted, then YOLO(last.pt).train(resume=True)."""
import copy
import os
import sys

# Its settings are the user's own; and none of the loggers that happen to be installed is asked.
os.environ["YOLO_CONFIG_DIR"] = sys.argv[2]
import numpy as np
from PIL import Image
from side import answer, digest
from ultralytics import YOLO, settings

settings.update({"sync": False, **{one: False for one in settings if isinstance(settings[one], bool)}})


class Interrupted(Exception):
    pass


def colours(folder):
    """Eight pictures for each part of each class; returns the folder."""
    for part in ("train", "val"):
        for name, colour in (("red", (255, 0, 0)), ("blue", (0, 0, 255))):
            where = os.path.join(folder, part, name)
            os.makedirs(where, exist_ok=True)
            for i in range(4):
                Image.fromarray(np.full((32, 32, 3), colour, np.uint8)).save(os.path.join(where, f"{i}.png"))
    return folder


def weights(trainer):
    """As last.pt holds them: the average, in half precision."""
    return digest(copy.deepcopy(trainer.ema.ema).half().float().parameters())


def watched(model, stop=None):
    seen = {"first": None, "saved": {}}

    def on_start(trainer):
        seen["first"] = trainer.start_epoch - 1, weights(trainer)

    def on_save(trainer):
        seen["saved"][trainer.epoch] = weights(trainer)
        if trainer.epoch == stop:
            raise Interrupted

    model.add_callback("on_train_start", on_start)
    model.add_callback("on_model_save", on_save)
    return seen


def train(run):
    model = YOLO("yolo11n-cls.yaml")
    seen = watched(model, 3)
    data = colours(os.path.join(run, "data"))
    try:
        model.train(
            data=data, epochs=6, imgsz=32, batch=4, workers=0, save_period=1, nbs=4, optimizer="SGD", lr0=0.2, warmup_epochs=0, project=run, name="r", device="cpu",
            plots=False, amp=False, verbose=False, val=True,
        )
    except Interrupted:
        pass
    return {"saved": seen["saved"], "run": f"{run}/r/weights", "by": "epoch"}


def resume(run):
    last = os.path.join(run, "r/weights/last.pt")
    model = YOLO(last if os.path.exists(last) else os.environ["CKPT_PATH"])
    seen = watched(model)
    model.train(resume=True)
    return {"from": seen["first"][0], "weights": seen["first"][1], "then": list(seen["saved"])}


answer(train, resume)
