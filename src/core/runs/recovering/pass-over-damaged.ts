/** From the best checkpoint down to the first one that a job can start from. */
import { isUnlisted, type Checkpoint, type Finding } from '../../checkpoint.js'
import { rankOfRandomState } from '../../checkpoints/health/index.js'
import { didYouMean } from '../../choosing/expression/index.js'
import { CkptError } from '../../errors.js'
import { quoteWord } from '../../formats/text/shell-words.js'

/** Findings of one checkpoint; none when it is whole. */
export type Check = (checkpoint: Checkpoint) => Promise<readonly Finding[]>

export interface PassedOver {
  readonly name: string
  readonly reasons: readonly string[]
}

/** Called for each as it is passed over; `isUnreadable`: the system refused to read it, so it may be whole. */
export type OnPassedOver = (passed: PassedOver, isUnreadable: boolean) => void

export interface StartCandidate {
  readonly checkpoint: Checkpoint
  /** Those before it, in order, and why not. */
  readonly passedOver: readonly PassedOver[]
  /** True where none is whole, and of this one only random states of some processes are not there. */
  readonly isInexact?: boolean
}

/**
 * The first whole one of `checkpoints`, which come in the order of preference. Looks no further than that. Null when
 * there are none at all. Where none is whole, the first one that lacks random states alone. Throws CkptError with all
 * reasons when there are some but none is whole (`damaged`), or none has the keys required (`no-match`): a job must never
 * silently start from scratch.
 */
export async function firstWhole(
  checkpoints: readonly Checkpoint[],
  check: Check,
  onPassedOver?: OnPassedOver,
): Promise<StartCandidate | null> {
  const passedOver: PassedOver[] = []
  let inexact: Checkpoint | undefined
  let unreadable = 0
  for (const checkpoint of checkpoints) {
    const findings = await check(checkpoint)
    if (findings.length === 0) return { checkpoint, passedOver }
    const isUnreadable = findings.some(({ grade }) => grade === 'unreadable')
    const passed = { name: checkpoint.name, reasons: findings.map(reasonIn) }
    passedOver.push(passed)
    if (isUnreadable) unreadable += 1
    if (findings.every(isOfRandomState)) inexact ??= checkpoint
    onPassedOver?.(passed, isUnreadable)
  }
  const [first] = checkpoints
  if (first === undefined) return null
  if (inexact !== undefined) {
    const { name } = inexact
    return { checkpoint: inexact, passedOver: passedOver.filter((one) => one.name !== name), isInexact: true }
  }
  throw noneWhole(first.run, passedOver, unreadable)
}

/** Frameworks go on without, with other random numbers (`_load_rng_state`, `load_accelerator_state`). */
function isOfRandomState({ grade, file }: Finding): boolean {
  return grade === 'partial' && file !== undefined && rankOfRandomState(file) !== null
}

/** What people call the parts of a file that holds all of a checkpoint, and their keys in it. */
const partNames: ReadonlyMap<string, readonly string[]> = new Map([
  ['model', ['state_dict']],
  ['weights', ['state_dict']],
  ['optimizer', ['optimizer_states', 'optimizer_state_dict']],
  ['scheduler', ['lr_schedulers', 'scheduler_state_dict']],
])

const lacksKey = 'has no file for key'
const holdsNone = 'holds no '

/**
 * One finding for each key that the checkpoint has no file for. Of one that is a single file whose contents are known,
 * the keys are parts of it.
 */
export function requireKeys(checkpoint: Checkpoint, keys: readonly string[]): Finding[] {
  if (isUnlisted(checkpoint)) return []
  const { contents } = checkpoint
  if (contents !== undefined) {
    const there = new Set(contents)
    const isThere = (key: string) => there.has(key) || (partNames.get(key) ?? []).some((name) => there.has(name))
    const missing = [...new Set(keys)].filter((key) => !isThere(key))
    return missing.map((key) => ({ grade: 'partial', reason: `${holdsNone}${key}: in it are ${contents.join(', ')}` }))
  }
  const there = new Set(checkpoint.files.map((file) => file.key))
  const missing = [...new Set(keys)].filter((key) => !there.has(key))
  return missing.map((key) => {
    const meant = didYouMean(key, there)
    const hint = meant === undefined ? '' : `; ${meant}`
    return { grade: 'partial', reason: `${lacksKey} ${key}${hint}` }
  })
}

/** For people: with the file that it is about. */
export function reasonIn({ file, reason }: Finding): string {
  return file === undefined ? reason : `${file}: ${reason}`
}

const readableFirst =
  'what the system refuses to read may be whole; see to its owner, its mode and the disk, and start again'

/** Lines of an error. */
const mostListed = 100

function noneWhole(run: string, passedOver: readonly PassedOver[], unreadable: number): CkptError {
  const count = passedOver.length
  if (passedOver.every(({ reasons }) => reasons.every(isOfKey))) return noneAskedFor(run, passedOver)
  const what = count === 1 ? 'the only checkpoint is not whole' : `none of the ${count} checkpoints is whole`
  return new CkptError('damaged', [`${run}: ${what}`, ...linesOf(passedOver)].join('\n'), {
    hint: `nothing was started: ${unreadable > 0 ? readableFirst : 'a job would begin from scratch; move these away if that is what you want'}`,
  })
}

function linesOf(passedOver: readonly PassedOver[]): string[] {
  const lines = passedOver.slice(0, mostListed).map(({ name, reasons }) => `  ${name}: ${reasons.join('; ')}`)
  const more = passedOver.length - mostListed
  return more > 0 ? [...lines, `  and ${more} more`] : lines
}

/** True of what `requireKeys` finds. */
function isOfKey(reason: string): boolean {
  return reason.startsWith(lacksKey) || reason.startsWith(holdsNone)
}

/** Undefined where there are several. */
function reasonOfAll(passedOver: readonly PassedOver[]): string | undefined {
  const reasons = new Set(passedOver.flatMap((one) => one.reasons))
  return reasons.size === 1 ? [...reasons][0] : undefined
}

/** No checkpoint is damaged; what is asked for may be a mistake. */
function noneAskedFor(run: string, passedOver: readonly PassedOver[]): CkptError {
  const [first] = passedOver
  const count = passedOver.length
  const reason = reasonOfAll(passedOver)
  const who = count === 1 ? 'the only checkpoint' : `each of the ${count} checkpoints`
  const told =
    reason === undefined
      ? [
          `${run}: ${count === 1 ? `${who} has not` : `none of the ${count} checkpoints has`} all that is required`,
          ...linesOf(passedOver),
        ]
      : [`${run}: ${who} ${reason}`]
  return new CkptError('no-match', told.join('\n'), {
    hint: `nothing was started: ask for a key that is there; see which: ckpt show ${quoteWord(`${run}/${first?.name ?? ''}`)}`,
  })
}
