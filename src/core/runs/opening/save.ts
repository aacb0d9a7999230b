/** A save seen from the run that it goes to. */
import { join, sep } from 'node:path'
import { healthFrom, oneMember, type Checkpoint, type ParamFile, type Run } from '../../checkpoint.js'
import { findLayout, loadRun, NoRunError, SeveralRunsError } from '../../checkpoints/layouts/index.js'
import { toMeta } from '../../checkpoints/meta/index.js'
import { fileNameOf, previewSave, type NewCheckpoint } from '../../changes/saving/index.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import { withDemotions, type StateLocation } from './run-with-state.js'

/**
 * The folder itself as a run, with no checkpoints where it has none: what is saved goes to the folder that was
 * named, never to a run below it. The warning tells of such a run, where there is one: it was perhaps meant.
 * Throws CkptError where the folder is a checkpoint, or cannot be read.
 */
export async function openExactly(
  storage: ReadStorage,
  path: string,
  stateLocation: StateLocation = {},
): Promise<{ readonly run: Run; readonly warning: string | null }> {
  const none = { run: { path, checkpoints: [] }, warning: null }
  const meantBelow = (below: string) => `${path} has no checkpoints of its own yet, but ${below} below it has`
  try {
    const run = await withDemotions(storage, await loadRun(storage, path), stateLocation)
    return run.path === path ? { run, warning: null } : { ...none, warning: meantBelow(run.path) }
  } catch (error) {
    if (error instanceof NoRunError) return none
    // Several runs below, of which none is named.
    if (error instanceof SeveralRunsError) return { ...none, warning: meantBelow(join(path, '*')) }
    throw error
  }
}

/** The checkpoint that a save would make. Changes nothing, and throws as the save would. */
export async function previewCheckpoint(storage: Storage, checkpoint: NewCheckpoint): Promise<Checkpoint> {
  const { run } = checkpoint
  const { name, sizes } = await previewSave(storage, checkpoint)
  const meta = toMeta(checkpoint.meta)
  const time = meta.get('unixtime')
  const path = join(run, name)
  return {
    name,
    ...oneMember(path, 'directory'),
    run,
    layout: 'speechbrain',
    meta,
    step: numberIn(meta.get('step')),
    epoch: numberIn(meta.get('epoch')),
    unixtime: numberIn(time),
    modified: null,
    files: [...sizes].map(([key, size]) => fileIn(path, key, size)),
    size: [...sizes.values()].reduce<number>((sum, size) => sum + (size ?? 0), 0),
    health: healthFrom('quick', []),
    pointsTo: [],
  }
}

function fileIn(path: string, key: string, size: number | null): ParamFile {
  const name = fileNameOf(key)
  const role = findLayout('speechbrain')?.roleOf({ name, kind: 'file' }) ?? 'other'
  return { key, path: path + sep + name, size, role }
}

function numberIn(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}
