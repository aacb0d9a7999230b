/** Flags that several commands share: one flag has one meaning everywhere. */
import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { parseAmount, parseBytes, rules, type RuleKind } from '../../core/choosing/retention/index.js'
import type { HealthLevel } from '../../core/checkpoint.js'
import { CkptError } from '../../core/errors.js'
import type { TrainingChoice } from '../../core/choosing/selection/index.js'

/** Flags whose value is an expression, which may begin with `-`. */
export const expressionFlags: ReadonlySet<string> = new Set([
  '--by',
  '--where',
  '--keep-where',
  '--sort',
  '--until',
  '--columns',
])

export const runArgument = Args.string({
  name: 'run',
  description: 'the directory that the checkpoints lie in, or a folder above one run',
  default: '.',
  ignoreStdin: true,
})

/** How a checkpoint is named in an argument. */
export const named =
  'a path, the name of a checkpoint in the run of this folder, latest or best (also RUN/latest, RUN/best)'
export const severalNamed = `${named}; several may be given`

export const checkpointsArgument = Args.string({
  name: 'CHECKPOINT',
  description: severalNamed,
  required: true,
  multiple: true,
  ignoreStdin: true,
})

const helpGroup = 'SELECTION'

export const selectionFlags = {
  min: Flags.string({
    helpGroup,
    helpValue: 'KEY',
    description: 'rank by this metric, lowest first; only checkpoints that have it',
    multiple: true,
    multipleNonGreedy: true,
  }),
  max: Flags.string({
    helpGroup,
    helpValue: 'KEY',
    description: 'rank by this metric, highest first',
    multiple: true,
    multipleNonGreedy: true,
  }),
  by: Flags.string({
    helpGroup,
    helpValue: 'EXPR',
    description: "rank by an expression, the highest first: '-loss / num-examples'",
    multiple: true,
    multipleNonGreedy: true,
    parse: trim,
  }),
  'then-min': Flags.string({
    helpGroup,
    helpValue: 'KEY',
    description: 'break ties: lowest of this key first',
    multiple: true,
    multipleNonGreedy: true,
  }),
  'then-max': Flags.string({
    helpGroup,
    helpValue: 'KEY',
    description: 'break ties: highest of this key first',
    multiple: true,
    multipleNonGreedy: true,
  }),
  where: Flags.string({
    helpGroup,
    helpValue: 'EXPR',
    description: `only checkpoints for which this is true: 'epoch > 3 and validation-type == "full"'`,
    multiple: true,
    multipleNonGreedy: true,
    parse: trim,
  }),
  training: Flags.string({
    helpGroup,
    helpValue: 'newest|N|all',
    description: 'only checkpoints of this training, where one folder holds several; 1 is the oldest',
    parse: checked(readTraining),
  }),
}

/** Throws CkptError `usage`. */
export function readTraining(text: string): TrainingChoice {
  if (text === 'newest' || text === 'all') return text
  const number = /^[1-9]\d{0,8}$/.test(text) ? Number(text) : null
  if (number !== null) return number
  throw new CkptError('usage', `--training takes newest, all or a number from 1, not ${text}`)
}

const levels = ['none', 'quick', 'deep'] as const

/** `none` trusts names and meta, `quick` reads headers and end records, `deep` reads every byte. */
export const verifyFlag = (description: string, fallback: HealthLevel, group: { helpGroup?: string } = {}) =>
  Flags.custom<HealthLevel>({ ...group, helpValue: 'LEVEL', options: [...levels], description, default: fallback })()

/** Left out it means more than any level: quick for all, and every byte of the newest that stays. */
export const pruneVerifyFlag = (description: string, group: { helpGroup?: string } = {}) =>
  Flags.custom<HealthLevel>({ ...group, helpValue: 'LEVEL', options: [...levels], description })()

/** Of prune and gc. */
export const provingVerifyFlag = pruneVerifyFlag(
  'how deep to look for damage: none, quick (headers), deep (every byte); left out: quick, and before anything goes the newest one that stays is read whole, unless that was done before',
)

/** For commands that take the first checkpoint of a run that a query ranks and that is whole. */
export const chosenVerifyFlag = verifyFlag(
  'how deep chosen checkpoints are checked; damaged ones are skipped: none, quick, deep',
  'quick',
  { helpGroup },
)

