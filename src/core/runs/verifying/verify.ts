/** Whether the checkpoints of a run are whole, and what lies beside them that never became one. */
import { basename } from 'node:path'
import { isDamaged, isUnreadable, isWhole, withHealth, type Checkpoint, type Run } from '../../checkpoint.js'
import { StorageError } from '../../errors.js'
import {
  checkAndSum,
  checkFinite,
  checkHealth,
  compareSums,
  type HealthOptions,
} from '../../checkpoints/health/index.js'
import {
  explainTemporary,
  findLeftovers,
  listFiles,
  measure,
  uniteFindings,
  type SaveLeftover,
} from '../../checkpoints/layouts/index.js'
import {
  readChecksums,
  readKnownElsewhere,
  refuseWithout,
  writeChecksums,
  type Checksums,
  type StateFolder,
} from '../../changes/state/index.js'
import { guardRun } from '../../changes/disposal/index.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import { openRunIfAny } from '../opening/open-run.js'
import { findStrangers } from './strangers.js'
import { leftForGood, lookTwice, type LookAgain } from './second-look.js'

export interface VerifyRequest {
  /** Of the run. What was recorded there is compared when every byte is read. */
  readonly state: StateFolder
  /** Those to be graded; null for all of the run, and then the run's leftovers too. */
  readonly which: readonly Checkpoint[] | null
  readonly level: 'quick' | 'deep'
  /** What looks damaged and is young is looked at a second time before it is reported; left out: it is not. */
  readonly again?: LookAgain
  /** Look for tensors with values that are not finite. */
  readonly finite?: boolean
}

export interface Verified {
  readonly run: Run
  /** Graded, in the run's order. */
  readonly checkpoints: readonly Checkpoint[]
  readonly leftovers: readonly SaveLeftover[]
  /** Names of those whose checksums were recorded. */
  readonly recorded: readonly string[]
  /** Paths of those that changed between two looks: they are being written, which is not damage. */
  readonly writing: ReadonlySet<string>
}

/**
 * What all that was verified comes to: `damaged` when something is wrong or left over, or nothing could be read;
 * `partial` when some could not be read; null when all is well.
 */
export function verdictOf(verified: readonly Verified[]): 'damaged' | 'partial' | null {
  const checkpoints = verified.flatMap((one) => one.checkpoints.filter(({ path }) => !one.writing.has(path)))
  const unreadable = checkpoints.filter(isUnreadable)
  if (checkpoints.some(isDamaged) || verified.some(({ leftovers }) => leftovers.length > 0)) return 'damaged'
  if (unreadable.length === 0) return null
  return unreadable.length === checkpoints.length ? 'damaged' : 'partial'
}

/** Damage never throws. Throws CkptError `interrupted` when the signal says so. */
export async function verifyRun(
  storage: ReadStorage,
  run: Run,
  { which, level, state, again, finite = false }: VerifyRequest,
  options: HealthOptions = {},
): Promise<Verified> {
  const measured = await measure(storage, which ?? run.checkpoints)
  const graded = await gradeAll(storage, run, measured, { level, state }, options)
  const { checkpoints, writing } =
    again === undefined
      ? { checkpoints: graded, writing: new Set<string>() }
      : await lookTwice(
          storage,
          run,
          graded,
          (now, these, disk) => gradeAll(disk, now, these, { level, state }, options),
          again,
        )
  const looked = await lookOn(storage, run, which, checkpoints, finite, options)
  if (again === undefined) return { ...looked, recorded: [], writing }
  const find = async (disk: ReadStorage): Promise<SaveLeftover[]> => {
    const now = which === null ? await openRunIfAny(disk, run.path, again) : null
    return findLeft(disk, now ?? run, which, now?.checkpoints ?? checkpoints)
  }
  const leftovers = await leftForGood(storage, looked.leftovers, find, again)
  return { ...looked, leftovers, recorded: [], writing }
}

