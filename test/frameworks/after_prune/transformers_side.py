"""The Trainer with rotation and the best model: resume_from_checkpoint=True, then load_best_model_at_end."""
import torch
from side import answer, digest
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments

BASE = dict(report_to=[], disable_tqdm=True, use_cpu=True, logging_steps=2, seed=3, eval_strategy="steps")


class Data(torch.utils.data.Dataset):
    x = torch.randint(0, 64, (40, 16), generator=torch.Generator().manual_seed(1))

    def __len__(self):
        return 40

    def __getitem__(self, i):
        return {"input_ids": self.x[i], "labels": self.x[i]}


class Watch(TrainerCallback):
    def __init__(self):
        self.first, self.saved = None, {}

    def on_train_begin(self, args, state, control, model=None, **kwargs):
        self.first = state.global_step, digest(model.parameters())

    def on_save(self, args, state, control, model=None, **kwargs):
        self.saved[state.global_step] = digest(model.parameters())


def go(run, steps, limit, **resume):
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=16, vocab_size=64, n_positions=16))
    watch = Watch()
    args = TrainingArguments(
        run, max_steps=steps, save_steps=2, eval_steps=2, per_device_train_batch_size=4, save_total_limit=limit,
        load_best_model_at_end=True, metric_for_best_model="loss", **BASE,
    )
    Trainer(model, args, train_dataset=Data(), eval_dataset=Data(), callbacks=[watch]).train(**resume)
    return watch


def train(run):
    return {"saved": go(run, 8, 9).saved}


def resume(run):
    watch = go(run, 14, 2, resume_from_checkpoint=True)
    return {"from": watch.first[0], "weights": watch.first[1], "then": list(watch.saved)}


answer(train, resume)
