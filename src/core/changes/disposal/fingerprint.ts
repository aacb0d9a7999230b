/** What a checkpoint looked like when a plan was made, so that only exactly that is removed. */
import type { Checkpoint, Member } from '../../checkpoint.js'
import type { EntryKind, ReadStorage, Result } from '../../storage/storage.js'
import { placed } from './members.js'
import { visitTrees, type Tree } from '../../storage/entries-below.js'

export interface Mark {
  readonly kind: EntryKind
  /** Bytes. */
  readonly size: number
  /** Unix seconds. */
  readonly modified: number
  /** Null in a plan that was read from a file. */
  readonly device: bigint | null
  readonly inode: bigint
  /** Names of the file, and its bytes on the medium; left out in a plan that was read from a file. */
  readonly links?: number
  readonly allocated?: number
}

/**
 * One mark for everything in a checkpoint, by path relative to it; the empty path is the checkpoint itself. Of several
 * members by path relative to the folder that all of them lie in.
 */
export interface Fingerprint extends Iterable<readonly [string, Mark]> {
  readonly size: number
  get(name: string): Mark | undefined
  has(name: string): boolean
  keys(): Iterable<string>
}

/** Names that are found faster by going through them than by an index. */
const fewNames = 32

/** Of one tree, as it was looked at: nothing is made for each of its names where they are few. */
class PrintOfTree implements Fingerprint {
  private index: ReadonlyMap<string, number> | null = null

  constructor(private readonly tree: Tree) {}

  get size(): number {
    return this.tree.names.length
  }

  get(name: string): Mark | undefined {
    // The root comes first, and is asked for most.
    const at = name === '' ? 0 : this.positionOf(name)
    return at === -1 ? undefined : this.tree.stats.at(at)
  }

  has(name: string): boolean {
    return this.positionOf(name) !== -1
  }

  /** A checkpoint can hold a hundred thousand files, each of which is asked for. */
  private positionOf(name: string): number {
    const { names } = this.tree
    if (names.length <= fewNames) return names.indexOf(name)
    this.index ??= new Map(names.map((one, at) => [one, at]))
    return this.index.get(name) ?? -1
  }

  keys(): Iterable<string> {
    return this.tree.names
  }

  *[Symbol.iterator](): Iterator<readonly [string, Mark]> {
    let index = 0
    for (const stat of this.tree.stats) yield [this.tree.names[index++] ?? '', stat]
  }

  /** Whether nothing tells it from another look at the same names. */
  equals({ tree: { names, stats } }: PrintOfTree): boolean {
    const { tree } = this
    if (stats.length !== tree.stats.length) return false
    for (let index = 0; index < stats.length; index += 1) {
      if (tree.names[index] !== names[index] || changeOf(tree.stats.at(index), stats.at(index)) !== null) return false
    }
    return true
  }
}

/** By the checkpoint's name. One that could not be looked at has the error instead, and is then not removed. */
export type Fingerprints = ReadonlyMap<string, Result<Fingerprint>>

/** To be taken when the plan is made, before it is shown. Reads names and times only, no file's bytes. */
export async function fingerprint(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<Fingerprints> {
  const prints = new Map<string, Result<Fingerprint>>()
  const roots = checkpoints.flatMap((checkpoint) =>
    rootsOf(checkpoint).map((root) => ({ ...root, of: checkpoint.name })),
  )
  await visitTrees(storage, roots, (tree, { of, prefix }) => prints.set(of, withTree(prints.get(of), prefix, tree)))
  return prints
}

/** The paths of all that a checkpoint consists of. */
export function pathsOf(checkpoints: readonly Pick<Checkpoint, 'members'>[]): Member[] {
  return checkpoints.flatMap(({ members }) => members)
}

export async function fingerprintOfMembers(
  storage: ReadStorage,
  checkpoint: Pick<Checkpoint, 'path' | 'members'>,
): Promise<Result<Fingerprint>> {
  let print: Result<Fingerprint> | undefined
  await visitTrees(storage, rootsOf(checkpoint), (tree, { prefix }) => (print = withTree(print, prefix, tree)))
  return print ?? { ok: true, value: new Map() }
}

/** Where what a checkpoint consists of lies, and what stands before the names there. */
function rootsOf({ path, members }: Pick<Checkpoint, 'path' | 'members'>): readonly { path: string; prefix: string }[] {
  if (members.length < 2) return [{ path, prefix: '' }]
  return placed(members).map((member) => ({ path: member.path, prefix: member.place }))
}

/** The print of what was looked at before, if anything, and this tree. */
function withTree(before: Result<Fingerprint> | undefined, prefix: string, tree: Result<Tree>): Result<Fingerprint> {
  if (before?.ok === false) return before
  if (!tree.ok) return tree
  const print = new PrintOfTree(tree.value)
  if (before === undefined && prefix === '') return { ok: true, value: print }
  const marks = new Map<string, Mark>(before?.value)
  for (const [name, mark] of print) marks.set(prefix === '' || name === '' ? prefix + name : `${prefix}/${name}`, mark)
  return { ok: true, value: marks }
}

export async function fingerprintOf(storage: ReadStorage, path: string): Promise<Result<Fingerprint>> {
  return fingerprintOfMembers(storage, { path, members: [] })
}

/** What happened to the checkpoint between two looks, in words; null when it is the same. */
export function changeBetween(then: Fingerprint, now: Fingerprint): string | null {
  if (then instanceof PrintOfTree && now instanceof PrintOfTree && then.equals(now)) return null
  const names = [...new Set([...then.keys(), ...now.keys()])]
  const changes = names.flatMap((name) => {
    const change = changeOf(then.get(name), now.get(name))
    return change === null ? [] : [{ name, change, folder: now.get(name)?.kind === 'directory' }]
  })
  // A folder changes because of something in it, which says more.
  const first = changes.find((change) => !change.folder) ?? changes[0]
  return first === undefined ? null : `${first.name === '' ? 'it' : first.name} ${first.change}`
}

/**
 * Whether two looks between which nothing has changed tell the same of everything that a mark has, as of how many names a
 * file has.
 */
export function isSameInAll(then: Fingerprint, now: Fingerprint): boolean {
  if (then.size !== now.size) return false
  for (const [name, mark] of now) {
    const before = then.get(name)
    if (before === undefined || before.links !== mark.links || before.allocated !== mark.allocated) return false
    if (before.device !== mark.device) return false
  }
  return true
}

function changeOf(then: Mark | undefined, now: Mark | undefined): string | null {
  if (then === undefined) return 'is new'
  if (now === undefined) return 'is gone'
  if (then.kind !== now.kind) return `was a ${then.kind} and is a ${now.kind}`
  if (then.inode !== now.inode || (then.device !== null && then.device !== now.device)) return 'was replaced'
  if (then.size !== now.size && then.kind === 'file') return `had ${then.size} bytes and has ${now.size}`
  return then.modified === now.modified && then.size === now.size ? null : 'was written to'
}
