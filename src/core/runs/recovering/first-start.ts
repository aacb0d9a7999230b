/** Where nothing was ever finished, the next start is a first start: nothing is lost by it. */
import { basename, dirname } from 'node:path'
import {
  distinct,
  healthFrom,
  isSound,
  isUnreadable,
  type Checkpoint,
  type ParamFile,
  type Run,
} from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { markStillWritten } from '../../checkpoints/health/index.js'
import type { StartCandidate } from './pass-over-damaged.js'
import { alikeByFiles, findLayout, layoutsWithoutPointer, measure, ScanTree } from '../../checkpoints/layouts/index.js'
import { endedByItself, type DoubtedFirst } from '../../changes/journal/index.js'
import { isSavedByCkpt } from '../../changes/saving/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { choose, type ChooseContext, type ChooseRequest } from './choose-to-resume.js'
import { examine } from '../opening/open-run.js'

/** The job's last start began without a checkpoint, and none was seen whole since. Times are Unix seconds. */
export interface FromNothing {
  readonly startedAt: number
  /** Null where nobody was left to see it. */
  readonly ending: string | null
  readonly endedAt: number | null
}

export interface BeginContext extends ChooseContext {
  /** Null where nothing is known of it. */
  readonly fromNothing: FromNothing | null
  /** Null: none is known. */
  readonly doubted: DoubtedFirst | null
}

/**
 * As `choose`; null where nothing in the run was ever finished, so that a start from scratch loses nothing. Throws as
 * `choose` does where something was: a job must never silently start from scratch.
 */
export async function chooseOrBegin(
  storage: ReadStorage,
  run: Run,
  request: ChooseRequest,
  context: BeginContext,
): Promise<(StartCandidate & { readonly warnings: readonly string[] }) | null> {
  const { fromNothing, doubted } = context
  try {
    const chosen = await choose(storage, run, request, context)
    if (fromNothing === null) return (await isDoubted(storage, run, chosen.checkpoint, doubted)) ? null : chosen
    if (chosen.isInexact === true && (await wasNothingFinished(storage, run, true, context))) return null
    return (await wasCutOff(storage, run, chosen.checkpoint, fromNothing)) ? null : chosen
  } catch (error) {
    if (!(error instanceof CkptError) || (error.code !== 'damaged' && error.code !== 'no-match')) throw error
    if (await wasNothingFinished(storage, run, fromNothing !== null, context)) return null
    throw error
  }
}

/** A kill cuts one save short; two callbacks, or a copy under the name `last`, make two checkpoints of it. */
const mostCut = 2

/**
 * None is whole, and each says itself that it never was, for the file that is written last is not there, in it or beside
 * it (DeepSpeed's `latest`); or the journal knows that the job began without a checkpoint. What was demoted was whole once.
 */
async function wasNothingFinished(
  storage: ReadStorage,
  run: Run,
  beganFromNothing: boolean,
  options: ChooseContext,
): Promise<boolean> {
  const examined = await examine(storage, run.checkpoints, run.checkpoints, 'quick', options)
  if (examined.some((one) => isSound(one) || isUnreadable(one) || one.demoted !== undefined)) return false
  const unnamed = await layoutsWithoutPointer(storage, run)
  const neverEnded = examined.every((one) => isUnfinished(one) || unnamed.has(one.layout))
  if (!neverEnded && !(beganFromNothing && examined.length <= mostCut)) return false
  if (areAllAlike(distinct(examined))) return false
  if (!beganFromNothing && (await isModelByHand(storage, examined))) return false
  // Somebody may be writing it just now.
  const unjudged = examined.map((one) => ({ ...one, health: healthFrom('none', []) }))
  return (await markStillWritten(ScanTree.lookingAgain(storage), unjudged, options)).every(isSound)
}

/**
 * Kills do not cut saves at the very same file: what saved these never writes the one that says that they are whole. Of
 * weights alone it takes three, for a save begins with those.
 */
function areAllAlike(checkpoints: readonly Checkpoint[]): boolean {
  const [alike, other] = alikeByFiles(checkpoints)
  if (alike === undefined || other !== undefined || alike.files.length === 0) return false
  return alike.checkpoints.length > (alike.files.length > 1 ? 1 : 2)
}

/** A model with its config and nothing that a job goes on from: no kill, but somebody may have put that there. */
async function isModelByHand(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<boolean> {
  const models = checkpoints.filter(
    ({ files }) => files.some(isWeights) && files.every((one) => isWeights(one) || isArguments(one)),
  )
  const folders = models.flatMap(({ path, files }) => [path, ...files.map((file) => dirname(file.path))])
  const listings = await storage.list([...new Set(folders)])
  return listings.some(
    (listing) => listing.ok && listing.value.some(({ name }) => /^(adapter_)?config\.json$/.test(name)),
  )
}

function isWeights({ role }: ParamFile): boolean {
  return role === 'weights' || role === 'index'
}

/** `save_model` of the Trainer has it beside the model. */
function isArguments({ path }: ParamFile): boolean {
  return basename(path) === 'training_args.bin'
}

function isUnfinished({ health }: Checkpoint): boolean {
  return health.findings.some(({ grade }) => grade === 'unfinished')
}

/** Seconds. A job that lived on for so long after the last byte of a save was not cut off in it. */
const longestPause = 60

/**
 * A first save that looks whole, as there is no other to compare it with, and lacks what its framework always saves.
 * `all` are measured, those of its run; `cutAt` is when the job was cut off, null where it was not.
 */
export async function isFirstSaveCut(
  storage: ReadStorage,
  one: Checkpoint,
  all: readonly Checkpoint[],
  cutAt: number | null,
): Promise<boolean> {
  if (cutAt === null || distinct(all).length > 1) return false
  if ((findLayout(one.layout)?.lacksAlone?.(one) ?? null) === null) return false
  const written = all.find(({ path }) => path === one.path)?.modified ?? cutAt
  if (cutAt - written >= longestPause) return false
  return !(await isSavedByCkpt(storage, one.path))
}

async function wasCutOff(
  storage: ReadStorage,
  run: Run,
  chosen: Checkpoint,
  { ending, endedAt }: FromNothing,
): Promise<boolean> {
  if (ending !== null && endedByItself.has(ending)) return false
  const all = await measure(storage, run.checkpoints)
  const one = all.find(({ path }) => path === chosen.path) ?? chosen
  return isFirstSaveCut(storage, one, all, endedAt ?? one.modified ?? 0)
}

/** Seconds. So long behind the last byte of a save a kill may still have come between two of its files. */
const longestGap = 10

/**
 * Whether the only checkpoint was cut off between its files, though by these alone it looks whole. To take a sound one for
 * that costs what the job did before its first save, which the trash gives back; to go on with one that lacks a file costs
 * every start there will be.
 */
async function isDoubted(
  storage: ReadStorage,
  run: Run,
  chosen: Checkpoint,
  doubted: DoubtedFirst | null,
): Promise<boolean> {
  if (doubted?.name !== chosen.name || findLayout(chosen.layout)?.mayLackMore !== true) return false
  const all = await measure(storage, run.checkpoints)
  if (distinct(all).length > 1 || isNumberedLater(chosen)) return false
  const written = all.find(({ path }) => path === chosen.path)?.modified ?? null
  if (written === null || Math.abs(doubted.endedAt - written) >= longestGap) return false
  return !(await isSavedByCkpt(storage, chosen.path))
}

/** By a framework that counts its saves from 0. */
function isNumberedLater({ saveNumber = 0 }: Checkpoint): boolean {
  return saveNumber > 0
}
