/**
 * PaddleNLP's Trainer (paddlenlp/trainer/trainer.py, `_save_checkpoint`): the names of Hugging Face's, with the files of
 * PaddlePaddle in them: `checkpoint-<step>/` with `model_state.pdparams` (of several ranks `model_state.tp00_pp00.pdparams`),
 * `optimizer.pdopt`, `scheduler.pdparams`, and `trainer_state.json` when these are there, then the random state. With
 * `unified_checkpoint` the model and the optimizer are safetensors. Without the optimizer's or the scheduler's file a
 * resumed training ends with an error (`_load_optimizer_and_scheduler`), as it does in its next rotation without the best
 * one (`_sorted_checkpoints`).
 */
import type { Part } from '../../../checkpoint.js'
import { takesLargest } from '../resume-search.js'
import type { LayoutSpec, Unit } from '../spec.js'
import { bestByState, judgeOfState, tellTrainerState } from './trainer-state.js'

const numbered = /^checkpoint-(?<step>\d+)$/
const stateFile = 'trainer_state.json'
const ownFiles =
  /^(?:(?:model_state|lora_model_state|prefix_model_state|master_weights|scheduler|scaler)(?:[.-][\w.-]+)?\.pdparams|optimizer(?:[.-][\w.-]+)?\.pdopt)$/
const optimizer = /^optimizer(?:[.-][\w.-]+)?\.(?:pdopt|safetensors)$/

export const paddleNlp: LayoutSpec = {
  id: 'paddlenlp',
  title: 'PaddleNLP',
  looks: 'checkpoint-<step>/ with trainer_state.json and files of PaddlePaddle',
  history: [{ from: 'trainer state' }],
  forms: [
    {
      kind: 'folder',
      name: numbered,
      proof: { sure: [{ file: ownFiles }] },
      whole: {
        last: stateFile,
        writer: 'the Trainer of PaddleNLP',
        needs: [
          {
            any: [
              /^(?:lora_|prefix_)?model_state(?:[.-][\w.-]+)?\.pdparams$/,
              /^(?:peft_)?model(?:-\d+-of-\d+)?\.safetensors$/,
            ],
            reason: 'no model weights are there',
          },
        ],
      },
      facts: [{ from: 'bytes', file: stateFile, tell: tellTrainerState, limit: 128 << 20 }, { from: 'name' }],
      files: [
        { name: /\.index\.json$/, role: 'index' },
        { name: optimizer, role: 'resume' },
        { name: /^scaler\.pdparams$/, role: 'resume', optional: true },
        { name: /^(?:scheduler\.pdparams|rng_state(?:_\d+)?\.pth)$/, role: 'resume' },
        { name: /^master_weights[.-][\w.-]+$/, role: 'resume' },
        { name: /^trainer_state\.json$/, role: 'loop', unlisted: true },
        { name: /\.(?:pdparams|safetensors)$/, role: 'weights' },
      ],
      lacks,
    },
  ],
  namedBy: bestByState,
  judge: judgeOfState,
  // Whatever is in it (trainer_utils.py, `get_last_checkpoint`).
  resumesFrom: takesLargest('get_last_checkpoint()', 'directory', numbered),
}

function lacks({ entries }: Unit): Part[] {
  const has = (pattern: RegExp): boolean => entries.some(({ name }) => pattern.test(name))
  return [
    ...(has(optimizer) ? [] : (['optimizer'] as const)),
    ...(has(/^scheduler\.pdparams$/) ? [] : (['scheduler'] as const)),
    ...(has(/^rng_state(?:_\d+)?\.pth$/) ? [] : (['random state'] as const)),
  ]
}
