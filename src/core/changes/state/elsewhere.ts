/**
 * Where `--state DIR` led is named beside the run, so that a ckpt which is started without that flag knows what lies
 * there; where nothing can be written beside the run, in the user's own folder. One small file for each folder: none is
 * ever changed, so no lock is needed. What they name is only read (pointedStateFolderOf).
 */
import { basename, dirname, isAbsolute, join } from 'node:path'
import { CkptError, StorageError } from '../../errors.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import { recordPath } from './record-folder.js'
import { badRecord, quietly, readRecord, unlinkIfThere, writeRecord } from './record.js'
import { isText } from './schema.js'
import { makeDirectories, removeEmptyDirectories } from './state-directories.js'
import { otherStatesOf, foldersForNames, pointedStateFolderOf, type StateFolder } from './state-folder.js'

/**
 * The folder of such names in a state folder: `elsewhere` of what protects (pins and demotions; while that cannot be
 * read nothing is removed), `also` of whatever else is remembered there.
 */
type NamesFolder = 'elsewhere' | 'also'

/** Folders that one state folder may name. */
const mostNamed = 64

/** A folder that `--state` named, absolute, and the file that says so. */
export interface NamedFolder {
  readonly folder: string
  readonly namedBy: string
}

/**
 * The folders that hold pins or demotions of the run. Throws CkptError `damaged` where a record of one cannot
 * be read, StorageError.
 */
export async function readElsewhere(storage: ReadStorage, state: StateFolder): Promise<NamedFolder[]> {
  return readNames(storage, state, 'elsewhere')
}

async function readNames(storage: ReadStorage, state: StateFolder, names: NamesFolder): Promise<NamedFolder[]> {
  const folder = join(state.path, names)
  const [listing] = await storage.list([folder])
  if (listing?.ok !== true) {
    if (listing !== undefined && listing.error.code !== 'not-found') throw listing.error
    return []
  }
  const files = listing.value.filter(({ name }) => name.endsWith('.json'))
  if (files.length > mostNamed) throw badRecord(folder, `${files.length} folders are named there`)
  const found: NamedFolder[] = []
  for (const { name } of files) {
    const path = join(folder, name)
    const named = (await readRecord(storage, path))?.get('folder')
    if (!isText(named) || !isAbsolute(named) || named.includes('\0')) throw badRecord(path, 'it names no folder')
    found.push({ folder: named, namedBy: path })
  }
  return found
}

/**
 * Names the folder that `--state` named, if `state` lies in one. Of what protects it throws CkptError `refused` where
 * it can be named nowhere, and reports where only the user's own ckpt can know of it; the rest never fails.
 */
export async function nameElsewhere(storage: Storage, state: StateFolder, names: NamesFolder): Promise<void> {
  const { moved, run } = state
  if (moved === undefined || run === undefined) return
  const folder = await realPathOf(storage, moved)
  const failures: StorageError[] = []
  for (const holder of await foldersForNames(storage, run)) {
    try {
      await nameIn(storage, holder, folder, names)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      failures.push(error)
      continue
    }
    const [failure] = failures
    if (failure !== undefined && names === 'elsewhere') {
      storage.custody.warn(`${failure.message}: only a ckpt of yours knows of what lies in ${folder}`)
    }
    return
  }
  if (names === 'also') return
  throw new CkptError(
    'refused',
    `a ckpt without --state ${folder} would not know of what is recorded there, for nothing can be written beside the run: ` +
      (failures[0]?.message ?? 'what lies there is not trusted'),
    {
      hint: 'make the folder above the run one that can be written, or a state folder of your own (XDG_STATE_HOME)',
      cause: failures[0],
    },
  )
}

/** Also of a folder that is not there, or no more. */
async function realPathOf(storage: ReadStorage, folder: string): Promise<string> {
  const [itself, above] = await storage.resolve([folder, dirname(folder)])
  if (itself?.ok === true) return itself.value
  return above?.ok === true ? join(above.value, basename(folder)) : folder
}

