/** Compares the random states that each process saved beside the others' (`random_states_<rank>.pkl`). */
import { basename } from 'node:path'
import type { Checkpoint } from '../../checkpoint.js'
import type { Alike } from './alike-files.js'

/** accelerate/checkpointing.py, `save_accelerator_state`: nothing in the folder counts the processes. */
const stateOfProcess = /^random_states_(\d+)\.pkl$/

/**
 * One that lacks states of processes which the saves before and behind it have, or the newest with fewer than the one
 * before: it was cut off between two of them, or the job was started again with fewer processes. `load_state` goes on all
 * the same, and whoever finds none keeps the random numbers of its start. The order stays.
 * `kinds` tell which files the same checkpoints have.
 */
export function withFewerStates(checkpoints: readonly Checkpoint[], kinds: readonly Alike[]): readonly Checkpoint[] {
  if (!kinds.some((kind) => ranksOf(kind).size > 0)) return checkpoints
  const saves = checkpoints.flatMap((checkpoint): Save[] => {
    const ranks = ranksOf(checkpoint)
    const place = checkpoint.step ?? checkpoint.epoch ?? lastNumber(checkpoint.name)
    return ranks.size === 0 || place === null ? [] : [{ checkpoint, ranks, place }]
  })
  saves.sort((a, b) => a.place - b.place)
  const lacking = new Set(saves.filter((save, at) => isShort(saves[at - 1], save, saves[at + 1])).map(checkpointOf))
  if (lacking.size === 0) return checkpoints
  return checkpoints.map((one) =>
    lacking.has(one) ? { ...one, lacks: [...(one.lacks ?? []), 'random state of each process'] } : one,
  )
}

interface Save {
  readonly checkpoint: Checkpoint
  readonly ranks: ReadonlySet<string>
  readonly place: number
}

function checkpointOf({ checkpoint }: Save): Checkpoint {
  return checkpoint
}

function ranksOf({ files }: Pick<Checkpoint, 'files'>): ReadonlySet<string> {
  return new Set(files.flatMap(({ path }) => stateOfProcess.exec(basename(path))?.[1] ?? []))
}

function lastNumber(name: string): number | null {
  const digits = /(\d+)\D*$/.exec(name)?.[1]
  return digits === undefined ? null : Number(digits)
}

function isShort(before: Save | undefined, { ranks }: Save, behind: Save | undefined): boolean {
  const missed = [...(before?.ranks ?? [])].filter((rank) => !ranks.has(rank))
  return missed.length > 0 && missed.every((rank) => behind === undefined || behind.ranks.has(rank))
}
