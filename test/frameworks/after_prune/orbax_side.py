"""Orbax's CheckpointManager: latest_step and restore, then max_to_keep."""
import numpy as np
import orbax.checkpoint as ocp
from side import answer, digest


def manager(run, keep):
    options = ocp.CheckpointManagerOptions(max_to_keep=keep, best_fn=lambda m: m["loss"], best_mode="min")
    return ocp.CheckpointManager(run, options=options)


def weights_at(step):
    return np.arange(6, dtype=np.float32).reshape(2, 3) * step


def save(run, keep, steps):
    with manager(run, keep) as mgr:
        for step in steps:
            state = {"w": weights_at(step), "step": step}
            mgr.save(step, args=ocp.args.StandardSave(state), metrics={"loss": 1.0 / step})
        mgr.wait_until_finished()
        return list(mgr.all_steps())


def train(run):
    save(run, 9, [1, 2, 3, 4])
    return {"saved": {step: digest([weights_at(step)]) for step in [1, 2, 3, 4]}}


def resume(run):
    with manager(run, 2) as mgr:
        newest = mgr.latest_step()
        state = mgr.restore(newest, args=ocp.args.StandardRestore({"w": weights_at(0), "step": 0}))
        assert mgr.best_step() == newest, "its best is another"
    return {"from": newest, "weights": digest([np.asarray(state["w"])]), "then": save(run, 2, [5, 6, 7])}


answer(train, resume)
