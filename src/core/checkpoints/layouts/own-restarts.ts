/** Runs that a framework keeps for the restart of a job alone, and removes at its end (Keras' BackupAndRestore). */
import type { Run } from '../../checkpoint.js'
import { findLayout } from './registry.js'

/** They are runs where there is nothing else. */
export function withoutOwnRestarts(runs: readonly Run[]): Run[] {
  const others = runs.filter((run) => !isOwnRestart(run))
  return [...(others.length === 0 ? runs : others)]
}

export function isOwnRestart({ checkpoints }: Pick<Run, 'checkpoints'>): boolean {
  return checkpoints.length > 0 && checkpoints.every(({ layout }) => findLayout(layout)?.isOwnRestart === true)
}
