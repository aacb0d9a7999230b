/** A new checkpoint as SpeechBrain's Checkpointer lays it out (speechbrain/utils/checkpoints.py). */
import { join } from 'node:path'
import type { Wait } from '../../storage/retry.js'
import { CkptError } from '../../errors.js'
import type { PyDict } from '../../formats/pyyaml/index.js'
import { guardRun } from '../disposal/index.js'
import {
  closeStaging,
  makeFolders,
  openStaging,
  refuseTaken,
  removeIfEmpty,
  moveToTarget,
  TakenError,
} from '../publish/index.js'
import type { CopyWatch } from '../../storage/copy-watched.js'
import type { Storage } from '../../storage/storage.js'
import {
  empty,
  inspectFile,
  isSame,
  putFile,
  syncWritten,
  writeBytes,
  type FileToSave,
  type Moved,
  type Placement,
} from './file-to-save.js'
import { asSaveError } from './save-error.js'
import { fileNameOf, metaFile, nameOf } from './checkpoint-names.js'
import { metaText } from './meta-input.js'

/** A checkpoint to be saved in SpeechBrain's layout. */
export interface NewCheckpoint {
  /** Absolute; made when missing. */
  readonly run: string
  /** `CKPT+NAME`; left out, the name is made of the stamp and a number. */
  readonly name?: string | undefined
  /** The local time of the save, as strftime's `%Y-%m-%d+%H-%M-%S`. */
  readonly stamp: string
  /** What `toPyMeta` gives. */
  readonly meta: PyDict
  /** By key. */
  readonly files: ReadonlyMap<string, FileToSave>
  /** The name of an empty file that is written after all others, for those who go by it (`complete:` in ckpt.yaml). */
  readonly marker?: string | null
}

/** How a checkpoint is saved. */
export interface SaveOptions {
  /** How files given by their paths get in; copied when left out. */
  readonly placement?: Placement
  /** Resolves after that many milliseconds. */
  readonly wait: Wait
  /** Stands for `<parent of the run>/.ckpt/<run's name>`. */
  readonly stateDirectory?: string | undefined
  /** Stops between two files; nothing stays. */
  readonly signal?: AbortSignal
  /** Called while files that have a size are copied, and after each; bytes. */
  readonly onProgress?: (done: number, total: number) => void
}

/** The checkpoint that is there now. */
export interface Saved {
  /** Of its folder, `CKPT+…`. */
  readonly name: string
  /** Absolute. */
  readonly path: string
  /** Files that were to be moved and could not lose their old name: they are in the checkpoint all the same. */
  readonly unmoved: readonly CkptError[]
}

/**
 * Makes the checkpoint appear in the run in one step, whole and synced, or not at all: it is built in the state
 * folder, outside of what frameworks scan; each file is synced, then the folder; then it is renamed, and the run's
 * folder synced. A stamp's name that another saver takes meanwhile gets the next number. What a killed save left is
 * cleaned up by a later one.
 *
 * Throws CkptError: `refused` when the name is taken, or a file is empty or changes meanwhile; `usage` for keys,
 * names and files that cannot be saved; `not-found`, `interrupted`, `system`. What a source throws passes through.
 * Then nothing is left of it, and files that were to be moved are where they were.
 */
export async function saveCheckpoint(
  storage: Storage,
  checkpoint: NewCheckpoint,
  options: SaveOptions,
): Promise<Saved> {
  const { run, name, files } = checkpoint
  const names = new Map([...files.keys()].map((key) => [key, fileNameOf(key)]))
  const wanted = nameOf(checkpoint)
  const text = metaText(checkpoint.meta)
  const inspected = await inspectAll(storage, files)
  if (name !== undefined) await refuseTaken(storage, join(run, wanted), takenHint)
  guardRun(storage, run)
  const made = await makeFolders(storage, run).catch((error: unknown) => {
    throw asSaveError(error, { run, stagingFolder: null }, 'the checkpoint')
  })
  try {
    const staging = await openStaging(storage, run, run, options.stateDirectory)
    try {
      await storage.makeDirectory(staging.building)
      await writeBytes(storage, [new TextEncoder().encode(text)], join(staging.building, metaFile))
      await putAll(
        storage,
        { run, files, names, inspected, folder: staging.building, stagingFolder: staging.folder },
        options,
      )
      await putMarker(storage, staging.building, checkpoint.marker ?? null, [metaFile, ...names.values()])
      await storage.syncDirectory(staging.building)
      await storage.syncDirectory(staging.folder)
      const taken = await takeName(storage, staging.building, checkpoint)
      const unmoved = options.placement === 'move' ? await removeMoved(storage, [...inspected.values()]) : []
      return { name: taken, path: join(run, taken), unmoved }
    } catch (error) {
      throw asSaveError(error, { run, stagingFolder: staging.folder }, 'the checkpoint')
    } finally {
      await closeStaging(storage, staging, options.wait)
    }
  } catch (error) {
    for (const folder of made.toReversed()) await removeIfEmpty(storage, folder)
    throw asSaveError(error, { run, stagingFolder: null }, 'the checkpoint')
  }
}

export interface Preview {
  readonly name: string
  /** Bytes by key; null for what is not known before it is read. */
  readonly sizes: ReadonlyMap<string, number | null>
}

