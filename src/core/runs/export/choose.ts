/** The checkpoint that is exported. */
import { basename, dirname } from 'node:path'
import { isSound, isUnreadable, type Checkpoint, type HealthLevel, type Run } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { findCheckpointAt } from '../../checkpoints/layouts/index.js'
import { parseExpression } from '../../choosing/expression/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { isChoosingWord } from '../../checkpoints/choosing-words.js'
import { loadByWord } from '../opening/checkpoint-by-word.js'
import { choose, type ChooseContext } from '../recovering/choose-to-resume.js'
import { loneFile, orLoneFolder, type Lone } from '../opening/lone-weights.js'
import { examineOne, openRun } from '../opening/open-run.js'
import type { Query } from '../opening/rank-and-filter.js'

export interface WhichRequest {
  /** Absolute: a run, a checkpoint, a file or folder of weights. */
  readonly path: string
  /** `best`, `latest`, the name of a checkpoint, or an expression that it must fulfil; left out: the newest. */
  readonly which?: string | undefined
  readonly query: Query
  readonly verify: HealthLevel
  readonly stateDirectory?: string | undefined
}

export interface Chosen {
  readonly checkpoint: Checkpoint
  readonly warnings: readonly string[]
}

/**
 * Throws CkptError: `usage` for a choice where there is none, `unreadable`, `damaged` for one that cannot be read or is not whole (with `verify` none
 * that is reported only), and as `openRun` and `choose` do.
 */
export async function chooseToExport(
  storage: ReadStorage,
  asked: WhichRequest,
  context: ChooseContext,
): Promise<Chosen> {
  const request = await splitWord(storage, asked)
  const single = await findSingle(storage, request.path)
  if (single !== null) {
    const { query, which } = request
    if (which !== undefined || query.orders.length + query.where.length > 0) {
      throw new CkptError('usage', `${single.checkpoint.path} is one checkpoint, and there is nothing to choose from`)
    }
    return examined(storage, single.run, single.checkpoint, request, context)
  }
  const run = await openRunOrLone(storage, request)
  if ('checkpoint' in run) return examined(storage, run.run, run.checkpoint, request, context)
  const named = run.checkpoints.find(({ name }) => name === request.which)
  if (named !== undefined) return examined(storage, run, named, request, context)
  const { which, query, verify } = request
  const isBest = which === 'best'
  const where =
    which === undefined || isBest || which === 'latest' ? query.where : [...query.where, await parseExpression(which)]
  if (which === 'latest' && query.orders.length > 0) {
    throw new CkptError('usage', '"latest" is an order of its own: leave it out, or the flag that ranks')
  }
  const choice = { query: { ...query, where }, best: isBest, verify, keys: [], takesDemoted: true }
  const { checkpoint, warnings } = await choose(storage, run, choice, context)
  return { checkpoint, warnings }
}

/** `exp/latest` is `latest` of `exp`. */
async function splitWord(storage: ReadStorage, request: WhichRequest): Promise<WhichRequest> {
  const word = basename(request.path)
  if (request.which !== undefined || !isChoosingWord(word)) return request
  const chosen = await loadByWord(storage, request.path, '/')
  return chosen === null ? request : { ...request, path: dirname(request.path), which: word }
}

async function findSingle(storage: ReadStorage, path: string): Promise<{ run: Run; checkpoint: Checkpoint } | null> {
  const found = await findCheckpointAt(storage, path)
  if (found !== null) return found
  const [stat] = await storage.stat([path])
  if (stat?.ok !== true || stat.value.kind === 'directory') return null
  const lone = await loneFile(storage, path)
  if (lone !== null) return lone
  throw new CkptError('no-match', `${path}: is not a file of weights`)
}

/** A run goes before the weights that lie beside its checkpoints; a model's folder by itself holds no run. */
async function openRunOrLone(
  storage: ReadStorage,
  { path, stateDirectory, which, query }: WhichRequest,
): Promise<Run | Lone> {
  const open = () => openRun(storage, path, { stateDirectory })
  if (which !== undefined || query.orders.length + query.where.length > 0) return open()
  const found = await orLoneFolder(storage, path, open)
  return 'run' in found ? { ...found, checkpoint: { ...found.checkpoint, run: path } } : found
}

async function examined(
  storage: ReadStorage,
  run: Run,
  checkpoint: Checkpoint,
  { verify }: WhichRequest,
  context: ChooseContext,
): Promise<Chosen> {
  const one = await examineOne(storage, run.checkpoints, checkpoint, verify, context)
  if (isSound(one)) return { checkpoint: one, warnings: [] }
  const reasons = one.health.findings.map(({ file, reason }) => (file === undefined ? reason : `${file}: ${reason}`))
  if (verify === 'none') return { checkpoint: one, warnings: [`${one.name} is not whole: ${reasons.join('; ')}`] }
  if (isUnreadable(one)) throw new CkptError('unreadable', `${one.path}: ${reasons.join('; ')}`)
  throw new CkptError('damaged', `${one.path} is not whole: ${reasons.join('; ')}`, {
    hint: 'with --verify none it is exported all the same',
  })
}
