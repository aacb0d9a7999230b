/** What the checkpoints of runs take up, by what their files are for. */
import { sep } from 'node:path'
import type { Checkpoint, Role, Run } from '../../checkpoint.js'
import { reasonOf } from '../../errors.js'
import type { ReadStorage, Stat } from '../../storage/storage.js'
import { pathBelow, visitTrees, type Tree } from '../../storage/entries-below.js'

/** `both`: weights and all that resuming needs in one file. */
export type UseKind = 'weights' | 'resume' | 'both' | 'other'

export interface DiskUse {
  /** Bytes by kind. */
  readonly bytes: Readonly<Record<UseKind, number>>
  /** Checkpoints that could not be looked at, and why. */
  readonly unread: readonly { readonly path: string; readonly reason: string }[]
  /** How many checkpoints have vanished since the run was read. */
  readonly gone: number
}

const kindOfRole: Readonly<Record<Role, UseKind>> = {
  weights: 'weights',
  index: 'weights',
  resume: 'resume',
  loop: 'resume',
  all: 'both',
  other: 'other',
}

/**
 * Sums up runs one after the other: a file with several names counts once, for the first that has it. A run may be summed
 * up again.
 */
export class DiskUses {
  /** Files with several names, and the run that each counts for. */
  readonly #holders = new Map<string, string>()

  constructor(private readonly storage: ReadStorage) {}

  /**
   * Bytes of the run's checkpoints as their files say (`du --apparent-size`), links as themselves, folders not. `storage`
   * may remember what was listed of this run.
   */
  async of({ path: run, checkpoints }: Pick<Run, 'path' | 'checkpoints'>, storage = this.storage): Promise<DiskUse> {
    for (const [file, holder] of this.#holders) if (holder === run) this.#holders.delete(file)
    const bytes = { weights: 0, resume: 0, both: 0, other: 0 }
    const unread: { path: string; reason: string }[] = []
    const gone = new Set<Checkpoint>()
    const members = checkpoints.flatMap((checkpoint) => checkpoint.members.map(({ path }) => ({ path, checkpoint })))
    await visitTrees(storage, members, (tree, { path, checkpoint }) => {
      if (tree.ok) this.#add(run, path, tree.value, checkpoint, bytes)
      else if (tree.error.code === 'not-found') gone.add(checkpoint)
      else unread.push({ path: checkpoint.path, reason: reasonOf(tree.error) })
    })
    return { bytes, unread, gone: gone.size }
  }

  #add(run: string, root: string, tree: Tree, { files }: Checkpoint, bytes: Record<UseKind, number>): void {
    const roles = new Map(files.map(({ path, role }) => [path, role]))
    let index = 0
    for (const stat of tree.stats) {
      const name = tree.names[index++] ?? ''
      if (stat.kind === 'directory') continue
      if (stat.links > 1 && !this.#takes(run, stat)) continue
      bytes[kindOfRole[roleAt(pathBelow(root, name), roles)]] += stat.size
    }
  }

  /** False where it counts already. */
  #takes(run: string, { device, inode }: Stat): boolean {
    const file = `${device}:${inode}`
    if (this.#holders.has(file)) return false
    this.#holders.set(file, run)
    return true
  }
}

/** The sum of all kinds. */
export function totalUse({ bytes }: Pick<DiskUse, 'bytes'>): number {
  return Object.values(bytes).reduce((sum, one) => sum + one, 0)
}

/** What checkpoints take up together. */
export async function bytesOf(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<number> {
  return totalUse(await new DiskUses(storage).of({ path: '', checkpoints }))
}

/** A parameter "file" may be a folder: all in it has its role. */
function roleAt(path: string, roles: ReadonlyMap<string, Role>): Role {
  for (let at = path; at.length > 1; at = at.slice(0, at.lastIndexOf(sep))) {
    const role = roles.get(at)
    if (role !== undefined) return role
    if (!at.includes(sep)) break
  }
  return 'other'
}