/** Of what starts jobs. */
export const leaveDamagedFlag = (group: { helpGroup?: string } = {}) =>
  Flags.boolean({
    ...group,
    description: 'do not move damaged checkpoints that the framework would resume from to the trash',
  })

export const recursiveFlag = Flags.boolean({ char: 'r', description: 'every run below the folder' })

/** Of a search for runs. */
export const walkFlags = {
  exclude: Flags.string({
    helpValue: 'PATTERN',
    description:
      'leave out what matches, as a line of a .gitignore in the folder would; .ckptignore files are read too',
    multiple: true,
    multipleNonGreedy: true,
  }),
  'cross-file-systems': Flags.boolean({ description: 'search below folders where another file system is mounted too' }),
  'no-cache': Flags.boolean({ description: 'read every file again, and remember nothing of it (docs/many-runs.md)' }),
}

/** Of what changes many runs. */
export const quietFlag = (when = '') =>
  Flags.string({
    helpValue: 'TIME',
    default: '30m',
    description: `${when}leave runs alone that were written to within this time`,
  })

export const sortFlag = Flags.string({
  helpValue: 'COLUMN',
  description: 'order the rows by this column or key, ascending; -COLUMN for descending',
  parse: async (text) => text.trim(),
})

export const dryRunFlag = Flags.boolean({ char: 'n', description: 'show what would be done and change nothing' })

export const stateFlag = Flags.directory({
  helpValue: 'DIR',
  env: 'CKPT_STATE',
  description: "the folder for pins, trash, lock and journal; left out: <parent of the run>/.ckpt/<run's name>",
  parse: async (path) => resolve(path),
})

export const waitFlag = Flags.string({
  helpValue: 'TIME',
  default: '1m',
  description: 'how long to wait for another ckpt that is changing the run',
})

export const trashFlag = Flags.boolean({ description: 'move into the trash instead of deleting: ckpt trash list' })

export const yesFlag = Flags.boolean({ char: 'y', description: 'do not ask' })

async function trim(text: string): Promise<string> {
  return text.trim()
}

/** What only the command would refuse is refused where it is read, and so with its line in a file. */
export function checked(check: (text: string) => unknown): (text: string) => Promise<string> {
  return async (text) => {
    check(text)
    return text
  }
}

/** One flag for each keep-rule in core's registry. */
const ruleFlags = Object.fromEntries(rules.map((kind) => [kind.flag, ruleFlag(kind)]))

function ruleFlag({ value, description, repeatable }: RuleKind) {
  const common = { description, helpGroup: 'POLICY' }
  if (value === null) return Flags.boolean(common)
  const option = { ...common, helpValue: value, parse: trim }
  return repeatable ? Flags.string({ ...option, multiple: true, multipleNonGreedy: true }) : Flags.string(option)
}

const policyGroup = { helpGroup: 'POLICY' }

/** How a policy chooses among whole checkpoints, beside the selection. */
export const choosingFlags = {
  keep: Flags.integer({
    ...policyGroup,
    helpValue: 'N',
    description: 'keep the best N by each ranking (default 1 when a ranking is given)',
  }),
  'no-keep-recent': Flags.boolean({ ...policyGroup, description: 'do not also keep the newest N' }),
  ...ruleFlags,
  'older-than': Flags.string({
    ...policyGroup,
    helpValue: 'AGE',
    description: 'remove only checkpoints older than this: 7d, 12h',
  }),
  'max-total': Flags.string({
    ...policyGroup,
    helpValue: 'SIZE',
    description: 'remove the oldest until everything that stays fits this size: 500G',
    parse: checked((text) => parseBytes('max-total', text)),
  }),
  'min-free': Flags.string({
    ...policyGroup,
    helpValue: 'SIZE|N%',
    description: 'remove the oldest until this much of the disk is free: 10%, 200G',
    parse: checked((text) => parseAmount('min-free', text)),
  }),
  'as-far-as-possible': Flags.boolean({
    ...policyGroup,
    description: 'when a space target cannot be met, remove all that may go; without this flag nothing is removed then',
  }),
  'no-protect': Flags.boolean({
    ...policyGroup,
    description: 'remove protected checkpoints too, where the policy says so',
  }),
  'allow-empty': Flags.boolean({ ...policyGroup, description: 'the policy may remove every checkpoint' }),
}

/** What a prune's policy is made of, beside the selection. */
export const policyFlags = {
  ...choosingFlags,
  'remove-damaged': Flags.boolean({ ...policyGroup, description: 'damaged checkpoints may go too' }),
}
