/** How one framework arranges checkpoints on disk. A layout reads; it never writes and never decides. */
import type { Checkpoint, Role } from '../../checkpoint.js'
import type { Entry, ReadStorage } from '../../storage/storage.js'

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
  complete?(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<readonly Checkpoint[]>
  /** What an entry right in a checkpoint's folder is for. */
  roleOf(entry: Entry): Role
  /** True for the name of a tensor that is no part of what was trained: any value is right in it. */
  isBookkeeping?(tensor: string): boolean
  /**
   * Of a folder that lies beside the checkpoints and is none: what a save that never finished left there, in words;
   * null when it is nothing of this framework's. `inside` are the entries in it.
   */
  explainLeftover?(name: string, inside: readonly Entry[]): string | null
}
