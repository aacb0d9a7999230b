/** A save's outcome. */
import type { Run } from '../core/checkpoint.js'
import type { CarriedOut, PrunePlan } from '../core/runs/index.js'
import { pruneDocument } from './prune.js'

export interface SavedPrune {
  readonly run: Run
  readonly plan: PrunePlan
  /** Null: nothing was removed. */
  readonly removal: CarriedOut | null
}

export interface SaveOutcome {
  readonly run: string
  readonly name: string
  readonly path: string
  /** False with --dry-run. */
  readonly saved: boolean
  /** Null: no policy was given, or the prune failed. */
  readonly prune: SavedPrune | null
}

/** As `--json` gives it (docs/json.md). */
export function saveDocument({ prune, ...outcome }: SaveOutcome): Record<string, unknown> {
  return { ...outcome, prune: prune === null ? null : pruneDocument(prune.run, prune.plan, prune.removal) }
}