async function nameIn(storage: Storage, holder: StateFolder, folder: string, names: NamesFolder): Promise<void> {
  const path = recordPath(join(holder.path, names), folder)
  const [there] = await storage.lstat([path])
  if (there?.ok === true) return
  await makeDirectories(storage, holder, join(holder.path, names))
  await writeRecord(storage, path, { version: 1, folder })
}

/** Nothing of a state folder that is gone is remembered. Never fails. */
export async function forgetWhatIsGone(storage: Storage, state: StateFolder): Promise<void> {
  if (state.moved === undefined || state.run === undefined) return
  if (await isGone(storage, state.path)) await forget(storage, state, 'also')
}

/** Nor what protects, once nothing there does. Under the run's lock only. Never fails. */
export async function forgetUnlessProtecting(storage: Storage, state: StateFolder): Promise<void> {
  if (state.moved === undefined || state.run === undefined) return
  const protecting = ['pins.json', 'demoted'].map((name) => join(state.path, name))
  if (await isGone(storage, ...protecting)) await forget(storage, state, 'elsewhere')
}

async function isGone(storage: ReadStorage, ...paths: readonly string[]): Promise<boolean> {
  const stats = await storage.lstat(paths)
  return stats.every((stat) => !stat.ok && stat.error.code === 'not-found')
}

async function forget(storage: Storage, { moved = '', run = '' }: StateFolder, names: NamesFolder): Promise<void> {
  const folder = await realPathOf(storage, moved)
  for (const holder of await foldersForNames(storage, run)) {
    await quietly(() => unlinkIfThere(storage, recordPath(join(holder.path, names), folder)))
    await removeEmptyDirectories(storage, [join(holder.path, names), ...holder.own.toReversed()])
  }
}

/**
 * The run's other state folders: beside it, the user's own, and those that are named there, only to be read. One that
 * is not there is left out, and so is what cannot be read, which is reported: who removes asks for the pins, and is refused.
 */
async function knownElsewhere(storage: ReadStorage, state: StateFolder): Promise<StateFolder[]> {
  const { run, moved } = state
  if (run === undefined) return []
  const { trusted } = await otherStatesOf(storage, run, state)
  const folders = new Set<string>()
  for (const holder of [state, ...trusted]) {
    for (const names of ['elsewhere', 'also'] as const) {
      const named = await orWarn(storage, () => readNames(storage, holder, names), notKnown)
      for (const { folder } of named ?? []) folders.add(folder)
    }
  }
  const found: StateFolder[] = [...trusted]
  for (const folder of folders) {
    if (folder === moved) continue
    const pointed = await pointedStateFolderOf(storage, run, folder)
    const [listing] = await storage.list([pointed.path])
    if (listing?.ok === true) found.push(pointed)
    else if (listing !== undefined && listing.error.code !== 'not-found')
      storage.custody.warn(`${listing.error.message}; ${notKnown}`)
  }
  return found
}

/** What `read` gives of each of the run's other state folders, and of which; what cannot be read is reported. */
export async function readKnownElsewhere<T>(
  storage: ReadStorage,
  state: StateFolder,
  read: (other: StateFolder) => Promise<T>,
): Promise<{ readonly other: StateFolder; readonly value: T }[]> {
  const found: { other: StateFolder; value: T }[] = []
  for (const other of await knownElsewhere(storage, state)) {
    const value = await orWarn(storage, () => read(other), notKnown)
    if (value !== null) found.push({ other, value })
  }
  return found
}

/** Null where it cannot be read, with a warning that ends in `consequence`. */
export async function orWarn<T>(
  { custody }: ReadStorage,
  read: () => Promise<T>,
  consequence: string,
): Promise<T | null> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
    custody.warn(`${error.message}; ${consequence}`)
    return null
  }
}

const notKnown = 'what ckpt remembers there of this run is not known'
