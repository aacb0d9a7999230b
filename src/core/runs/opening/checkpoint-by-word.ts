/** `latest` and `best` where a checkpoint is to be named: those of a run, as `ckpt list` marks them. */
import { basename, dirname } from 'node:path'
import type { Checkpoint, Run } from '../../checkpoint.js'
import { isChoosingWord, type ChoosingWord } from '../../checkpoints/choosing-words.js'
import {
  complete,
  findCheckpointAt,
  loadCheckpoint,
  loadRun,
  measure,
  resolveFrom,
  type LoadedCheckpoint,
} from '../../checkpoints/layouts/index.js'
import { bestOrder, byRecency, describeOrder, metricOrders, rank } from '../../choosing/selection/index.js'
import { CkptError } from '../../errors.js'
import { quoteWord } from '../../formats/text/shell-words.js'
import type { ReadStorage } from '../../storage/storage.js'

/**
 * The checkpoint that `argument` names: as `loadCheckpoint` takes it, or `latest` and `best`, alone for the run at or
 * below `base` and behind a run's path (`exp/latest`) for that one, whole or not. What has such a name goes before the
 * word, but for a file by which a framework names its latest. Throws as `loadCheckpoint`, `loadRun` and `bestOrder` do.
 */
export async function loadNamed(storage: ReadStorage, argument: string, base: string): Promise<LoadedCheckpoint> {
  return (await loadByWord(storage, argument, base)) ?? (await loadCheckpoint(storage, argument, base))
}

/** Null where `argument` is no such word, or something else lies there. */
export async function loadByWord(
  storage: ReadStorage,
  argument: string,
  base: string,
): Promise<LoadedCheckpoint | null> {
  const word = basename(argument)
  if (!isChoosingWord(word)) return null
  const path = resolveFrom(base, argument)
  const [there] = await storage.lstat([path])
  const isFile = there?.ok === true && there.value.kind === 'file'
  if (there?.ok === true && !isFile) return null
  if ((await findCheckpointAt(storage, path)) !== null) return null
  const run = await loadRun(storage, dirname(path))
  if (isFile && !run.checkpoints.some(({ pointsTo }) => pointsTo.some(({ label }) => label === word))) return null
  return { run, checkpoint: run.checkpoints.find(({ name }) => name === word) ?? (await choose(storage, run, word)) }
}

async function choose(storage: ReadStorage, run: Run, word: ChoosingWord): Promise<Checkpoint> {
  // Where nothing else tells which is newest, the files' times do.
  const { ordered } = byRecency(await measure(storage, await complete(storage, run.checkpoints)))
  const [chosen] = word === 'latest' ? ordered : rank(ordered, orderOf(run, ordered), startOfTime)
  if (chosen === undefined) throw new CkptError('no-match', `${run.path}: no checkpoint can be ranked`)
  return chosen
}

/** No age takes part in what `best` alone goes by. */
const startOfTime = 0

function orderOf({ path }: Run, ordered: readonly Checkpoint[]) {
  try {
    return bestOrder(ordered)
  } catch (error) {
    if (!(error instanceof CkptError) || error.code !== 'usage') throw error
    const [first] = metricOrders(ordered)
    const flag = first === undefined ? '--min KEY' : describeOrder(first)
    throw new CkptError('usage', error.message, {
      hint: `let find choose: "$(ckpt find ${quoteWord(path)} ${flag})" in place of best`,
      cause: error,
    })
  }
}
