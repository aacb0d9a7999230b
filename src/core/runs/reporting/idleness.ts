/** What speaks for a run being done with: nobody has touched it for long. */
import { attemptsOf, readJournal } from '../../changes/journal/index.js'
import { stateFolderOf } from '../../changes/state/index.js'
import { listFiles, prefixOf } from '../../checkpoints/layouts/index.js'
import { timeOf, type Finding, type Run } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import type { ReadStorage } from '../../storage/storage.js'
import type { StateLocation } from '../opening/run-with-state.js'

/** The last job that ckpt knows of. */
export interface LastJob {
  /** Unix seconds: when it ended, else when it last gave a sign. */
  readonly time: number
  /** `done`, `failed`, …; null: nobody saw it end. */
  readonly ending: string | null
}

export interface Idleness {
  /** Unix seconds of the newest of the checkpoints' files and of the files right beside them; null where none tells. */
  readonly lastWrite: number | null
  /** Null: no job ran under ckpt. */
  readonly lastJob: LastJob | null
  /** The number of the user that the run's folder belongs to; null where it is unknown. */
  readonly owner: number | null
}

/** Unix seconds; null where nothing is known. */
export function lastTouchOf({ lastWrite, lastJob }: Idleness): number | null {
  const times = [lastWrite, lastJob?.time ?? null].filter((time) => time !== null)
  return times.length === 0 ? null : Math.max(...times)
}

/**
 * Takes a stat of each file of the run. Throws CkptError where what ckpt remembers of the run cannot be read, and where no
 * file tells when it was written to, for the system refuses to look.
 */
export async function idlenessOf(storage: ReadStorage, run: Run, stateLocation: StateLocation): Promise<Idleness> {
  const [folder] = await storage.stat([run.path])
  return {
    lastWrite: await lastWriteOf(storage, run),
    lastJob: await lastJobOf(storage, run, stateLocation),
    owner: folder?.ok === true ? folder.value.owner : null,
  }
}

async function lastWriteOf(storage: ReadStorage, run: Run): Promise<number | null> {
  let newest = Number.NEGATIVE_INFINITY
  const take = (time: number | null | undefined): void => {
    if (time !== null && time !== undefined) newest = Math.max(newest, time)
  }
  let refused: Finding | undefined
  for (const [checkpoint, { files, findings }] of await listFiles(storage, run.checkpoints)) {
    for (const { stat } of files) take(stat?.modified)
    if (files.every(({ stat }) => stat === null)) take(timeOf(checkpoint))
    refused ??= findings.find(({ grade }) => grade === 'unreadable')
  }
  const [entries] = await storage.list([run.path])
  const beside = entries?.ok === true ? entries.value.filter(({ kind }) => kind === 'file') : []
  const stats = await storage.stat(beside.map(({ name }) => prefixOf(run.path) + name))
  for (const stat of stats) take(stat.ok ? stat.value.modified : null)
  if (newest > Number.NEGATIVE_INFINITY) return newest
  if (refused !== undefined) throw new CkptError('system', describeRefusal(refused))
  return null
}

function describeRefusal({ file, reason }: Finding): string {
  return `when it was written to last is unknown: ${file === undefined ? '' : `${file}: `}${reason}`
}

async function lastJobOf(
  storage: ReadStorage,
  { path }: Run,
  { stateDirectory }: StateLocation,
): Promise<LastJob | null> {
  const { entries } = await readJournal(storage, await stateFolderOf(storage, path, stateDirectory))
  const last = attemptsOf(entries).at(-1)
  if (last === undefined) return null
  const { start, checkpoints, end } = last
  return { time: end?.time ?? checkpoints.at(-1)?.time ?? start.time, ending: end?.ending ?? null }
}
