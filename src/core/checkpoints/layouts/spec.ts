/**
 * A layout as data: how one framework arranges checkpoints on disk (docs/adding-a-layout.md). The engine reads it;
 * a layout reads nothing itself, but for the few that need `read`.
 */
import type {
  Checkpoint,
  Direction,
  Finding,
  Meta,
  MetaValue,
  Moment,
  Part,
  Pointer,
  Role,
  TrainingMarks,
} from '../../checkpoint.js'
import type { ByteSource } from '../../formats/bytes/byte-source.js'
import type { TorchObject } from '../../formats/torch/object.js'
import type { DirectoryEntry, ReadStorage } from '../../storage/storage.js'
import type { Folder, HistorySource, Layout, OwnStart, PointerFix, PointerRule, Standing } from './layout.js'

export type { PointerRule } from './layout.js'

export interface LayoutSpec {
  /** Stands in `--json` and in `--where 'layout == …'`. */
  readonly id: string
  /** Name of the framework, for people. */
  readonly title: string
  /** Where its checkpoints lie and what they are, in a few words: `checkpoint-<step>/ with trainer_state.json`. */
  readonly looks: string
  /** The shapes that its checkpoints have; usually one. An entry is the first form's whose name and proof fit. */
  readonly forms: readonly Form[]
  /** Names the framework's own bookkeeping, which is kept true when checkpoints go. */
  readonly pointers?: readonly PointerRule[]
  /** Where all that it logged lies, beside the tables that its facts come from. */
  readonly history?: readonly HistorySource[]
  /** Which names may be the same state as another checkpoint of the run, and how that is reported. Links always are. */
  readonly copies?: CopyRule
  /** By which metric and in which direction the framework judges, as far as the facts of a checkpoint tell. */
  readonly judge?: (facts: Meta) => readonly (readonly [metric: string, direction: Direction])[]
  /** Names under which the framework keeps what it holds for the best, beside the others: that one stays. */
  readonly best?: RegExp
  /** What else a checkpoint's facts point to: the best one's path as it was written down. */
  readonly namedBy?: (facts: Meta) => readonly Pointer[]
  /**
   * Whether a checkpoint's facts tell of more than a model's weights; undefined: they do not say. One that has no more
   * cannot be resumed from where another of the run has: a script that never saves more means to go on from that.
   */
  readonly holdsMore?: (unit: Unit, facts: Meta) => boolean | undefined
  /** By name, what would fail or be wrong without one of them, in words: it stays. Of the facts of all of the run. */
  readonly needs?: (there: readonly Fact[]) => ReadonlyMap<string, string>
  /** By name, what of the framework's will still name it once it is gone, in words: a plan that removes it tells so. */
  readonly stillNamed?: (there: readonly Fact[]) => ReadonlyMap<string, string>
  /** What the framework resumes from by itself; see `Layout` for these four. Absent: only what its user names. */
  readonly resumesFrom?: (there: readonly Standing[]) => readonly OwnStart[]
  readonly lacksAlone?: Layout['lacksAlone']
  readonly mayLackMore?: true
  readonly pointersTo?: (chosen: Standing, there: readonly Standing[]) => readonly PointerFix[]
  readonly inFolderOfStart?: RegExp
  /**
   * Of a folder (`inside`: what is in it) or a file (null) that lies beside the checkpoints and is none: what a save that
   * never finished left there, in words; null when it is nothing of this framework's.
   */
  readonly leftover?: (name: string, inside: readonly { readonly name: string }[] | null) => string | null
  /** Likewise of a folder that only a job which began from nothing can have left: to anybody else it may be whole. */
  readonly cutSave?: (name: string, inside: readonly { readonly name: string }[]) => string | null
  /** See `Layout`. */
  readonly isOwnRestart?: true
  /** True for a folder beside the checkpoints in which there is no run: see `Layout`. */
  readonly holdsNoRun?: (name: string, inside: readonly DirectoryEntry[], beside: readonly DirectoryEntry[]) => boolean
  /** True for the name of a tensor that is not a part of what was trained: any value is right in it. */
  readonly isBookkeeping?: (tensor: string) => boolean
  /**
   * True for a folder that may be the beginning of a checkpoint's name, which has a slash in it (`val/loss=0.2.ckpt`):
   * the checkpoints in it are looked for too. `isAmong`: others lie beside it; `run` is the path that both lie in.
   */
  readonly beginsName?: (folder: string, isAmong: boolean, run: string) => boolean
  /**
   * The way out, for what data cannot say: all the units that were taken, together. The run has those of the answer, in
   * its order.
   */
  readonly read?: (taken: readonly Taken[], io: LayoutIo) => Promise<ReadonlyMap<Unit, Reading>>
  /** Joins those that are of no use without one another into one checkpoint; `beside` are the names in the run's folder. */
  readonly together?: (checkpoints: readonly Checkpoint[], beside: readonly string[]) => Checkpoint[]
}

