/** Who may be writing to a run, as far as this machine and the run's own records can tell. */
import { basename, dirname, join } from 'node:path'
import type { Writers } from '../core/runs/index.js'
import { holderOf, jobLock, stateFolderOf, type LockOptions } from '../core/changes/state/index.js'
import type { Storage } from '../core/storage/storage.js'
import { heldForWriting } from '../machine/open-files.js'

/** Folders above a run whose job may be this run's too: `ckpt run exp` beside `exp/lightning_logs/version_0/checkpoints`. */
const levelsAbove = 3

export async function writersOf(
  storage: Storage,
  run: string,
  stateDirectory: string | undefined,
  lock: LockOptions,
): Promise<Writers> {
  const holder = async (path: string): Promise<string | null> =>
    holderOf(storage, await stateFolderOf(storage, path, stateDirectory), { ...lock, name: jobLock })
  let job = await holder(run)
  for (const folder of job === null ? await foldersWithJob(storage, run) : []) job ??= await holder(folder)
  return { holding: heldForWriting, job }
}

/** Those above the run beside which a job's lock lies. */
async function foldersWithJob(storage: Storage, run: string): Promise<string[]> {
  const [real] = await storage.resolve([run])
  const above: string[] = []
  for (let path = dirname(real?.ok === true ? real.value : run); above.length < levelsAbove; path = dirname(path))
    above.push(path)
  const locks = await storage.lstat(above.map((path) => join(dirname(path), '.ckpt', basename(path), jobLock)))
  return above.filter((_, index) => locks[index]?.ok === true)
}
