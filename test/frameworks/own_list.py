"""What the framework itself finds in a run, as JSON: the names of its checkpoints, and the one it resumes from."""
import json
import os
import sys

framework, run = sys.argv[1:]
if framework == "speechbrain":
    from speechbrain.utils.checkpoints import Checkpointer

    c = Checkpointer(run)
    names = [str(one.path.name) for one in c.list_checkpoints()]
    newest = c.find_checkpoint().path.name
elif framework == "transformers":
    from transformers.trainer_utils import get_last_checkpoint, sort_checkpoints

    names = [os.path.basename(one) for one in sort_checkpoints(run)]
    newest = os.path.basename(get_last_checkpoint(run))
else:
    import lightning as L
    from lightning.pytorch.callbacks import ModelCheckpoint

    callback = ModelCheckpoint(run, save_last=True)
    t = L.Trainer(logger=False, callbacks=[callback], accelerator="cpu", enable_progress_bar=False)
    last = callback._find_last_checkpoints(t)
    names = [one for one in os.listdir(run) if one.endswith(".ckpt")]
    newest = os.path.basename(max(last, key=os.path.getmtime))
print(json.dumps({"names": sorted(names), "newest": newest}))
