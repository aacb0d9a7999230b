/** How one framework arranges checkpoints on disk. A layout reads; it never writes and never decides. */
import type { Checkpoint, Meta, Role } from '../../checkpoint.js'
import type { DirectoryEntry, ReadStorage } from '../../storage/storage.js'

/** A directory that may be a run, with its entries as they were listed once for all layouts. */
export interface Folder {
  /** Absolute. */
  readonly path: string
  readonly entries: readonly DirectoryEntry[]
}

/** Something that the framework sees when it looks for a checkpoint by itself: one, or what is left of a save. */
export type Standing = Pick<Checkpoint, 'name' | 'kind' | 'meta' | 'modified'> & {
  readonly members?: Checkpoint['members']
  /** What a save that never got far left behind: the layout does not take it for a checkpoint. */
  readonly isLeftover?: boolean
}

/** What a framework resumes from by itself, whatever `CKPT_PATH` says. */
export interface OwnStart {
  /** What of the framework looks: `recover_if_possible()`. */
  readonly by: string
  /** The name of what it takes; null where it takes none. */
  readonly takes: string | null
  /** Names of those that end its search with an error before it has chosen. */
  readonly stumblesOver: readonly string[]
  /** Something there may be what the job's own settings make it look for. */
  readonly mayFindMore?: boolean
}

/** A name that the framework resumes from, and what it is to stand for. */
export interface PointerFix {
  /** Relative to the run. */
  readonly name: string
  /** The checkpoint that it is to be, relative to the run. */
  readonly to: string
}

/** Something beside the checkpoints that names one of them. */
export interface PointerRule {
  /** The file's name in the run's folder. */
  readonly file: string | RegExp
  /** It lies in a folder of that name in the run, and what it names in a checkpoint's. */
  readonly inside?: RegExp
  /**
   * What is in it: a checkpoint's name, a path that ends in it, the number in its name, TensorFlow's text proto; or it
   * is a link to it.
   */
  readonly holds: 'name' | 'path' | 'number' | 'tensorflow' | 'link'
  /** Of a link: a file of that name with the text of one is none. */
  readonly isReal?: true
  /** Names the checkpoint for people; the file's name when left out. */
  readonly label?: string
  readonly purpose?: 'resume' | 'best'
  /** It is written when a save is finished, and the framework finds nothing without it. */
  readonly endsSave?: true
  /**
   * What becomes of it when its checkpoint goes: it names the newest whole one that stays (or goes where none does), it
   * goes, or the checkpoint may not go.
   */
  readonly onDelete: 'rewrite' | 'remove' | 'protect'
}

export interface Layout {
  /** Stands in `--json` and in `--where 'layout == …'`. */
  readonly id: string
  /** Name of the framework, for people. */
  readonly title: string
  /** Names the framework's own bookkeeping, which is kept true when checkpoints go. */
  readonly pointers?: readonly PointerRule[]
  /** Fills what `scan` left null and small side files hold (SpeechBrain: epoch from `counter.ckpt`). */
  complete?(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<readonly Checkpoint[]>
  /** True where the key of each file is its name without the suffix, or all of it. */
  readonly keysAreNames?: boolean
  /** True where a file that is written last tells that a save was finished. */
  readonly tellsEnd?: boolean
  /** What an entry right in a checkpoint's folder is for. */
  roleOf(entry: DirectoryEntry): Role
  /** Where all that was logged in a training lies. */
  readonly history?: readonly HistorySource[]
  /** True for the name of a tensor that is not a part of what was trained: any value is right in it. */
  isBookkeeping?(tensor: string): boolean
  /**
   * Of a folder, or a file, that lies beside the checkpoints and is none: what a save that never finished left there, in words;
   * null when it is nothing of this framework's. `inside` are the entries in it; null for a file.
   */
  explainLeftover?(name: string, inside: readonly DirectoryEntry[] | null): string | null
  /** The same of what only a job that began from nothing can have left: to anybody else it may be whole. */
  explainCutSave?(name: string, inside: readonly DirectoryEntry[]): string | null
  /**
   * True for a folder in a run of this framework that is neither a run nor leads to one: it holds what the framework has
   * deleted, or what all checkpoints of the run share. `inside` are the entries in it, `beside` those of the run's folder.
   */
  holdsNoRun?(name: string, inside: readonly DirectoryEntry[], beside: readonly DirectoryEntry[]): boolean
  /**
   * What it saves is for the restart of the job alone, written over each time: no checkpoint beside others, nor a run
   * where there is another; but where there is nothing else, that is what there is.
   */
  readonly isOwnRestart?: true
  /**
   * What the framework resumes from by itself when this is what it finds in the run (times are known), one answer for
   * each way in which it looks. Absent: it resumes only from what its user names.
   */
  resumesFrom?(there: readonly Standing[]): readonly OwnStart[]
  /**
   * Paths of checkpoints in a folder that one start of a job had to itself: the next one has another, in which the
   * framework finds nothing by itself, unless the job names the folder.
   */
  readonly inFolderOfStart?: RegExp
  /**
   * Of a checkpoint that is the only one of its run and was saved by a job that was cut off: what the
   * framework's saves always have and it lacks, in words; null where nothing is known to be missing. Absent: what the
   * framework writes last tells it.
   */
  lacksAlone?(alone: Pick<Checkpoint, 'files' | 'training'>): string | null
  /**
   * A script may have the framework save more than it does by itself, in files of their own, and these may come last: a
   * kill between them leaves what looks whole when it is the first checkpoint of all.
   */
  readonly mayLackMore?: true
  /**
   * The names that would lead the framework elsewhere than to `chosen`, and can be made to lead there. `there` is what
   * was found before anything was moved.
   */
  pointersTo?(chosen: Standing, there: readonly Standing[]): readonly PointerFix[]
}

/**
 * A log of a whole training. `columns` are those that count, where they are not among the usual names (engine/count-names.ts); `add`
 * makes of a log's number what the checkpoints have: 1 where the log counts from 0.
 */
export type HistorySource =
  | { readonly from: 'trainer state' }
  | ({ readonly from: 'csv' | 'jsonl' } & LogLocation)
  | ({ readonly from: 'text'; readonly parse: (line: string) => Meta | null } & LogLocation)

interface LogLocation {
  /** Relative to the run's folder, as in `TableSource`. */
  readonly beside: string
  readonly columns?: Readonly<Partial<Record<'step' | 'epoch', string>>>
  readonly add?: Readonly<Partial<Record<'step' | 'epoch', number>>>
  readonly rows?: (row: Meta) => boolean
  readonly requires?: readonly string[]
  /** Whether the log of a checkpoint of this name counts so; absent: of any. Of several that do the first is taken. */
  readonly countsFor?: (checkpoint: string) => boolean
}
