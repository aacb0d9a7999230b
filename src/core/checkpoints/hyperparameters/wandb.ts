/** Runs of W&B: in a folder `wandb` beside the checkpoints, or around them where the script saves into `run.dir`. */
import { readWandbLog, type WandbRun } from '../../formats/protobuf/wandb-log.js'
import { sourceOf, withFile } from '../../storage/file-source.js'
import type { ReadStorage } from '../../storage/storage.js'
import { prefixOf } from '../layouts/index.js'
import { isFileOf, newestWandbRun } from './find-files.js'

/** Bytes: name and settings are among the first records, and what was logged comes behind. */
const beginning = 4 << 20

/** Absolute path of the folder of the run that this folder is, or the newest of those in its `wandb`; null for neither. */
export async function wandbRunAt(storage: ReadStorage, folder: string): Promise<string | null> {
  if (/(?:^|\/)(?:offline-)?run-\d{8}_\d{6}-[^/]+$/.test(folder)) return folder
  const runs = `${prefixOf(folder)}wandb`
  const [listing] = await storage.list([runs])
  if (listing?.ok !== true) return null
  const newest = newestWandbRun(listing.value.filter(({ kind }) => kind === 'directory'))
  return newest === undefined ? null : `${runs}/${newest}`
}

/** What the run's own log tells, and where it lies; null where there is none. Throws FormatError and StorageError. */
export async function wandbLogIn(
  storage: ReadStorage,
  run: string,
): Promise<(WandbRun & { readonly path: string }) | null> {
  const [listing] = await storage.list([run])
  const log = listing?.ok === true ? listing.value.find(isFileOf(/^run-.+\.wandb$/)) : undefined
  if (log === undefined) return null
  const path = `${run}/${log.name}`
  return withFile(storage, path, async (handle) => {
    const bytes = await sourceOf(handle).read(0, Math.min(handle.size, beginning))
    return { ...readWandbLog(bytes), path }
  })
}
