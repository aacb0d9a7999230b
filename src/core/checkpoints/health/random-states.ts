/** The state of the random numbers, of which each process saves its own. */
import { basename } from 'node:path'
import type { Checkpoint, Finding } from '../../checkpoint.js'
import { countOf } from '../../formats/pickle/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import type { MeasuredFile } from '../layouts/index.js'
import { missing, mostRanks, readRoot, valueOf } from './process-files.js'

/** transformers/trainer.py `_save_rng_state`, accelerate/checkpointing.py: one for each process. */
const randomState = /^(?<head>.*\/)?(?<stem>rng_state_|random_states_)(?<rank>\d+)(?<tail>\.pth|\.pkl)$/

/** The number of the process whose random state the file is, by its name in the checkpoint; null for any other file. */
export function rankOfRandomState(name: string): number | null {
  const rank = randomState.exec(name)?.groups?.['rank']
  return rank === undefined ? null : Number(rank)
}

const ofTrainer = /^rng_state(?:_\d+)?\.pth$/
const ofAccelerate = /^random_states_\d+\.pkl$/
/** The main process writes it when all else is there. */
const lastOfAccelerate = 'random_states_0.pkl'

/**
 * False of a file that says nothing by its absence, whatever the other checkpoints have: a job that was started again
 * with fewer processes, or more, saves as many random states. The Trainer's arguments beside them say how many;
 * Accelerate's `load_state` goes on without (checkpointing.py, `load_accelerator_state`).
 */
export function isMissed({ files }: Pick<Checkpoint, 'files'>, name: string): boolean {
  const isAccelerates = ofAccelerate.test(name)
  if (!isAccelerates && !ofTrainer.test(name)) return true
  const names = files.map(({ path }) => basename(path))
  if (isAccelerates) return !names.includes(lastOfAccelerate)
  return !names.includes('training_args.bin') || !names.some((one) => ofTrainer.test(one))
}

interface States {
  /** In the checkpoint; empty, or with its `/`. */
  readonly folder: string
  readonly nameOf: (rank: number) => string
  /** A process that is alone has no number in the name. */
  readonly isOfSeveral: boolean
  readonly ranks: Set<number>
}

/**
 * Random states between the first and the last that is there, and those of all processes that are known to have taken
 * part: at least `processes`, 0 if unknown. One node's own disk has those of its own processes only: the first need not
 * be 0 there. Where the one that Accelerate writes last is there and nothing counts the processes, a gap is what a start
 * with more processes has left in a folder that is saved into again.
 */
export async function inspectRandomStates(
  storage: ReadStorage,
  files: readonly MeasuredFile[],
  processes: number,
): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const { folder, nameOf, isOfSeveral, ranks } of statesAmong(files)) {
    const counted = isOfSeveral ? await countProcesses(storage, files, folder, ranks) : 0
    const known = Math.max(processes, counted)
    if (known === 0 && !isOfSeveral && ranks.has(0)) continue
    const first = known > 0 ? 0 : Math.min(...ranks)
    const end = Math.min(Math.max(known, Math.max(...ranks) + 1), mostRanks)
    const absent: string[] = []
    for (let rank = first; rank < end; rank += 1) if (!ranks.has(rank)) absent.push(nameOf(rank))
    findings.push(...missing(absent, `not there; there are those of ${ranks.size} of ${end - first} processes`))
  }
  return findings
}

function statesAmong(files: readonly MeasuredFile[]): States[] {
  const all = new Map<string, States>()
  for (const { name } of files) {
    const { head = '', stem = '', rank, tail = '' } = randomState.exec(name)?.groups ?? {}
    if (rank === undefined) continue
    const set = `${head}${stem}*${tail}`
    const states = all.get(set) ?? {
      folder: head,
      nameOf: (one: number) => set.replace('*', String(one)),
      isOfSeveral: stem === 'rng_state_',
      ranks: new Set<number>(),
    }
    states.ranks.add(Number(rank))
    all.set(set, states)
  }
  return [...all.values()]
}

/**
 * What the Trainer's arguments say (training_args.py, `distributed_state`), and at least two: one that is alone has no
 * number. Those of old versions do not say it, and numbered that one too. With `save_on_each_node` each node's disk has
 * the states of its own processes.
 */
async function countProcesses(
  storage: ReadStorage,
  files: readonly MeasuredFile[],
  folder: string,
  ranks: ReadonlySet<number>,
): Promise<number> {
  const file = files.find(({ name, stat }) => name === `${folder}training_args.bin` && stat?.kind === 'file')
  const args = file === undefined ? undefined : await readRoot(storage, file.path)
  const state = valueOf(args, 'distributed_state')
  if (args !== undefined && (state === undefined || valueOf(args, 'save_on_each_node') === true)) return 0
  return Math.max(countOf(valueOf(state, 'num_processes')) ?? 0, ranks.has(0) ? 2 : 0)
}
