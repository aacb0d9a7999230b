/** Whether two checkpoints of one folder are of one training, by what they say of it themselves. */
import type { Checkpoint, LogMark, Meta, MetaValue } from '../../checkpoint.js'

/**
 * True when they are, false when they are not, null where nothing tells. A log that goes on where the other's ends
 * decides: who goes on may change the batch size or the number of steps.
 */
export function isSameTraining(one: Checkpoint, another: Checkpoint): boolean | null {
  const byLog = continues(one.training?.log ?? [], another.training?.log ?? [])
  if (byLog !== null) return byLog
  const [settings, others] = [settingsOf(one), settingsOf(another)]
  for (const [what, value] of settings) {
    const other = others.get(what)
    if (other !== undefined && other !== value) return false
  }
  return null
}

/** Whether two logs agree where both have entries. Null where they do not meet: one has none, or lost its beginning. */
function continues(one: readonly LogMark[], another: readonly LogMark[]): boolean | null {
  const start = Math.max(one[0]?.step ?? Infinity, another[0]?.step ?? Infinity)
  const end = Math.min(one.at(-1)?.step ?? -Infinity, another.at(-1)?.step ?? -Infinity)
  if (start > end) return null
  const [from, to] = [one, another].map((log) => log.findIndex(({ step }) => step >= start))
  let [left, right] = [from ?? 0, to ?? 0]
  for (; ; left += 1, right += 1) {
    const [a, b] = [within(one[left], end), within(another[right], end)]
    // What was logged at the last step of the one after it had been saved is in the other alone.
    if (a === null || b === null) return (a ?? b)?.step === end || a === b
    if (a.step !== b.step || a.mark !== b.mark) return false
  }
}

function within(entry: LogMark | undefined, end: number): LogMark | null {
  return entry === undefined || entry.step > end ? null : entry
}

/** By the letters and digits of a key, what it says of a training as a whole. */
const meanings: ReadonlyMap<string, string> = new Map([
  ...['runid', 'wandbid', 'wandbrunid', 'mlflowrunid', 'experimentid', 'trialid', 'trainingid'].map(
    (key) => [key, 'run id'] as const,
  ),
  ...['batchsize', 'trainbatchsize', 'globalbatchsize', 'totalbatchsize', 'effectivebatchsize'].map(
    (key) => [key, 'batch size'] as const,
  ),
  ...['maxsteps', 'totalsteps', 'maxtrainsteps', 'numtrainsteps', 'totaliters', 'maxiters'].map(
    (key) => [key, 'all steps'] as const,
  ),
  ...['maxepochs', 'totalepochs', 'numepochs', 'numtrainepochs'].map((key) => [key, 'all epochs'] as const),
])

/** Meta keys are the same in thousands of checkpoints. */
const known = new Map<string, string | null>()

function meaningOf(key: string): string | null {
  let meaning = known.get(key)
  if (meaning === undefined) {
    meaning = meanings.get(key.toLowerCase().replace(/[^a-z0-9]+/g, '')) ?? null
    if (known.size < 1000) known.set(key, meaning)
  }
  return meaning
}

function settingsOf({ meta, training }: Checkpoint): ReadonlyMap<string, string> {
  return training === undefined || training.settings.size === 0 ? settingsIn(meta) : training.settings
}

function settingsIn(meta: Meta): ReadonlyMap<string, string> {
  let settings: Map<string, string> | undefined
  for (const key of meta.keys()) {
    const meaning = meaningOf(key)
    if (meaning === null) continue
    const value = meta.get(key)
    if (isPlain(value)) (settings ??= new Map()).set(`${meaning} in ${key}`, String(value))
  }
  return settings ?? none
}

const none: ReadonlyMap<string, string> = new Map()

function isPlain(value: MetaValue | undefined): value is string | number | bigint {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint'
}

/** True when something in it tells of its training. */
export function tellsOfTraining(checkpoint: Checkpoint): boolean {
  return (checkpoint.training?.log.length ?? 0) > 0 || settingsOf(checkpoint).size > 0
}
