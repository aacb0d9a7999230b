/** Folders that somebody copied by hand: one state under several names, which takes one place among those that stay. */
import { isSound, timeOf, type Checkpoint } from '../../checkpoint.js'
import { StorageError } from '../../errors.js'
import { groupBy } from '../../grouped.js'
import { sourceOf, untilAborted, withFile } from '../../storage/file-source.js'
import { readTree, type TreeEntry } from '../../storage/entries-below.js'
import type { ReadStorage } from '../../storage/storage.js'

/**
 * The same checkpoints, the copies among them with the name of their original. Only what has the same counts, and files of
 * the same names and sizes, is read and compared byte by byte.
 */
export async function withEqualFolders(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
  signal?: AbortSignal,
): Promise<readonly Checkpoint[]> {
  const led = new Set(checkpoints.flatMap(({ sameAs }) => sameAs ?? []))
  const originals = new Map<Checkpoint, string>()
  for (const alike of groupBy(checkpoints.filter(mayBeCopied), countsOf).values()) {
    if (alike.length < 2) continue
    const found: Contents[] = []
    for (const contents of await contentsOf(storage, alike.toSorted(byAge(led)))) {
      const original = await findEqual(storage, contents, found, signal)
      if (original === null || led.has(contents.checkpoint.name)) found.push(contents)
      else originals.set(contents.checkpoint, original.checkpoint.name)
    }
  }
  if (originals.size === 0) return checkpoints
  return checkpoints.map((one) => {
    const sameAs = originals.get(one)
    return sameAs === undefined ? one : { ...one, sameAs }
  })
}

function mayBeCopied(one: Checkpoint): boolean {
  const hasCount = one.step !== null || one.epoch !== null || one.unixtime !== null
  return one.kind === 'directory' && one.sameAs === undefined && hasCount && isSound(one)
}

function countsOf({ run, layout, step, epoch, unixtime }: Checkpoint): string {
  return `${layout} ${step ?? ''} ${epoch ?? ''} ${unixtime ?? ''} ${run}`
}

/** Links lead to an original; else it is the oldest, and of equal times the first by name. */
function byAge(led: ReadonlySet<string>) {
  const ageOf = (one: Checkpoint) => (led.has(one.name) ? -Infinity : (one.modified ?? timeOf(one) ?? 0))
  return (a: Checkpoint, b: Checkpoint) => {
    const [one, another] = [ageOf(a), ageOf(b)]
    return one === another ? (a.name < b.name ? -1 : 1) : one - another
  }
}

interface Contents {
  readonly checkpoint: Checkpoint
  /** All files below, by name. */
  readonly files: readonly TreeEntry[]
}

/** One that cannot be looked at is compared with none. */
async function contentsOf(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<Contents[]> {
  const all: Contents[] = []
  for (const checkpoint of checkpoints) {
    try {
      const files = (await readTree(storage, checkpoint.path)).filter(({ stat }) => stat.kind !== 'directory')
      if (files.length > 0) all.push({ checkpoint, files: files.sort((a, b) => (a.name < b.name ? -1 : 1)) })
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
    }
  }
  return all
}

async function findEqual(
  storage: ReadStorage,
  one: Contents,
  others: readonly Contents[],
  signal: AbortSignal | undefined,
): Promise<Contents | null> {
  for (const other of others) if (await areEqual(storage, one, other, signal)) return other
  return null
}

/** The smallest files first: where there is a difference, it mostly shows in the meta. */
async function areEqual(
  storage: ReadStorage,
  one: Contents,
  another: Contents,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (one.files.length !== another.files.length) return false
  const pairs = one.files.flatMap((file, index): [TreeEntry, TreeEntry][] => {
    const other = another.files[index]
    return other !== undefined && isAlike(file, other) ? [[file, other]] : []
  })
  if (pairs.length < one.files.length) return false
  for (const [file, other] of pairs.sort(([a], [b]) => a.stat.size - b.stat.size)) {
    if (!(await haveSameBytes(storage, file, other, signal))) return false
  }
  return true
}

function isAlike(one: TreeEntry, another: TreeEntry): boolean {
  const isFile = one.stat.kind === 'file' && another.stat.kind === 'file'
  return isFile && one.name === another.name && one.stat.size === another.stat.size
}

/** Bytes compared at a time. */
const chunkLength = 1 << 20

async function haveSameBytes(
  storage: ReadStorage,
  one: TreeEntry,
  another: TreeEntry,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (one.stat.inode === another.stat.inode && one.stat.device === another.stat.device) return true
  try {
    return await withFile(storage, one.path, (left) =>
      withFile(storage, another.path, async (right) => {
        const sources = [left, right].map((handle) => untilAborted(sourceOf(handle), signal))
        for (let offset = 0; offset < one.stat.size; offset += chunkLength) {
          const [a, b] = await Promise.all(sources.map((source) => source.read(offset, chunkLength)))
          if (a === undefined || b === undefined || Buffer.compare(a, b) !== 0) return false
        }
        return true
      }),
    )
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    return false
  }
}