/** A unit that a layout has, and what its form's sources say of it. */
export interface Taken {
  readonly unit: Unit
  readonly facts: Meta
}

/** A checkpoint by what its facts say, also those that are not shown. */
export interface Fact {
  readonly name: string
  readonly facts: Meta
  /** Of a copy, the name of its original. */
  readonly sameAs: string | undefined
}

/** One shape of a framework's checkpoints. */
export interface Form {
  /** A folder, a file, or files that only together are a checkpoint. */
  readonly kind: 'folder' | 'file' | 'group'
  /**
   * The name of the folder or file; of a group, that of each of its files. Named groups are facts: `step`, `epoch`,
   * and metrics; a fact `#save` is the number of a save that is neither. Of a group, `unit` (and `tail`, behind) is what
   * all of one checkpoint have in common, and `part` tells them apart.
   */
  readonly name: RegExp
  /** Fact names that no regular expression's group can have: `{ map50: 'metrics/mAP50(B)' }`. */
  readonly called?: Readonly<Record<string, string>>
  /** Of a group, the file whose name the checkpoint has; absent: it has the name that `unit` is. */
  readonly main?: RegExp
  /** Of a group, the names of its other files as its `main` says them: people rename the one and leave the others. */
  readonly namedByMain?: (main: Uint8Array) => readonly string[]
  /** With its `main` the files are this group's alone, also when something is wrong with one. */
  readonly ownedByMain?: true
  /** True: a link is never one. The framework names its newest so, under any name (`pointers`). */
  readonly isNoLink?: true
  /** Without its `main`: false where by their names the files can be no such group, and each is what other forms say. */
  readonly withoutMain?: (names: readonly string[]) => boolean
  /** Folders within the checkpoint whose entries count too: `unet/config.json`. Of these names only, and one level. */
  readonly below?: RegExp
  readonly proof: Proof
  readonly whole?: Whole
  /** Key by key, the first source that has it. Absent: what the name tells. */
  readonly facts?: readonly FactSource[]
  /** What its files are for; the first rule whose name fits. A folder's name ends in `/`. */
  readonly files?: readonly FileRule[]
  /** False when nothing of this shape can be resumed from: weights alone, averaged, exported. */
  readonly resumable?: boolean | ((unit: Unit, facts: Meta) => boolean | undefined)
  /** What going on needs and is not there. Without the model, the optimizer or the scheduler nothing can go on. */
  readonly lacks?: (unit: Unit, facts: Meta) => readonly Part[]
}

/** How one knows: by structure, never by the name alone. */
export interface Proof {
  /** Any of these, and it is one. */
  readonly sure: readonly Has[]
  /** Any of these, and it is one unless another framework is sure of it, or of others of that name in the run. */
  readonly likely?: readonly Has[]
  /** None of these may be. */
  readonly never?: readonly Has[]
  /**
   * Names that only this framework gives: what is broken under such a name is a broken checkpoint, even where it is
   * the only one. Without, it is one among sound ones.
   */
  readonly typical?: RegExp
  /** Any of these, and what nothing else speaks for stands in the place of one, among sure ones. */
  readonly bare?: readonly Has[]
  /** True: what the system refuses to read is one by its name alone, and reported as unreadable. */
  readonly orUnreadable?: boolean
}

export type Has =
  /** An entry of that name in the folder (`unet/config.json` too, see `below`), or among the group's files. */
  | { readonly file: string | RegExp }
  /** How the file begins. */
  | { readonly head: Head }
  /** Keys at the top of what torch.save wrote, all of them; of a path within, its parts. In the file itself, or in one of the folder's. */
  | { readonly torch: readonly KeyPath[]; readonly of?: string | RegExp }
  /**
   * A model's state dict at that path of what torch.save wrote (an empty one is the top), or a whole module: tensors
   * alone, by names of which some are a parameter's.
   */
  | { readonly stateDict: KeyPath }
  /** Such a one under any of the keys at the top. */
  | { readonly stateDictIn: 'any key' }
  /** Keys of a JSON object, all of them: in the file itself, or in one of the folder's. */
  | { readonly json: readonly KeyPath[]; readonly of?: string | RegExp }
  /** An entry of a zip archive. */
  | { readonly zip: string | RegExp }
  /** An entry of the run's folder. */
  | { readonly beside: string | RegExp }
  /** Of a file: another entry of the run's folder has its name, and such an end behind it: `a.txt.snapshot_iter_3`. */
  | { readonly besideWithEnd: RegExp }
  /** At most as many entries of the run's folder have such a name, its own among them. */
  | { readonly atMost: number; readonly named: RegExp }
  | { readonly all: readonly Has[] }
  | { readonly not: Has }
  /** What no other form can say; `says` is reported by `ckpt layouts explain`. */
  | { readonly says: string; readonly test: (unit: Unit, io: LayoutIo) => Promise<boolean> }

