/** The flags of `ckpt run`, by what they are about. */
import { Flags } from '@oclif/core'
import { CkptError } from '../../core/errors.js'
import { parseExpression } from '../../core/choosing/expression/index.js'
import type { SignalName } from '../../core/jobs/command/index.js'
import { parseAge } from '../../core/choosing/retention/index.js'
import { parseRetries, parseSimulation } from '../../core/jobs/supervise/index.js'
import { splitArguments } from '../../core/formats/text/shell-words.js'
import {
  checked,
  leaveDamagedFlag,
  policyFlags,
  pruneVerifyFlag,
  selectionFlags,
  stateFlag,
  trashFlag,
  waitFlag,
  yesFlag,
} from './common-flags.js'

const resume = { helpGroup: 'RESUME' }
const hooks = { helpGroup: 'HOOKS' }
const restarts = { helpGroup: 'RESTARTS' }
const batch = { helpGroup: 'BATCH SYSTEM' }
const stopping = { helpGroup: 'EARLY STOPPING' }
const repeated = { multiple: true, multipleNonGreedy: true } as const
const signals = ['TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2'] as const

/** Exit statuses, as `--no-retry-on 2,64` has them. Throws CkptError `usage`. */
export function parseStatuses(flag: string, text: string): ReadonlySet<number> {
  return new Set(
    splitAtCommas(text).map((word) => {
      if (/^\d{1,3}$/.test(word) && Number(word) <= 255) return Number(word)
      throw new CkptError('usage', `--${flag} takes exit statuses from 0 to 255, not ${JSON.stringify(word)}`)
    }),
  )
}

export function splitAtCommas(text: string): string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
}

/** Of early stopping, here and in `ckpt stalled`. */
export const minDeltaFlag = (group: { helpGroup?: string } = {}) =>
  Flags.string({ ...group, helpValue: 'X', default: '0', description: 'ignore improvements up to this size' })

export const warmupFlag = (group: { helpGroup?: string } = {}) =>
  Flags.integer({ ...group, helpValue: 'N', min: 0, default: 0, description: 'ignore the first N checkpoints' })

