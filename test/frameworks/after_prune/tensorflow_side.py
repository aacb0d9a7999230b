"""TensorFlow's CheckpointManager: restore_or_initialize goes by `checkpoint`, then max_to_keep."""
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
from side import answer, digest


class Loop:
    def __init__(self, run, keep):
        self.step = tf.Variable(0, dtype=tf.int64)
        self.w = tf.Variable([[1.0, 2.0]])
        checkpoint = tf.train.Checkpoint(step=self.step, w=self.w)
        self.manager = tf.train.CheckpointManager(checkpoint, run, max_to_keep=keep, step_counter=self.step)

    def save(self, times):
        for _ in range(times):
            self.step.assign_add(1)
            self.w.assign(self.w * 1.5)
            self.manager.save(checkpoint_number=self.step)
            yield int(self.step.numpy()), digest([self.w.numpy()])


def train(run):
    return {"saved": dict(Loop(run, 9).save(4))}


def resume(run):
    loop = Loop(run, 2)
    found = loop.manager.restore_or_initialize()
    assert found is not None, "TensorFlow found nothing"
    start, weights = int(loop.step.numpy()), digest([loop.w.numpy()])
    then = [step for step, _ in loop.save(3)]
    assert tf.train.get_checkpoint_state(run).model_checkpoint_path.endswith(f"-{then[-1]}")
    return {"from": start, "weights": weights, "then": then}


answer(train, resume)
