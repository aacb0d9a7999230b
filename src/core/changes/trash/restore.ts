/** Restores from the trash: only the name changed, so a restored checkpoint is exactly as it was, including its times. */
import { dirname, join, relative } from 'node:path'
import { foldersOf, guardRun, returnGroup } from '../disposal/index.js'
import { CkptError, StorageError } from '../../errors.js'
import { refuseTaken, moveToTarget, TakenError } from '../publish/index.js'
import { quietly, trashRecordPath, unlinkIfThere, type StateFolder, type TrashEntry } from '../state/index.js'
import type { Storage } from '../../storage/storage.js'

/**
 * Gives an entry of the run's trash its name back; gives the checkpoint's path. Under the run's lock only. Throws
 * CkptError: `refused` when the name is in use (nothing is overwritten) or its folder is reached through a link,
 * `not-found` when the run or the entry is gone; StorageError. Then it lies in the trash as before.
 */
export async function restore(storage: Storage, run: string, state: StateFolder, entry: TrashEntry): Promise<string> {
  const target = join(run, entry.name)
  guardRun(storage, run)
  const folders =
    entry.kind === 'group' ? foldersOf(entry.members.map((name) => ({ path: join(run, name) }))) : [dirname(target)]
  for (const folder of folders) await openFolder(storage, run, folder)
  const hint = 'move that away first; the one in the trash stays there until then'
  if (entry.kind === 'group') return restoreGroup(storage, run, state, entry, hint)
  try {
    await moveToTarget(storage, entry.path, target, hint)
  } catch (error) {
    if (!(error instanceof TakenError) || !(await isSameFile(storage, entry.path, target))) throw error
    // A restore was killed between the file's new name and the end of its old one.
    await storage.unlink(entry.path)
  }
  const [now] = await storage.lstat([target])
  if (now?.ok !== true || now.value.device !== entry.identity.device || now.value.inode !== entry.identity.inode) {
    throw new CkptError('refused', `${target}: not what lay in the trash: it was replaced meanwhile`, {
      hint: `see what it is, and what is left in ${dirname(entry.path)}`,
    })
  }
  await quietly(async () => {
    await storage.syncDirectory(dirname(entry.path))
    await unlinkIfThere(storage, trashRecordPath(entry.path))
  })
  return target
}

/** All its files get their names back, or none: where one of the names is in use, nothing is moved. */
async function restoreGroup(
  storage: Storage,
  run: string,
  state: StateFolder,
  { name, members, path }: TrashEntry,
  hint: string,
): Promise<string> {
  const targets = members.map((member) => ({ path: join(run, member), kind: 'file' as const }))
  for (const target of targets) await refuseTaken(storage, target.path, hint)
  await returnGroup(storage, { run, state, at: path }, { name, members: targets })
  await quietly(() => unlinkIfThere(storage, trashRecordPath(path)))
  return join(run, name)
}

/** The folders of a name such as `val/acc=0.9.ckpt`, which may have been removed since. */
async function openFolder(storage: Storage, run: string, folder: string): Promise<void> {
  const [real] = await storage.resolve([run])
  if (real?.ok !== true) {
    throw new CkptError('not-found', `${run}: the run no longer exists`, {
      hint: 'make the folder again, then restore',
    })
  }
  const parts = relative(run, folder)
    .split('/')
    .filter((part) => part !== '')
  let path = run
  for (const part of parts) {
    path = join(path, part)
    try {
      await storage.makeDirectory(path)
    } catch (error) {
      if (!(error instanceof StorageError) || error.errno !== 'EEXIST') throw error
    }
  }
  const [resolved] = await storage.resolve([folder])
  if (resolved?.ok === true && resolved.value === join(real.value, ...parts)) return
  throw new CkptError('refused', `${folder}: no folder of the run ${run}, or reached through a link`)
}

async function isSameFile(storage: Storage, one: string, other: string): Promise<boolean> {
  const [a, b] = await storage.lstat([one, other])
  if (a?.ok !== true || b?.ok !== true || a.value.kind !== 'file') return false
  return a.value.device === b.value.device && a.value.inode === b.value.inode
}
