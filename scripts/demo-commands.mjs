/** What the demo types, in the folder of a run whose checkpoints lie in `save`. */
export const demoCommands = [
  { comment: 'what is there', typed: 'ckpt list save' },
  { comment: 'the best, for a script', typed: 'ckpt find save --min WER' },
  {
    comment: 'keep the newest and the best two by WER: the plan only',
    typed: 'ckpt prune save --keep 2 --min WER --dry-run',
  },
  {
    comment: 'fine-tune from the best: carry what matches into a model with another vocabulary',
    typed:
      'ckpt transfer "$(ckpt find save --min WER --key model)" new-language.safetensors --skip-mismatched -o init.safetensors',
  },
]