/** `zip` is any archive, `torch` one of torch's or its older stream; the rest are what they are called. */
export const heads = [
  'torch',
  'zip',
  'hdf5',
  'safetensors',
  'tar',
  'gzip',
  'pickle',
  'json',
  'msgpack',
  'text',
] as const

export type Head = (typeof heads)[number]

/** A key, or the keys that lead to a value. */
export type KeyPath = string | readonly string[]

export type FactSource = NameSource | FactFile | BytesSource | LookSource | TableSource | RowsSource | RunSource

/** The named groups of the form's `name`. Numbers as numbers; `add` corrects counts: `{ epoch: -1 }`. */
export interface NameSource {
  readonly from: 'name'
  readonly add?: Readonly<Record<string, number>>
  /** True: also the counts that the words of any name tell: `model_epoch_12`, `ckpt-step=300`. */
  readonly words?: boolean
  /** True: also every `key=value` in the name, with a number for its value; beside `words` what counts is theirs. */
  readonly pairs?: boolean
  /** Groups that are not facts to be shown. */
  readonly leave?: readonly string[]
}

export interface FactFile {
  /** `torch`: what torch.save wrote, without its tensors but for single numbers. `text`: the whole text, key `text`. */
  readonly from: 'json' | 'yaml' | 'torch' | 'text'
  /** In the folder or group; a pattern takes the first by name. Absent, and no `beside`: the file itself. */
  readonly file?: string | RegExp
  /** Relative to the run's folder instead: `../args.yaml`; a `*` stands for any part of a name. Read once a run. */
  readonly beside?: string
  /** By the fact's name, where its value lies. Names that begin with `#` are for this spec's functions and not shown. */
  readonly take?: Readonly<Record<string, KeyPath>>
  /** Facts that are true where something other than None lies there (`*`: under any key), and false where not; of `torch` alone. */
  readonly has?: Readonly<Record<string, KeyPath>>
  /** Mappings whose numbers, texts and booleans are all taken; an empty path is the top. */
  readonly spread?: readonly KeyPath[]
  /** Keys that `spread` leaves out. */
  readonly leave?: RegExp
  readonly add?: Readonly<Record<string, number>>
  /** What the facts are, where `take` and `spread` do not do. Of `torch` only what they name is there; null: none. */
  readonly pick?: (content: Meta, unit: Unit, known: Meta) => Picked | Meta | null
  /** That it is broken says nothing of the checkpoint. */
  readonly lazy?: boolean
  /**
   * It is read only when this count is asked for and was not told: a small file of its own in each checkpoint. One beside
   * them is read where the sources before it leave this fact open for any checkpoint.
   */
  readonly later?: string
  /** At most this many bytes are read (64 MB when left out). */
  readonly limit?: number
}

/** A whole file that the spec reads itself: a long log of which little is needed. */
export interface BytesSource {
  readonly from: 'bytes'
  /** In the folder or group; a pattern takes the first by name. Absent: the file itself. */
  readonly file?: string | RegExp
  /** Throws FormatError. */
  readonly tell: (bytes: Uint8Array, unit: Unit, known: Meta) => Picked | Meta
  /** At most this many bytes are read (64 MB when left out). */
  readonly limit?: number
}

/** A file that the spec asks itself, through what was opened for its proof already. */
export interface LookSource {
  readonly from: 'look'
  /** In the folder or group; a pattern takes the first by name. Absent: the file itself. */
  readonly file?: string | RegExp
  /** Throws FormatError. */
  readonly tell: (look: FileLook, unit: Unit, known: Meta, io: LayoutIo) => Promise<Picked | Meta>
}