async function gradeAll(
  storage: ReadStorage,
  run: Run,
  measured: readonly Checkpoint[],
  { level, state }: Pick<VerifyRequest, 'level' | 'state'>,
  options: HealthOptions,
): Promise<Checkpoint[]> {
  if (level === 'quick') return checkHealth(storage, run.checkpoints, measured, level, options)
  return compareRecorded(storage, run, measured, state, options)
}

/** Every byte is read once. Those of which nothing was recorded are held against their formats alone. */
async function compareRecorded(
  storage: ReadStorage,
  run: Run,
  measured: readonly Checkpoint[],
  state: StateFolder,
  options: HealthOptions,
): Promise<Checkpoint[]> {
  const names = measured.map(({ name }) => name)
  const others = await readKnownElsewhere(storage, state, (other) => readChecksums(storage, other, names))
  const own = await readChecksums(storage, state, names)
  const records = new Map([...others.flatMap(({ value }) => [...value]), ...own])
  const isRecorded = ({ name }: Checkpoint) => records.has(name)
  const summed = await checkAndSum(storage, run.checkpoints, measured, isRecorded, options)
  return summed.map(({ checkpoint, sums }) => {
    const record = records.get(checkpoint.name)
    const changes = record === undefined ? [] : compareSums(record.files, record.time, sums)
    if (changes.length === 0) return checkpoint
    const { level, findings } = checkpoint.health
    return withHealth(checkpoint, level, uniteFindings(findings, changes))
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
  guardRun(storage, run.path)
  const measured = await measure(storage, which ?? run.checkpoints)
  const summed = await checkAndSum(storage, run.checkpoints, measured, () => true, options)
  const graded = summed.map(({ checkpoint }) => checkpoint)
  const looked = await lookOn(storage, run, which, graded, finite, options)
  const recorded: string[] = []
  for (const [index, { sums }] of summed.entries()) {
    const checkpoint = looked.checkpoints[index]
    if (checkpoint === undefined || !isWhole(checkpoint)) continue
    await record(storage, state, { name: checkpoint.name, time: now, files: sums })
    recorded.push(checkpoint.name)
  }
  return { ...looked, recorded, writing: new Set() }
}

async function record(storage: Storage, state: StateFolder, checksums: Checksums): Promise<void> {
  try {
    await writeChecksums(storage, state, checksums)
  } catch (error) {
    throw error instanceof StorageError ? refuseWithout(state, 'remember checksums', error) : error
  }
}

/** What lies beside and within the graded ones, and whether their values are finite. */
async function lookOn(
  storage: ReadStorage,
  run: Run,
  which: readonly Checkpoint[] | null,
  graded: readonly Checkpoint[],
  finite: boolean,
  options: HealthOptions,
): Promise<Omit<Verified, 'recorded' | 'writing'>> {
  const checkpoints = finite ? await checkFinite(storage, graded, options) : graded
  return { run, checkpoints, leftovers: await findLeft(storage, run, which, checkpoints) }
}

/** What saves left beside the checkpoints of the run, where all of it is meant, and in these. */
async function findLeft(
  storage: ReadStorage,
  run: Run,
  which: readonly Checkpoint[] | null,
  checkpoints: readonly Checkpoint[],
): Promise<SaveLeftover[]> {
  const beside = which === null ? [...(await findLeftovers(storage, run)), ...(await findStrangers(storage, run))] : []
  return [...beside, ...(await findInside(storage, checkpoints))]
}

/** Temporary files within checkpoints, which nothing loads. */
async function findInside(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<SaveLeftover[]> {
  const contents = await listFiles(storage, checkpoints)
  return checkpoints.flatMap((checkpoint) =>
    (contents.get(checkpoint)?.files ?? []).flatMap(({ name, path }) => {
      const reason = checkpoint.kind === 'directory' ? explainTemporary(basename(name)) : null
      return reason === null ? [] : [{ name: `${checkpoint.name}/${name}`, path, reason }]
    }),
  )
}
