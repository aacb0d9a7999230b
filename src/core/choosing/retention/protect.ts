/** What stays whatever the policy says (docs/design.md §6), unless protection is off. */
import { addTo } from '../../grouped.js'
import { isResumable, isWhole, type Checkpoint, type MetaValue, type Pointer } from '../../checkpoint.js'
import { newestBookkeeping } from '../selection/index.js'
import type { Reason } from './reason.js'

/** What is known of checkpoints that others have to tell. */
export interface Protections {
  /** Notes by path; an empty note is one too. */
  readonly pinned?: ReadonlyMap<string, string>
  /** By path, the metrics whose value no measurement gives. */
  readonly impossible?: ReadonlyMap<string, readonly string[]>
  /** Names in orders and rules that no checkpoint has: most likely slips, so the policy is not what was meant. */
  readonly unknownKeys?: readonly string[]
  /** Pointers that are made to name another one protect none at all: who goes was said by name. */
  readonly pointersFollow?: boolean
  /** Paths of those whose files changed between two looks, or whose writer is alive. */
  readonly changing?: ReadonlySet<string>
}

/** Every protected checkpoint with its reasons. `checkpoints` is newest first. */
export function protect(
  checkpoints: readonly Checkpoint[],
  isSound: (checkpoint: Checkpoint) => boolean,
  known: Protections,
): ReadonlyMap<Checkpoint, readonly Reason[]> {
  const found = new Map<Checkpoint, Reason[]>()
  const add = (checkpoint: Checkpoint, reason: Reason) => {
    addTo(found, checkpoint, reason)
  }
  const newest = newestOf(checkpoints, isSound)
  if (newest !== undefined) add(newest.checkpoint, newest.reason)
  if (newest !== undefined && !isResumable(newest.checkpoint)) {
    const resumable = checkpoints.find((checkpoint) => isSound(checkpoint) && isResumable(checkpoint))
    if (resumable !== undefined) add(resumable, { code: 'newest', text: 'the newest that can be resumed from' })
  }
  const pointers = pointersOf(checkpoints)
  const pinnedCopies = new Map(
    checkpoints.flatMap(({ name, path, sameAs }) =>
      sameAs !== undefined && known.pinned?.has(path) === true ? [[sameAs, name] as const] : [],
    ),
  )
  for (const checkpoint of checkpoints) {
    for (const key of known.unknownKeys ?? [])
      add(checkpoint, { code: 'unknown-key', text: `no checkpoint has ${JSON.stringify(key)}, which the policy names` })
    for (const { label, follows } of pointers.get(checkpoint.name) ?? [])
      if (follows !== true || (isSound(checkpoint) && known.pointersFollow !== true))
        add(checkpoint, {
          code: 'pointer',
          text: label === checkpoint.name ? 'kept as the best' : `${label} names it`,
        })
    if (checkpoint.neededFor !== undefined) add(checkpoint, { code: 'needed', text: checkpoint.neededFor })
    const note = known.pinned?.get(checkpoint.path)
    if (note !== undefined) add(checkpoint, { code: 'pinned', text: note === '' ? 'pinned' : `pinned: ${note}` })
    const pinnedCopy = pinnedCopies.get(checkpoint.name)
    if (pinnedCopy !== undefined) add(checkpoint, { code: 'pinned', text: `pinned as ${pinnedCopy}` })
    const metrics = known.impossible?.get(checkpoint.path) ?? []
    if (metrics.length > 0) add(checkpoint, { code: 'impossible', text: impossibleText(checkpoint, metrics) })
    if (known.changing?.has(checkpoint.path) === true)
      add(checkpoint, { code: 'unfinished', text: 'still being written' })
  }
  return found
}

/** The newest whole one; where none is, the newest of all: something must be left. */
function newestOf(checkpoints: readonly Checkpoint[], isSound: (checkpoint: Checkpoint) => boolean) {
  const sound = checkpoints.find(isSound)
  const checkpoint = sound ?? checkpoints[0]
  if (checkpoint === undefined) return undefined
  if (checkpoints.length === 1) return { checkpoint, reason: { code: 'only', text: 'the only one left' } as const }
  const text =
    sound === undefined ? 'the newest; none is whole' : isWhole(sound) ? 'the newest whole one' : 'the newest'
  return { checkpoint, reason: { code: 'newest', text } as const }
}

/** What the newest bookkeeping of each framework that can be read points to: an older one's word no longer holds. */
function pointersOf(checkpoints: readonly Checkpoint[]): ReadonlyMap<string, readonly Pointer[]> {
  const pointers = new Map<string, Pointer[]>()
  for (const { pointsTo } of newestBookkeeping(checkpoints))
    for (const pointer of pointsTo) addTo(pointers, pointer.name, pointer)
  return pointers
}

function impossibleText(checkpoint: Checkpoint, metrics: readonly string[]): string {
  const values = metrics.map((key) => `${key}: ${toText(checkpoint.meta.get(key))}`)
  return `${values.join(', ')} is not a measurement: an averaged model?`
}

function toText(value: MetaValue | undefined): string {
  return typeof value === 'number' || typeof value === 'bigint' ? value.toString() : typeof value
}
