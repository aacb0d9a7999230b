/** The checkpoint that a job starts from. */
import type { Checkpoint, HealthLevel } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { parseExpression, type Expression } from '../../choosing/expression/index.js'
import type { PassedOver } from '../../runs/recovering/pass-over-damaged.js'
import {
  choose,
  chooseOrBegin,
  neverFinished,
  openRunToGoOnIfAny,
  clearedFor,
  clearedForFirst,
  type ClearedFolder,
  setAsideReasons,
  type FromNothing,
  type StateLocation,
} from '../../runs/index.js'
import type { DoubtedFirst } from '../../changes/journal/index.js'
import type { Order, TrainingChoice } from '../../choosing/selection/index.js'
import type { ReadStorage } from '../../storage/storage.js'

/** `--resume-from`: the name of a checkpoint that is there, or else an expression. */
export type ResumeFrom =
  { readonly kind: 'newest' } | { readonly kind: 'best'; readonly order: Order | undefined } | Named

interface Named {
  readonly kind: 'named'
  readonly text: string
}

export interface ResumeRequest {
  readonly from: ResumeFrom
  readonly verify: HealthLevel
  /** Keys of the parameter files that it must have. */
  readonly keys: readonly string[]
  /** Of several trainings in one folder the one to go on with; left out: the newest that can be gone on from. */
  readonly training?: TrainingChoice | undefined
  /** What was never finished, or would be in the framework's way, stays where it is. */
  readonly leavesDamaged: boolean
}

export interface ResumeContext extends StateLocation {
  /** Unix seconds. */
  readonly now: number
  readonly wait: (milliseconds: number) => Promise<void>
  readonly signal?: AbortSignal
  /** What is to be started: of several jobs below the folder the one that was begun with it is meant. */
  readonly command?: readonly string[]
  /** Names that are passed over too, though nothing may be remembered of it. */
  readonly setAside?: readonly string[]
  readonly onPassedOver?: (passed: PassedOver) => void
  /** What the journal knows of how the job began; null: it did not begin from nothing, or nothing is known. */
  readonly fromNothing: FromNothing | null
  /** As of a `BeginContext`. */
  readonly doubted: DoubtedFirst | null
}

export interface Start {
  /** Null: a first start. */
  readonly checkpoint: Checkpoint | null
  /** What is there, folder by folder, to be made to agree with it; without checkpoints where nothing has been saved yet. */
  readonly folders: readonly ClearedFolder[]
  /** Runs that were taken for one job's, begun again in a new folder each time. */
  readonly runs: number
}

/**
 * A first start where nothing has been saved yet, or nothing of it was ever finished. Those set aside are passed over,
 * unless one is named. Throws CkptError `damaged` when there are some and none is whole, `no-match` when none is the
 * one asked for, and as `openRunToGoOn`: a job must never silently start from scratch.
 */
export async function chooseStart(
  storage: ReadStorage,
  path: string,
  { from, verify, keys, leavesDamaged, training }: ResumeRequest,
  context: ResumeContext,
): Promise<Start> {
  const { stateDirectory, command = [] } = context
  const opened = await openRunToGoOnIfAny(storage, path, { stateDirectory, mayBeSpread: true, command })
  if (opened === null) {
    for (const one of await neverFinished(storage, path)) context.onPassedOver?.(one)
    return { checkpoint: null, folders: clearedForFirst(path, context.fromNothing?.startedAt), runs: 0 }
  }
  const { run } = opened
  const named = from.kind === 'named' ? run.checkpoints.filter(({ name }) => name === from.text) : []
  const barren = (context.setAside ?? []).map(
    (name) => [name, 'set aside: starts from it saved no new checkpoint'] as const,
  )
  const marked = named.length > 0 ? [] : await setAsideReasons(storage, run, context)
  const setAside = new Map([...barren, ...marked])
  const orders = from.kind === 'best' && from.order !== undefined ? [from.order] : []
  const where = from.kind === 'named' && named.length === 0 ? [await parseFilter(from.text, run.path)] : []
  const among = named.length > 0 ? { ...run, checkpoints: named } : run
  const request = { query: { orders, where, training }, best: from.kind === 'best', verify, keys, setAside }
  const isExact = from.kind === 'named' || leavesDamaged
  const chosen = await (isExact ? choose : chooseOrBegin)(storage, among, request, context)
  const checkpoint = chosen?.checkpoint ?? null
  return { checkpoint, folders: clearedFor(opened, checkpoint, context.doubted), runs: opened.parts.length }
}

async function parseFilter(text: string, run: string): Promise<Expression> {
  try {
    return await parseExpression(text)
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
    throw new CkptError('no-match', `--resume-from: ${run} has no checkpoint ${JSON.stringify(text)}`, {
      hint: `it is not an expression either: ${error.message}`,
      cause: error,
    })
  }
}
