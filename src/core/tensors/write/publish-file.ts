/** Gives a finished file its name in one step, and never over another file unless that is wanted. */
import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import { CkptError, StorageError } from '../../errors.js'
import type { EntryKind, Storage } from '../../storage/storage.js'
import { quoteWord } from '../../formats/text/shell-words.js'

/** Beside the output, so that one rename is enough; hidden and neutral, so that no framework takes it for a file of its own. */
export function temporaryPath(output: string): string {
  return join(dirname(output), `.ckpt-${randomBytes(8).toString('hex')}`)
}

/** Throws CkptError `refused` when a file cannot go to `output`, `not-found` when its folder is not there. */
export async function ensureCanPublish(storage: Storage, output: string, force: boolean): Promise<void> {
  await ensureFolder(storage, output)
  const [found] = await storage.lstat([output])
  if (found?.ok === true) {
    if (!(await isReplaceable(storage, output, found.value.kind))) {
      throw new CkptError('refused', `${output}: is not a regular file, and is never replaced`, {
        hint: 'name a file that does not exist yet',
      })
    }
    if (!force) throw exists(output)
  } else if (found?.ok === false && found.error.code !== 'not-found') {
    throw found.error
  }
}

async function ensureFolder(storage: Storage, output: string): Promise<void> {
  const folder = dirname(output)
  const [found] = await storage.stat([folder])
  if (found?.ok === true && found.value.kind === 'directory') return
  if (found?.ok === true) throw new CkptError('refused', `${output}: ${folder} is not a folder`)
  throw new CkptError('not-found', `${output}: there is no folder ${folder}`, {
    hint: `make it first: mkdir -p ${quoteWord(folder)}`,
  })
}

/** A file, or a link to one or to nothing. Never a folder, nor a device as /dev/stdout leads to. */
export async function isReplaceable(storage: Storage, output: string, kind: EntryKind): Promise<boolean> {
  if (kind !== 'link') return kind === 'file'
  const [target] = await storage.stat([output])
  return target?.ok === true ? target.value.kind === 'file' : target?.error.errno === 'ENOENT'
}

function exists(output: string, cause?: unknown): CkptError {
  return new CkptError('refused', `${output}: exists already, and was left as it is`, {
    hint: 'to replace it, use --force',
    ...(cause === undefined ? {} : { cause }),
  })
}

/** The system's ways of saying that a file system has no hard links (or that this file, or its owner, can have none there). */
const noHardLinks = new Set(['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

/** Moves `temporary`, synced before, to `output`, and makes the name durable. */
export async function publishFile(storage: Storage, temporary: string, output: string, force: boolean): Promise<void> {
  if (force) await storage.rename(temporary, output)
  else await publishAnew(storage, temporary, output)
  await storage.syncDirectory(dirname(output))
}

/** A rename would replace a file that appeared there meanwhile; a link does not. */
async function publishAnew(storage: Storage, temporary: string, output: string): Promise<void> {
  try {
    await storage.hardLink(temporary, output)
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    if (error.errno === 'EEXIST') throw exists(output, error)
    if (!noHardLinks.has(error.errno)) throw error
    await publishOverOwn(storage, temporary, output)
    return
  }
  await storage.unlink(temporary).catch((error: unknown) => {
    if (!(error instanceof StorageError)) throw error
    throw new StorageError(
      output,
      error.errno,
      `${output}: is written, but its second name ${temporary} may still be there`,
      {
        cause: error,
        hint: `if it is, remove it: rm ${quoteWord(temporary)}`,
      },
    )
  })
}

/** A second name for a file of ours that is synced, or where there are no hard links a second file. */
export async function linkOrCopy(storage: Storage, existing: string, path: string): Promise<void> {
  try {
    await storage.hardLink(existing, path)
  } catch (error) {
    if (!(error instanceof StorageError && noHardLinks.has(error.errno))) throw error
    await storage.copyFile(existing, path)
    await storage.syncFile(path)
  }
}

/** Without hard links: takes the name with an empty file, which fails when there is one, then renames over that. */
async function publishOverOwn(storage: Storage, temporary: string, output: string): Promise<void> {
  const handle = await storage.create(output).catch((error: unknown) => {
    throw error instanceof StorageError && error.errno === 'EEXIST' ? exists(output, error) : error
  })
  try {
    await handle.close()
    await storage.rename(temporary, output)
  } catch (error) {
    await storage.unlink(output).catch(() => undefined)
    throw error
  }
}
