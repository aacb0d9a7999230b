/** What a checkpoint looked like when a plan was made, so that only exactly that is removed. */
import { basename } from 'node:path'
import { StorageError } from '../../errors.js'
import type { Checkpoint } from '../../checkpoint.js'
import type { EntryKind, ReadStorage, Result } from '../../storage/storage.js'
import { readTree } from '../../storage/entries-below.js'

export interface Mark {
  readonly kind: EntryKind
  /** Bytes. */
  readonly size: number
  /** Unix seconds. */
  readonly modified: number
  /** Null in a plan that was read from a file. */
  readonly device: bigint | null
  readonly inode: bigint
}

/**
 * One mark for everything in a checkpoint, by path relative to it; the empty path is the checkpoint itself. Of several
 * members by path relative to the folder that they lie in.
 */
export type Fingerprint = ReadonlyMap<string, Mark>

/** By the checkpoint's name. One that could not be looked at has the error instead, and is then not removed. */
export type Fingerprints = ReadonlyMap<string, Result<Fingerprint>>

/** To be taken when the plan is made, before it is shown. Reads names and times only, no file's bytes. */
export async function fingerprint(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<Fingerprints> {
  const prints = new Map<string, Result<Fingerprint>>()
  for (const checkpoint of checkpoints) prints.set(checkpoint.name, await fingerprintOfMembers(storage, checkpoint))
  return prints
}

/** The paths of all that a checkpoint consists of. */
export function pathsOf(checkpoints: readonly Pick<Checkpoint, 'members'>[]): { readonly path: string }[] {
  return checkpoints.flatMap(({ members }) => members)
}

export async function fingerprintOfMembers(
  storage: ReadStorage,
  { path, members }: Pick<Checkpoint, 'path' | 'members'>,
): Promise<Result<Fingerprint>> {
  if (members.length < 2) return fingerprintOf(storage, path)
  const all = new Map<string, Mark>()
  for (const member of members) {
    const print = await fingerprintOf(storage, member.path)
    if (!print.ok) return print
    const own = basename(member.path)
    for (const [name, mark] of print.value) all.set(name === '' ? own : `${own}/${name}`, mark)
  }
  return { ok: true, value: all }
}

export async function fingerprintOf(storage: ReadStorage, path: string): Promise<Result<Fingerprint>> {
  try {
    const tree = await readTree(storage, path)
    return { ok: true, value: new Map(tree.map(({ name, stat }) => [name, markOf(stat)])) }
  } catch (error) {
    if (error instanceof StorageError) return { ok: false, error }
    throw error
  }
}

/** What happened to the checkpoint between two looks, in words; null when it is the same. */
export function changeBetween(then: Fingerprint, now: Fingerprint): string | null {
  const names = [...new Set([...then.keys(), ...now.keys()])]
  const changes = names.flatMap((name) => {
    const change = changeOf(then.get(name), now.get(name))
    return change === null ? [] : [{ name, change, folder: now.get(name)?.kind === 'directory' }]
  })
  // A folder changes because of something in it, which says more.
  const first = changes.find((change) => !change.folder) ?? changes[0]
  return first === undefined ? null : `${first.name === '' ? 'it' : first.name} ${first.change}`
}

function changeOf(then: Mark | undefined, now: Mark | undefined): string | null {
  if (then === undefined) return 'is new'
  if (now === undefined) return 'is gone'
  if (then.kind !== now.kind) return `was a ${then.kind} and is a ${now.kind}`
  if (then.inode !== now.inode || (then.device !== null && then.device !== now.device)) return 'was replaced'
  if (then.size !== now.size && then.kind === 'file') return `had ${then.size} bytes and has ${now.size}`
  return then.modified === now.modified && then.size === now.size ? null : 'was written to'
}

export function markOf({ kind, size, modified, device, inode }: Mark): Mark {
  return { kind, size, modified, device, inode }
}
