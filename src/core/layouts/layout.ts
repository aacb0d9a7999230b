/** How one framework arranges checkpoints on disk. A layout reads; it never writes and never decides. */
import type { Checkpoint, ParamFile } from '../checkpoint.js'
import type { Entry, ReadStorage } from '../storage/storage.js'

/** A directory that may be a run, with its entries as they were listed once for all layouts. */
export interface Folder {
  /** Absolute. */
  readonly path: string
  readonly entries: readonly Entry[]
}

export interface Layout {
  /** Stands in `--json` and in `--where 'layout == …'`. */
  readonly id: string
  /** Name of the framework, for people. */
  readonly title: string
  /**
   * The checkpoints among the folder's entries, with their meta, from names and meta files alone: no tensor is read,
   * and nothing but links is stat'ed (10,000 checkpoints must take 4 times a bare script at most). Where the meta lies
   * in a parameter file, that file's headers are read. What is broken about a checkpoint's meta becomes a finding of
   * that checkpoint, never an exception.
   */
  scan(storage: ReadStorage, folder: Folder): Promise<Checkpoint[]>
  /** Fills what `scan` left null and small side files hold (SpeechBrain: epoch from `counter.ckpt`). */
  complete?(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<Checkpoint[]>
  /** True for a file that may be missing from one checkpoint while all others have it. */
  isOptional(file: ParamFile): boolean
  /**
   * Of a checkpoint's own entries (not those in its folders) the names of what only resuming needs: the state of
   * optimizer, scheduler, gradient scaler and random numbers. None unless the weights are known to be in what is
   * left. Where a layout does not say, nothing may be dropped.
   */
  resumeOnly?(entries: readonly Entry[]): readonly string[]
  /** True for the name of a tensor that is no part of what was trained: any value is right in it. */
  isBookkeeping?(tensor: string): boolean
  /**
   * Of a folder that lies beside the checkpoints and is none: what a save that never finished left there, in words;
   * null when it is nothing of this framework's. `inside` are the entries in it.
   */
  explainLeftover?(name: string, inside: readonly Entry[]): string | null
}
