/** Moves checkpoints into the trash and back, each by one rename. */
import { basename, dirname, relative } from 'node:path'
import type { Checkpoint } from '../../checkpoint.js'
import {
  bytesFreedBy,
  guardRun,
  isGroup,
  makeDurable,
  Mover,
  pathsOf,
  putBackGroups,
  takeAway,
  type Fingerprints,
  type RemovalResult,
  type Wait,
} from '../disposal/index.js'
import { CkptError } from '../../errors.js'
import {
  makeInside,
  quietly,
  refuseWithout,
  stateFolderOf,
  trash,
  trashRecordPath,
  unlinkIfThere,
  writeTrashRecord,
  type StateFolder,
} from '../state/index.js'
import type { Storage } from '../../storage/storage.js'

export interface TrashOptions {
  readonly planned: Fingerprints
  readonly wait: Wait
  /** Unix seconds. */
  readonly now: number
  /** Why it goes, by the checkpoint's name. */
  readonly reasons: ReadonlyMap<string, string>
  /** Likewise, the framework's pointer files that named it until now. */
  readonly namedBy?: ReadonlyMap<string, readonly string[]>
  readonly stateDirectory?: string | undefined
  /** Stops before the next checkpoint. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Moves exactly these checkpoints of the run to its trash, each looked at again just before; nothing is freed. The
 * record with the name comes first, so what lies in the trash can always go back. Throws CkptError `refused` when the
 * trash cannot be used: then nothing was moved.
 */
export async function moveToTrash(
  storage: Storage,
  run: string,
  checkpoints: readonly Checkpoint[],
  options: TrashOptions,
): Promise<RemovalResult> {
  const state = await stateFolderOf(storage, run, options.stateDirectory)
  guardRun(storage, run)
  await openTrash(storage, run, state)
  await putBackGroups(storage, run, state)
  const sizes = new Map<string, number>()
  for (const checkpoint of checkpoints) sizes.set(checkpoint.name, await bytesFreedBy(storage, pathsOf([checkpoint])))
  const announce = (checkpoint: Checkpoint, at: string) =>
    writeTrashRecord(storage, at, {
      name: checkpoint.name,
      time: options.now,
      reason: options.reasons.get(checkpoint.name) ?? '',
      layout: checkpoint.layout,
      kind: isGroup(checkpoint) ? 'group' : checkpoint.kind === 'file' ? 'file' : 'directory',
      members: isGroup(checkpoint) ? checkpoint.members.map(({ path }) => relative(run, path)) : [],
      size: sizes.get(checkpoint.name) ?? 0,
      namedBy: options.namedBy?.get(checkpoint.name) ?? [],
    })
  const retract = (at: string) => quietly(() => unlinkIfThere(storage, trashRecordPath(at)))
  const destination = { state, name: trash, orBeside: false, isPrivate: false, announce, retract }
  const mover = new Mover(storage, run, destination, options.planned, options.wait)
  const { moved, failed, gone, remaining } = await takeAway(mover, checkpoints, options.signal)
  const undurable = await makeDurable(storage, moved)
  if (undurable === null) {
    const removed = [...moved.map(({ checkpoint }) => checkpoint), ...gone]
    return { removed, failed, remaining, freedBytes: 0, leftovers: [], finished: { count: 0, freedBytes: 0 } }
  }
  for (const { at, checkpoint } of moved) {
    await mover.giveBack({ checkpoint, at })
    await retract(at)
  }
  const back = moved.map(({ checkpoint }) => ({ name: checkpoint.name, error: undurable }))
  return {
    removed: gone,
    failed: [...failed, ...back],
    remaining,
    freedBytes: 0,
    leftovers: [],
    finished: { count: 0, freedBytes: 0 },
  }
}

/** Makes the trash. Throws CkptError `refused` when it cannot be used. */
export async function openTrash(storage: Storage, run: string, state: StateFolder): Promise<void> {
  const folder = await makeInside(storage, state, trash).catch((error: unknown) => {
    if (error instanceof CkptError) throw refuseWithout(state, 'move anything to the trash', error)
    throw error
  })
  const [there, here] = await storage.stat([folder, run])
  if (there?.ok !== true || here?.ok !== true || there.value.device === here.value.device) return
  throw new CkptError(
    'refused',
    `${basename(run)} and its trash ${dirname(folder)} lie on different file systems, and nothing moves between two in one step`,
    { hint: `name a folder on the file system of ${run}: --state DIR` },
  )
}
