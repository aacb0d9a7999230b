/** Asks all layouts which checkpoints a folder holds, and fills in what the first reading left open. */
import { sep } from 'node:path'
import type { Checkpoint } from '../../checkpoint.js'
import { groupBy } from '../../grouped.js'
import type { ReadStorage } from '../../storage/storage.js'
import { fitsNothing } from './engine/fits-nothing.js'
import { holdsByNames, scanSpecs } from './engine/scan-specs.js'
import { prefixOf } from './folders.js'
import { torchPlain } from './frameworks/torch-plain.js'
import type { Folder } from './layout.js'
import { findLayout, knownSpecs, ownMarker } from './registry.js'
import { alikeByFiles } from './alike-files.js'
import { withFewerStates } from './fewer-random-states.js'
import { withResuming } from './missing-for-resume.js'
import { withoutOwnRestarts } from './own-restarts.js'
import { ScanTree } from './scan-tree.js'

/** The folder's own checkpoints, of every layout. A tree that has found them answers from memory. */
export async function scanFolder(storage: ReadStorage, folder: Folder): Promise<Checkpoint[]> {
  const tree = ScanTree.over(storage)
  const [specs, marker] = [knownSpecs(), ownMarker()]
  const found = await tree.scannedOnce(folder, [specs, marker], () => scanSpecs(tree, folder, specs, marker))
  const own = withoutOwnRestarts(found)
  const kinds = alikeByFiles(own)
  return withoutProducts(withFewerStates(withResuming(own, kinds), kinds))
}

/** True where the names in the folder tell that there are none, which costs least. */
export function holdsNone(folder: Folder): boolean {
  return fitsNothing(folder, knownSpecs())
}

/** Whether there are any. */
export async function holdsCheckpoint(storage: ReadStorage, folder: Folder): Promise<boolean> {
  const tree = ScanTree.over(storage)
  return (await namesTellOfCheckpoint(tree, folder)) ?? (await scanFolder(tree, folder)).length > 0
}

/** The same by names alone; null where these do not tell. */
export function namesTellOfCheckpoint(storage: ReadStorage, folder: Folder): Promise<boolean | null> {
  return holdsByNames(storage, folder, knownSpecs())
}

/** False where names alone tell that no checkpoint of the folder lies at `path`, in it or above it. */
export async function mayHoldAt(storage: ReadStorage, folder: Folder, path: string): Promise<boolean> {
  const [start, below] = [prefixOf(folder.path), path + sep]
  const leadsThere = (name: string): boolean =>
    `${start}${name}${sep}`.startsWith(below) || below.startsWith(`${start}${name}${sep}`)
  return (await holdsByNames(storage, folder, knownSpecs(), leadsThere)) !== false
}

/**
 * Weights that a script saved itself, without a step or an epoch, beside checkpoints of a framework (`final.pt`): what
 * came of the training. The framework neither lists them nor resumes from them.
 */
function withoutProducts(found: readonly Checkpoint[]): Checkpoint[] {
  const plain = found.filter(({ layout }) => layout === torchPlain.id)
  if (plain.length === 0 || plain.length === found.length) return [...found]
  return found.filter(
    ({ layout, resumable, unixtime, step, epoch }) =>
      layout !== torchPlain.id || resumable !== false || (unixtime ?? step ?? epoch) !== null,
  )
}

/** Fills step and epoch where the meta had none and a small side file has. The order stays. */
export async function complete(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<Checkpoint[]> {
  const completed = new Map<string, Checkpoint>()
  for (const [id, group] of groupBy(checkpoints, ({ layout }) => layout)) {
    const filled = await findLayout(id)?.complete?.(storage, group)
    filled?.forEach((checkpoint) => completed.set(checkpoint.path, checkpoint))
  }
  return checkpoints.map((checkpoint) => completed.get(checkpoint.path) ?? checkpoint)
}