/** A log of all checkpoints: the row whose column `by` is the checkpoint's own step, epoch or name. */
export interface TableSource {
  readonly from: 'jsonl' | 'csv'
  /** Relative to the run's folder: `../results.csv`; a `*` stands for any part of a name. Several files are one log. */
  readonly beside: string
  readonly by: 'step' | 'epoch' | 'name'
  /** The column; `by` when left out. */
  readonly column?: string
  /** In place of the checkpoint's own count: what its row is found by, from its facts and those of all of the run. */
  readonly key?: (known: Meta, all: readonly Meta[]) => number | null
  /** The rows have no count of their own: it is their place among those that count, from 0. */
  readonly isInOrder?: boolean
  /** What to add to the checkpoint's number to get the column's: -1 where the log counts from 0. */
  readonly offset?: number
  /** Columns taken; without, all. */
  readonly columns?: RegExp
  /** Columns left out, beside the one joined by. */
  readonly leave?: RegExp
  /** What columns are called as facts, where not as they are: `{ timestamp: 'unixtime' }`. */
  readonly called?: Readonly<Record<string, string>>
  /** What stands in the names of values within a value: with `/`, `{"val": {"wer": 3}}` has `val/wer`. Absent: one value. */
  readonly between?: string
  /** Columns without which it is another program's log. */
  readonly requires?: readonly string[]
  /** Rows that count; without, all. Of several the later values win, column by column. */
  readonly rows?: (row: Meta) => boolean
}

/** A log in a notation of its own: the row whose `by` is the checkpoint's own has its facts. */
export interface RowsSource {
  readonly from: 'rows'
  /** As in `TableSource`; of several files the first that has a row. With a `*` where no other is there, and one alone. */
  readonly beside: readonly string[]
  readonly by: 'step' | 'epoch'
  /**
   * Of a file outside the run's folder: false where it may be that of another run. `around` are the names in each folder
   * beside the run's and in that itself, `holder` is the one of them that has the file; null: the one above has it.
   */
  readonly belongs?: (around: ReadonlyMap<string, readonly string[]>, holder: string | null) => boolean
  /** Throws FormatError. */
  readonly rows: (look: FileLook) => Promise<readonly Meta[]>
}

/** What the other checkpoints of the run tell of it. It is asked when all else is known. */
export interface RunSource {
  readonly from: 'run'
  /** Of the facts of all that have this source, what is to be added to each. */
  readonly tell: (all: readonly Meta[]) => readonly Meta[]
}

/** Facts, and when they were measured where that is not the checkpoint's own step. */
export interface Picked {
  readonly meta: Iterable<readonly [string, MetaValue]>
  readonly measuredAt?: ReadonlyMap<string, Moment>
  readonly findings?: readonly Finding[]
  readonly training?: TrainingMarks
}

/** What `read` found of one unit; absent from its answer: it is none of this run's after all. */
export interface Reading {
  readonly meta: Meta
  /** Step, epoch and `#save`, where they are not the `meta`'s. */
  readonly counts?: Meta
  readonly findings?: readonly Finding[]
  readonly measuredAt?: ReadonlyMap<string, Moment>
  readonly directions?: ReadonlyMap<string, Direction>
  readonly pointsTo?: readonly Pointer[]
  /** Name of the unit that is the same state. */
  readonly sameAs?: string
  readonly resumable?: boolean
  /** What going on needs and is not there. */
  readonly lacks?: readonly Part[]
  /** What a file holds, by its keys at the top. */
  readonly contents?: readonly string[]
  readonly training?: TrainingMarks
}

export interface Whole {
  /** The file that the framework writes last: without it the save was not finished. */
  readonly last?: string | RegExp
  /** Without `last` it is whole all the same: what somebody put there by hand, with nothing of a training in it. */
  readonly byHand?: (unit: Unit) => boolean
  /** Who writes it, in words; the framework's name when left out. */
  readonly writer?: string
  /** How `last` is called in words, where it is a pattern; `{name}` in it is the checkpoint's. */
  readonly lastName?: string
  /** Files without which the checkpoint is not whole; each missing one is a finding. */
  readonly needs?: readonly Need[]
  /** A file beside the checkpoint, with `{name}` in it, that is there while it is being written: `{name}-unfinished`. */
  readonly marker?: string
  /** Names within that are there only while it is being written. */
  readonly unfinished?: RegExp
  /** Names that must be there, from what the facts tell: one file a rank. */
  readonly expects?: (unit: Unit, facts: Meta) => readonly string[]
  /** Anything else that is wrong. */
  readonly check?: (unit: Unit, facts: Meta) => readonly Finding[]
}

export interface Need {
  readonly any: readonly (string | RegExp)[]
  /** What it means that none is there: `no model weights are there`. */
  readonly reason: string
}

export interface FileRule {
  readonly name: RegExp
  readonly role: Role
  /** For `--key`; absent: the name without its suffix. */
  readonly key?: string
  /** Its key is without the folder that it lies in. */
  readonly isBare?: boolean
  /** It may be missing from one checkpoint while all others have it. */
  readonly optional?: boolean
  /** A folder under that name is one too. */
  readonly folder?: boolean
  /** It has a role, and is not a parameter file with a key. */
  readonly unlisted?: boolean
}

