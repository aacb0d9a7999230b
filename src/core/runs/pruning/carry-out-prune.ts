/** A prune done: exactly the plan's entries, into the trash or for good, and what earlier ones left half done. */
import type { Checkpoint, Run } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import {
  addFinished,
  removeCheckpoints,
  type FinishOptions,
  type Fingerprints,
  type RemovalFailure,
  type RemovalResult,
} from '../../changes/disposal/index.js'
import { readProven, stateFolderOf, writeProven, type Proven, type StateFolder } from '../../changes/state/index.js'
import type { Storage } from '../../storage/storage.js'
import { moveToTrash, openTrash, tidyTrash } from '../../changes/trash/index.js'
import { finishInterrupted } from './finish-interrupted.js'
import { keepBooks, type Pointed } from './update-pointers.js'
import { recordIntent, recordRemovals, recordMissedDemotions, type Removing } from './record-removals.js'
import type { StateLocation } from '../opening/run-with-state.js'

export interface Going {
  readonly checkpoints: readonly Checkpoint[]
  readonly fingerprints: Fingerprints
  /** Newest first, their health as far as it is known: what the framework's pointer files are to name instead. */
  readonly stays: readonly Checkpoint[]
  /** Why each goes, by name: remembered in the trash. */
  readonly reasons: ReadonlyMap<string, string>
  /** To be remembered before anything goes. */
  readonly proof?: Proven | null
  /** These were planned too and stay: they are reported with the rest. */
  readonly refused?: readonly RemovalFailure[]
}

export interface CarryOutOptions extends StateLocation, FinishOptions {
  /** Unix seconds. */
  readonly now: number
  /** For the journal; left out: nothing is written there. */
  readonly by?: Removing
  /** Moves instead of deleting. */
  readonly trash: boolean
  readonly signal?: AbortSignal
}

export interface CarriedOut extends RemovalResult {
  /** Books of the framework that name others now. */
  readonly pointed: readonly Pointed[]
}

/** Under the run's lock. Throws CkptError `refused` when the trash is asked for and cannot be used. */
export async function carryOut(
  storage: Storage,
  run: Run,
  { checkpoints: planned, stays, fingerprints, reasons, proof = null, refused = [] }: Going,
  options: CarryOutOptions,
): Promise<CarriedOut> {
  const { stateDirectory, signal, wait, now } = options
  const shared = { ...(stateDirectory === undefined ? {} : { stateDirectory }), ...(signal ? { signal } : {}) }
  const state = await stateFolderOf(storage, run.path, stateDirectory)
  if (proof !== null) await remember(storage, state, run, proof)
  if (options.trash) await openTrash(storage, run.path, state)
  const pointerFiles = await keepBooks(storage, run, { going: planned, stays }, { stateDirectory, wait })
  const checkpoints = planned.filter(({ name }) => !pointerFiles.failed.has(name))
  const bound = [...pointerFiles.failed].map(([name, error]) => ({ name, error }))
  if (options.by !== undefined) await recordIntent(storage, state, options.by, { checkpoints, reasons, now })
  const how = { planned: fingerprints, wait, now, reasons, namedBy: pointerFiles.namedBy, ...shared }
  const moved = options.trash ? await moveToTrash(storage, run.path, checkpoints, how) : null
  const removal = await removeCheckpoints(storage, run.path, moved === null ? checkpoints : [], {
    planned: fingerprints,
    wait,
    ...shared,
  })
  // After it: what a demotion has left to do would change what was planned to go.
  const finished = await finishInterrupted(storage, run, state, options)
  await tidyTrash(storage, state)
  const { removed } = moved ?? removal
  const what = options.trash ? 'trashed' : 'removed'
  if (options.by !== undefined) {
    const gone = new Set(removed)
    const stayed = checkpoints.filter((one) => !gone.has(one)).map(({ name }) => name)
    await recordRemovals(storage, state, options.by, { what, checkpoints: removed, stayed, reasons, now })
    await recordMissedDemotions(storage, state, options.by, run, now)
  }
  return {
    ...(moved ?? removal),
    failed: [...refused, ...bound, ...(moved ?? removal).failed],
    pointed: pointerFiles.pointed,
    leftovers: [...removal.leftovers, ...finished.leftovers],
    finished: addFinished([removal.finished, finished]),
  }
}

/** What was proven, beside what was of others that are still there. Where it cannot be written, it is read again next time. */
export async function remember(storage: Storage, state: StateFolder, run: Run, proof: Proven): Promise<void> {
  const there = new Set(run.checkpoints.map(({ name }) => name))
  const known = await readProven(storage, state)
  const others = [...known.values()].filter(({ name }) => name !== proof.name && there.has(name))
  try {
    await writeProven(storage, state, [...others, proof])
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
  }
}