/** What a save would make, now. Changes nothing, reads no source, and throws as the save would. */
export async function previewSave(storage: Storage, checkpoint: NewCheckpoint): Promise<Preview> {
  const { run, name, files } = checkpoint
  for (const key of files.keys()) fileNameOf(key)
  metaText(checkpoint.meta)
  const inspected = await inspectAll(storage, files)
  const sizes = new Map([...files.keys()].map((key) => [key, inspected.get(key)?.stat.size ?? null]))
  for (let number = 0; ; number += 1) {
    const wanted = nameOf(checkpoint, number)
    try {
      await refuseTaken(storage, join(run, wanted), takenHint)
      return { name: wanted, sizes }
    } catch (error) {
      if (!(error instanceof TakenError) || name !== undefined || number >= mostNumbers) throw error
    }
  }
}

/** More saves within one second than this would exhaust the names. */
const mostNumbers = 100_000

const takenHint = 'leave the name out, or take another: nothing is overwritten'

async function inspectAll(storage: Storage, files: ReadonlyMap<string, FileToSave>): Promise<Map<string, Moved>> {
  const inspected = new Map<string, Moved>()
  for (const [key, source] of files) {
    if (source.kind === 'path') {
      inspected.set(key, { path: source.path, stat: await inspectFile(storage, source.path) })
    }
  }
  return inspected
}

interface Parts {
  readonly run: string
  readonly files: ReadonlyMap<string, FileToSave>
  readonly names: ReadonlyMap<string, string>
  readonly inspected: ReadonlyMap<string, Moved>
  readonly folder: string
  /** Where what is not to stay can lie meanwhile. */
  readonly stagingFolder: string
}

async function putAll(storage: Storage, parts: Parts, options: SaveOptions): Promise<void> {
  const total = [...parts.inspected.values()].reduce((sum, { stat }) => sum + stat.size, 0)
  let done = 0
  for (const [key, source] of parts.files) {
    if (options.signal?.aborted === true) throw new CkptError('interrupted', 'interrupted; nothing was saved')
    const target = join(parts.folder, parts.names.get(key) ?? '')
    const inspected = parts.inspected.get(key)
    const placing = {
      target,
      inspected,
      placement: options.placement ?? 'copy',
      stagingFolder: parts.stagingFolder,
      signal: options.signal,
      watch: {
        wait: options.wait,
        onBytes: (count: number) => options.onProgress?.(done + count, total),
        signal: options.signal,
      },
    }
    try {
      await putOne(storage, key, source, placing)
    } catch (error) {
      throw asSaveError(error, parts, titleOf(key, inspected))
    }
    done += inspected?.stat.size ?? 0
    if (inspected !== undefined) options.onProgress?.(done, total)
  }
  if (options.signal?.aborted === true) throw new CkptError('interrupted', 'interrupted; nothing was saved')
}

/** A file of the checkpoint itself may be the sign that it is finished. */
async function putMarker(
  storage: Storage,
  folder: string,
  marker: string | null,
  there: readonly string[],
): Promise<void> {
  if (marker !== null && !there.includes(marker)) await writeBytes(storage, [], join(folder, marker))
}

function titleOf(key: string, inspected: Moved | undefined): string {
  const from = inspected === undefined ? '' : ` (${inspected.path}, ${inspected.stat.size} bytes)`
  return `the file of key ${JSON.stringify(key)}${from}`
}

async function putOne(
  storage: Storage,
  key: string,
  source: FileToSave,
  { target, inspected, placement, stagingFolder, signal, watch }: PutOptions,
): Promise<void> {
  const hook = source.kind === 'written' ? undefined : source.through
  const through = hook === undefined ? undefined : (from: string, to: string) => hook(from, to, signal)
  if (inspected !== undefined) return putFile(storage, inspected, target, { placement, through, watch })
  if (source.kind === 'written') {
    await source.write(target)
    await syncWritten(storage, target, key)
  }
  if (source.kind !== 'bytes') return
  const first = through === undefined ? target : join(stagingFolder, 'given')
  if ((await writeBytes(storage, source.bytes, first)) === 0) throw empty(source.title)
  if (through === undefined) return
  await through(first, target)
  await storage.unlink(first)
}

interface PutOptions {
  readonly target: string
  readonly inspected: Moved | undefined
  readonly placement: Placement
  readonly watch: CopyWatch
  readonly stagingFolder: string
  readonly signal: AbortSignal | undefined
}

async function takeName(storage: Storage, building: string, checkpoint: NewCheckpoint): Promise<string> {
  const { run, name } = checkpoint
  for (let number = 0; ; number += 1) {
    const wanted = nameOf(checkpoint, number)
    try {
      await moveToTarget(storage, building, join(run, wanted), takenHint)
      return wanted
    } catch (error) {
      if (!(error instanceof TakenError) || name !== undefined || number >= mostNumbers) throw error
    }
  }
}

/** Takes the old names; a file that is another by now keeps its own. */
async function removeMoved(storage: Storage, moved: readonly Moved[]): Promise<CkptError[]> {
  const failures: CkptError[] = []
  for (const { path, stat } of distinct(moved)) {
    const [now] = await storage.stat([path])
    if (now?.ok !== true || !isSame(stat, now.value)) continue
    try {
      await storage.unlink(path)
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      failures.push(error)
    }
  }
  return failures
}

/** One file may have been saved under two keys. */
function distinct(moved: readonly Moved[]): Iterable<Moved> {
  return new Map(moved.map((one) => [one.path, one])).values()
}
