/** Two processes that took themselves for the first one saved at once: one folder has only a part of the save. */
import { isMeta, type Checkpoint, type Finding, type Meta, type MetaValue } from '../../checkpoint.js'

/** Seconds between two folders of one save. */
const atOnce = 2
/** Folders of one moment that are held against each other: more processes do not take themselves for the first one. */
const mostAtOnce = 64

/**
 * By path, the findings of those that say the same of themselves as a sibling of the same moment and have only some of
 * its files (SpeechBrain with LOCAL_RANK taken for RANK: speechbrain/speechbrain#2506). What a framework lists as
 * a checkpoint of its own cannot be loaded then.
 */
export function findPartSaves(siblings: readonly Checkpoint[]): ReadonlyMap<string, readonly Finding[]> {
  const found = new Map<string, readonly Finding[]>()
  const timed = siblings
    .flatMap((checkpoint) => (checkpoint.unixtime === null ? [] : [{ checkpoint, time: checkpoint.unixtime }]))
    .sort((a, b) => a.time - b.time)
  for (const [index, { checkpoint, time }] of timed.entries()) {
    for (let next = index + 1; next < Math.min(timed.length, index + mostAtOnce); next += 1) {
      const other = timed[next]
      if (other === undefined || other.time - time > atOnce) break
      addPart(checkpoint, other.checkpoint, found)
      addPart(other.checkpoint, checkpoint, found)
    }
  }
  return found
}

function addPart(part: Checkpoint, whole: Checkpoint, found: Map<string, readonly Finding[]>): void {
  if (part.layout !== whole.layout || part.files.length >= whole.files.length || part.demoted !== undefined) return
  const keys = new Set(whole.files.map(({ key }) => key))
  if (part.files.some(({ key }) => !keys.has(key)) || !isSameSave(part.meta, whole.meta)) return
  const own = new Set(part.files.map(({ key }) => key))
  const absent = whole.files.filter(({ key, optional }) => optional !== true && !own.has(key)).map(({ key }) => key)
  if (absent.length === 0) return
  const reason = `the same save as ${whole.name}, by another process, with only a part of it: no ${absent.join(', ')}`
  found.set(part.path, [{ grade: 'partial', reason }])
}

/** Both say the same, and something at all: a meta with no more than its time tells no saves apart. */
function isSameSave(a: Meta, b: Meta): boolean {
  return [...a.keys()].some((key) => !bookkeeping.has(key)) && isSameBut('unixtime', a, b)
}

const bookkeeping: ReadonlySet<string> = new Set(['unixtime', 'end-of-epoch'])

function isSameBut(left: string | null, a: Meta, b: Meta): boolean {
  return a.size === b.size && [...a].every(([key, value]) => key === left || isEqual(value, b.get(key)))
}

function isEqual(a: MetaValue, b: MetaValue | undefined): boolean {
  if (isMeta(a)) return isMeta(b) && isSameBut(null, a, b)
  if (Array.isArray(a)) {
    const [left, right] = [a as readonly MetaValue[], b as readonly MetaValue[]]
    return Array.isArray(b) && left.length === right.length && left.every((one, index) => isEqual(one, right[index]))
  }
  return Object.is(a, b)
}