export const runFlags = {
  'resume-args': Flags.string({
    ...resume,
    helpValue: 'WORDS',
    description: "added to the command where there is a checkpoint: '--resume_from_checkpoint {path}'",
    parse: checked((text) => splitArguments(text, '--resume-args')),
  }),
  'resume-from': Flags.string({
    ...resume,
    helpValue: 'best|NAME|EXPR',
    description:
      'resume from the best, from the checkpoint of that name, or from the newest for which EXPR is true; left out: from the newest',
  }),
  require: Flags.string({
    ...resume,
    helpValue: 'KEY,…',
    description: 'only from a checkpoint that has these parameter files',
  }),
  verify: pruneVerifyFlag(
    'how deep it is checked: none, quick (headers), deep (every byte); left out: quick, and before a policy removes anything the newest one that stays is read whole, unless that was done before',
    resume,
  ),
  'leave-damaged': leaveDamagedFlag(resume),
  'on-checkpoint': Flags.string({
    ...hooks,
    helpValue: 'CMD',
    description: 'a shell command for each new whole checkpoint: CKPT_PATH, CKPT_NAME, CKPT_META_…',
  }),
  'on-exit': Flags.string({
    ...hooks,
    helpValue: 'CMD',
    description: 'a shell command after each end: CKPT_REASON, CKPT_EXIT, CKPT_NEXT (restart, requeue, nothing)',
  }),
  retries: Flags.string({
    ...restarts,
    helpValue: 'N|KIND=N,…',
    description: 'how often it is started again after each kind of end: failed=3,preempted=unlimited',
    parse: checked(parseRetries),
  }),
  'back-off': Flags.string({
    ...restarts,
    helpValue: 'TIME',
    default: '10s',
    description: 'wait this long before the first retry',
    parse: checked((text) => parseAge('back-off', text)),
  }),
  'max-back-off': Flags.string({
    ...restarts,
    helpValue: 'TIME',
    default: '5m',
    description: 'the longest wait before a retry',
    parse: checked((text) => parseAge('max-back-off', text)),
  }),
  'no-retry-on': Flags.string({
    ...restarts,
    helpValue: 'STATUS,…',
    description: 'exit statuses that are final',
    parse: checked((text) => parseStatuses('no-retry-on', text)),
  }),
  'requeue-on': Flags.string({
    ...restarts,
    helpValue: 'STATUS,…',
    default: '85',
    description: 'exit statuses that ask for another start, by the scheduler where there is one',
    parse: checked((text) => parseStatuses('requeue-on', text)),
  }),
  'min-uptime': Flags.string({
    ...restarts,
    helpValue: 'TIME',
    default: '10s',
    description: 'a failure before this time, without a new checkpoint, counts as failing to start',
    parse: checked((text) => parseAge('min-uptime', text)),
  }),
  'set-aside-after': Flags.integer({
    ...restarts,
    helpValue: 'N',
    min: 1,
    default: 3,
    description: 'after this many starts from one checkpoint without a new one, start from the checkpoint before it',
  }),
  stall: Flags.string({
    ...restarts,
    helpValue: 'TIME',
    description: 'treat the job as hung after this long without output or checkpoints',
    parse: checked((text) => parseAge('stall', text)),
  }),
  watch: Flags.string({
    ...restarts,
    ...repeated,
    helpValue: 'PATH',
    description: 'a change of this file or folder also counts as activity',
  }),
  grace: Flags.string({
    ...restarts,
    helpValue: 'TIME',
    default: '30s',
    description: 'when the command is to end: give it this long to save, then send SIGKILL',
    parse: checked((text) => parseAge('grace', text)),
  }),
  simulate: Flags.string({
    ...restarts,
    ...repeated,
    helpValue: 'WHAT@TIME',
    description: 'try a script: let this happen, once, after that time: preempt@60s, timeout@60s, crash@30s, oom@30s',
    parse: checked(parseSimulation),
  }),
  patience: Flags.integer({
    ...stopping,
    helpValue: 'N',
    min: 1,
    description: 'stop the job after N checkpoints without an improvement by --stop-min or --stop-max',
  }),
  'stop-min': Flags.string({
    ...stopping,
    helpValue: 'KEY',
    description: 'the metric that --patience watches; lower is better',
    exclusive: ['stop-max'],
  }),
  'stop-max': Flags.string({
    ...stopping,
    helpValue: 'KEY',
    description: 'the metric that --patience watches; higher is better',
  }),
  'min-delta': minDeltaFlag(stopping),
  warmup: warmupFlag(stopping),
  'stop-when': Flags.string({
    ...stopping,
    ...repeated,
    helpValue: 'EXPR',
    description: 'stop it once this is true of the newest checkpoint',
    parse: async (text) => {
      await parseExpression(text)
      return text.trim()
    },
  }),
  'stop-signal': Flags.custom<(typeof signals)[number]>({
    ...stopping,
    options: [...signals],
    default: 'TERM',
    description: 'the signal that asks it to stop',
  })(),
  'stop-file': Flags.string({
    ...stopping,
    helpValue: 'PATH',
    description: 'ask it to stop by creating this file instead of by a signal',
  }),
  'warning-signal': Flags.custom<SignalName>({
    ...batch,
    options: ['USR1', 'USR2'],
    parse: async (name) => (name === 'USR2' ? 'SIGUSR2' : 'SIGUSR1'),
    helpValue: 'SIGNAL',
    description:
      'the signal by which the batch system announces the time limit; left out: USR1, of --signal=B:USR1@120',
  })(),
  'checkpoint-signal': Flags.custom<SignalName | 'none'>({
    ...batch,
    options: ['USR1', 'USR2', 'HUP', 'INT', 'TERM', 'none'],
    parse: async (name) => (name === 'none' ? name : (`SIG${name}` as SignalName)),
    helpValue: 'SIGNAL',
    description:
      'the signal that tells the command to save when the warning comes; its processes that catch it get it; left out: the warning signal; none: send nothing, the command saves often enough by itself',
  })(),
  'hold-batch-shell': Flags.boolean({
    ...batch,
    description: 'stop the shell of the batch script (SIGSTOP) while ckpt runs, to see the warning that would end it',
  }),
  again: Flags.boolean({
    ...batch,
    description: 'in a chain of jobs: start even when an earlier job has finished the work',
  }),
  ...policyFlags,
  ...selectionFlags,
  trash: trashFlag,
  yes: yesFlag,
  state: stateFlag,
  wait: waitFlag,
}
