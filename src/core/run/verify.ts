/** Whether the checkpoints of a run are whole, and what lies beside them that never became one. */
import { basename } from 'node:path'
import { healthFrom, isWhole, type Checkpoint, type Run } from '../checkpoint.js'
import { StorageError } from '../errors.js'
import { checkFinite, compareSums, sumFiles, type HealthOptions } from '../health/index.js'
import { explainTemporary, findLeftovers, listFiles, uniteFindings, type Leftover } from '../layouts/index.js'
import { readChecksums, refuseWithout, writeChecksums, type Checksums, type StateFolder } from '../state/index.js'
import type { ReadStorage, Storage } from '../storage/storage.js'
import { examine } from './open.js'

export interface VerifyRequest {
  /** Of the run. What was recorded there is compared when every byte is read. */
  readonly state: StateFolder
  /** Those to be graded; null for all of the run, and then the run's leftovers too. */
  readonly which: readonly Checkpoint[] | null
  readonly level: 'quick' | 'deep'
  /** Look for tensors with values that are not finite. */
  readonly finite?: boolean
}

export interface Verified {
  readonly run: Run
  /** Graded, in the run's order. */
  readonly checkpoints: readonly Checkpoint[]
  readonly leftovers: readonly Leftover[]
  /** Names of those whose checksums were recorded. */
  readonly recorded: readonly string[]
}

/** Damage never throws. Throws CkptError `interrupted` when the signal says so. */
export async function verifyRun(
  storage: ReadStorage,
  run: Run,
  { which, level, state, finite = false }: VerifyRequest,
  options: HealthOptions = {},
): Promise<Verified> {
  const graded = await examine(storage, run.checkpoints, which ?? run.checkpoints, level, options)
  const compared = level === 'deep' ? await compareRecorded(storage, state, graded, options) : graded
  const checkpoints = finite ? await checkFinite(storage, compared, options) : compared
  const beside = which === null ? await findLeftovers(storage, run) : []
  return { run, checkpoints, leftovers: [...beside, ...(await findInside(storage, checkpoints))], recorded: [] }
}

/** Those that are as they were recorded, or of which nothing was, are unchanged. */
async function compareRecorded(
  storage: ReadStorage,
  state: StateFolder,
  checkpoints: readonly Checkpoint[],
  options: HealthOptions,
): Promise<Checkpoint[]> {
  const records = new Map<Checkpoint, Checksums>()
  for (const checkpoint of checkpoints) {
    const record = await readChecksums(storage, state, checkpoint.name)
    if (record !== null) records.set(checkpoint, record)
  }
  const sums = records.size === 0 ? null : await sumFiles(storage, [...records.keys()], options)
  return checkpoints.map((checkpoint) => {
    const record = records.get(checkpoint)
    const changes = record && compareSums(record.files, record.time, sums?.get(checkpoint) ?? new Map())
    if (changes === undefined || changes.length === 0) return checkpoint
    const { level, findings } = checkpoint.health
    return { ...checkpoint, health: healthFrom(level, uniteFindings(findings, changes)) }
  })
}

/**
 * Grades by reading every byte, and records the checksums of those that are whole, in place of what was recorded
 * before. `now` is Unix seconds. Throws CkptError `refused` where the state folder cannot be written, `interrupted`.
 */
export async function recordRun(
  storage: Storage,
  run: Run,
  { which, state, finite = false }: Omit<VerifyRequest, 'level'>,
  now: number,
  options: HealthOptions = {},
): Promise<Verified> {
  const graded = await examine(storage, run.checkpoints, which ?? run.checkpoints, 'deep', options)
  const checkpoints = finite ? await checkFinite(storage, graded, options) : graded
  const whole = checkpoints.filter(isWhole)
  for (const [{ name }, files] of await sumFiles(storage, whole, options)) {
    try {
      await writeChecksums(storage, state, { name, time: now, files })
    } catch (error) {
      throw error instanceof StorageError ? refuseWithout(state, 'checksums', error) : error
    }
  }
  const beside = which === null ? await findLeftovers(storage, run) : []
  const leftovers = [...beside, ...(await findInside(storage, checkpoints))]
  return { run, checkpoints, leftovers, recorded: whole.map(({ name }) => name) }
}

/** Temporary files within checkpoints, which nothing loads. */
async function findInside(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<Leftover[]> {
  const contents = await listFiles(storage, checkpoints)
  return checkpoints.flatMap((checkpoint) =>
    (contents.get(checkpoint)?.files ?? []).flatMap(({ name, path }) => {
      const reason = checkpoint.kind === 'directory' ? explainTemporary(basename(name)) : null
      return reason === null ? [] : [{ name: `${checkpoint.name}/${name}`, path, reason }]
    }),
  )
}
