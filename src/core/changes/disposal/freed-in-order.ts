/** What removing one checkpoint after another gives back. */
import { addTo } from '../../grouped.js'
import type { Checkpoint } from '../../checkpoint.js'
import type { ReadStorage, Stat } from '../../storage/storage.js'
import { visitTrees } from '../../storage/entries-below.js'

/** Bytes that removing the checkpoint gives back once the `removed` ones are gone. */
export type FreedBytes = (checkpoint: Checkpoint, removed: { has(other: Checkpoint): boolean }) => number

/** A file with several names. */
interface SharedFile {
  readonly bytes: number
  readonly links: number
  /** Its names in each checkpoint that has some. */
  readonly names: Map<Checkpoint, number>
}

/**
 * Weighs the checkpoints' data: what they hold, without holes, block by block rounding and folders. A file with several
 * names counts when its last one goes; one with a name elsewhere never. What cannot be looked at counts 0.
 */
export async function measureFreed(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<FreedBytes> {
  const own = new Map<Checkpoint, number>()
  const shared = new Map<Checkpoint, SharedFile[]>()
  const files = new Map<string, SharedFile>()
  const members = checkpoints.flatMap((checkpoint) => checkpoint.members.map(({ path }) => ({ path, checkpoint })))
  await visitTrees(storage, members, (tree, { checkpoint }) => {
    if (!tree.ok) return
    let bytes = own.get(checkpoint) ?? 0
    for (const stat of tree.value.stats) {
      if (stat.kind === 'directory') continue
      if (stat.links <= 1) bytes += dataOf(stat)
      else addName(files, shared, checkpoint, stat)
    }
    own.set(checkpoint, bytes)
  })
  return (checkpoint, removed) => {
    let bytes = own.get(checkpoint) ?? 0
    for (const file of shared.get(checkpoint) ?? []) {
      let left = file.links
      for (const [holder, names] of file.names) if (holder === checkpoint || removed.has(holder)) left -= names
      if (left <= 0) bytes += file.bytes
    }
    return bytes
  }
}

function addName(
  files: Map<string, SharedFile>,
  shared: Map<Checkpoint, SharedFile[]>,
  checkpoint: Checkpoint,
  stat: Stat,
): void {
  const id = `${stat.device}:${stat.inode}`
  const file = files.get(id) ?? { bytes: dataOf(stat), links: stat.links, names: new Map<Checkpoint, number>() }
  files.set(id, file)
  const names = file.names.get(checkpoint) ?? 0
  file.names.set(checkpoint, names + 1)
  if (names === 0) addTo(shared, checkpoint, file)
}

/** Some file systems tell no blocks at all. */
function dataOf({ size, allocated }: Stat): number {
  return allocated === 0 ? size : Math.min(size, allocated)
}
