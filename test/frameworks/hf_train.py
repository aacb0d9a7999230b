"""A tiny GPT-2 with the Trainer: its own rotation, the best model, PEFT on demand; the same weights at every run."""
import argparse
import os

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

p = argparse.ArgumentParser()
p.add_argument("--output_dir", required=True)
p.add_argument("--resume_from_checkpoint")
p.add_argument("--rotate", action="store_true")
p.add_argument("--peft", action="store_true")
p.add_argument("--pause", type=float, default=0)
a = p.parse_args()

torch.manual_seed(0)
model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=16, vocab_size=64, n_positions=16))
if a.peft:
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(model, LoraConfig(r=2, target_modules=["c_attn"]))
g = torch.Generator().manual_seed(1)


class Data(torch.utils.data.Dataset):
    x = torch.randint(0, 64, (40, 16), generator=g)

    def __len__(self):
        return 40

    def __getitem__(self, i):
        return {"input_ids": self.x[i], "labels": self.x[i]}


class Pause(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        import time

        time.sleep(a.pause)


best = dict(eval_strategy="steps", eval_steps=5, save_total_limit=2, load_best_model_at_end=True) if a.rotate else {}
t = Trainer(
    model,
    TrainingArguments(
        a.output_dir, max_steps=15, save_steps=5, per_device_train_batch_size=4, report_to=[], seed=3,
        disable_tqdm=True, use_cpu=True, logging_steps=5, **best,
    ),
    train_dataset=Data(), eval_dataset=Data() if a.rotate else None, callbacks=[Pause()],
)
resume = a.resume_from_checkpoint
if resume == "True":
    resume = get_last_checkpoint(a.output_dir) if os.path.isdir(a.output_dir) else None
if resume:
    print("resumed from step", resume.rstrip("/").split("-")[-1], flush=True)
t.train(resume_from_checkpoint=resume)
if int(os.environ.get("RANK", 0)) == 0:
    m = t.accelerator.unwrap_model(t.model)
    torch.save(m.state_dict(), os.path.join(a.output_dir, "final.pt"))
# Ranks that end without it abort now and then in torch's own threads, after all is done.
if torch.distributed.is_initialized():
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