export interface CopyRule {
  /** Names of those that may be copies: `last.pt`, `model_best.pth.tar`. The others are the originals. */
  readonly names: RegExp
  /**
   * `file`: several names of one file (hard links). `content`: files of one size, and one set of the checksums that a
   * zip archive has for its entries, or of a small file for its bytes. `facts`: the same value of all these facts.
   */
  readonly by: readonly ('file' | 'content' | { readonly facts: readonly string[] })[]
  /** Entries of an archive that tell its copies apart: when it was saved. */
  readonly leave?: RegExp
}

/** A unit before any layout has claimed it. */
export interface UnclaimedUnit {
  /** Relative to the run's folder. */
  readonly name: string
  /** Absolute; of a group perhaps only what its files' names have in common. */
  readonly path: string
  readonly kind: 'folder' | 'file' | 'group'
  /** Of a folder what is in it, and in the folders that a form looks into (`unet/config.json`); of a group its files. */
  readonly entries: readonly DirectoryEntry[]
  /** Why it could not be looked into; null when it could. */
  readonly finding: Finding | null
  /** Of the entries those that lead to no file, with what is wrong with them. */
  readonly odd: ReadonlyMap<string, Finding>
  /** Where it leads to, when it is a link. */
  readonly target: string | null
}

/** A candidate that a layout has claimed. */
export interface Unit extends UnclaimedUnit {
  readonly spec: LayoutSpec
  readonly form: Form
  /** The texts of the named groups of its form's `name`, by what the facts are called. */
  readonly named: ReadonlyMap<string, string>
  readonly folder: Folder
}

/** How a layout's own functions read: each path is read and opened once a scan, however many functions ask for it. */
export interface LayoutIo {
  readonly storage: ReadStorage
  look(path: string): Promise<FileLook>
}

/** What a file is, and what lies in it, found when it is asked for and then remembered. */
export interface FileLook {
  readonly path: string
  /** Bytes. */
  readonly size: number
  readonly is: ReadonlySet<Head>
  /** What is wrong with it as the format that it begins as; null when nothing is, or it is of no known one. */
  readonly broken: string | null
  /** What loading it would run; it can be asked all the same. */
  readonly unsafe: string | null
  /** Its first bytes, at most 4096. */
  head(): Promise<Uint8Array>
  /** What the opened file answers, or what it answered when it was the same in an earlier scan. */
  answer<T extends MetaValue>(question: Question<T>): Promise<T>
  /** Names of a zip archive's entries, with their checksums; null for another file. */
  zip(): Promise<ReadonlyMap<string, number> | null>
  /** An entry of a zip archive as JSON; null where there is none, or in another file. Throws FormatError. */
  zipJson(entry: string): Promise<MetaValue>
  /** The CRC-32 of all its bytes; null for a file that is too large to be read for that (4 MB). */
  sum(): Promise<number | null>
  /** All its bytes; at most `most`. Throws FormatError for a longer one. */
  bytes(most: number): Promise<Uint8Array>
  /** The file as JSON. Throws FormatError. */
  json(): Promise<MetaValue>
}

/** What can be asked of a file, so that the answer goes by the file alone. */
export interface Question<T extends MetaValue> {
  /** The same for the same question, and no other's. */
  readonly text: string
  /** Whether what is remembered can be an answer. */
  readonly fits: (value: MetaValue) => value is T
  readonly ask: (file: OpenedFile) => Promise<T>
}

/** One file that was opened. */
export interface OpenedFile extends FileLook {
  /** Its bytes; of a file that is broken, none. */
  readonly source: ByteSource
  /** What torch.save wrote; null for another file. */
  readonly torch: TorchObject | null
  /** True when what torch.save wrote has something at that path. */
  hasTorchKey(path: KeyPath): boolean
  /** True for a state dict, or a whole module, at that path. */
  hasStateDict(path: KeyPath): boolean
  /** The same under any of the keys at the top. */
  hasStateDictIn(): boolean
  /** True for something other than None; a `*` in the path stands for any key. */
  holdsTorchKey(path: KeyPath): boolean
  /** The value there, with tensors of one element as numbers and without the others. */
  torchValue(path: KeyPath): Promise<MetaValue | undefined>
  /** By key, the same of all there that hold no others: a model or an optimizer's state is not gone through. */
  torchScalars(path: KeyPath): Promise<Meta>
  /** The keys there; none where there is no mapping. */
  torchKeys(path: KeyPath): readonly string[]
}
