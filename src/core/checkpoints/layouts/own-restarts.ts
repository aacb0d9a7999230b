/** What a framework keeps for the restart of a job alone, and removes at its end (Keras' BackupAndRestore). */
import type { Checkpoint, Run } from '../../checkpoint.js'
import { findLayout } from './registry.js'

/** Without those that are for a restart alone, which are checkpoints where there is nothing else. */
export function withoutOwnRestarts(found: readonly Checkpoint[]): Checkpoint[] {
  const layouts = new Set(found.map(({ layout }) => layout))
  return [...layouts].some(isOfRestarts) ? othersIfAny(found, isForRestart) : [...found]
}

/** The same of runs. */
export function withoutRestartRuns(runs: readonly Run[]): Run[] {
  return othersIfAny(runs, isRestartRun)
}

export function isRestartRun({ checkpoints }: Pick<Run, 'checkpoints'>): boolean {
  return checkpoints.length > 0 && checkpoints.every(isForRestart)
}

function isForRestart({ layout }: Checkpoint): boolean {
  return isOfRestarts(layout)
}

function isOfRestarts(layout: string): boolean {
  return findLayout(layout)?.isOwnRestart === true
}

function othersIfAny<T>(all: readonly T[], isLast: (one: T) => boolean): T[] {
  const others = all.filter((one) => !isLast(one))
  return [...(others.length === 0 ? all : others)]
}
