/** What may be a checkpoint: an entry of a folder, with what is in it, as it was listed once for all layouts. */
import type { Finding, Meta, MetaValue } from '../../../checkpoint.js'
import type { Entry, ReadStorage } from '../../../storage/storage.js'
import type { Folder } from '../layout.js'
import type { Form, Head, KeyPath, LayoutSpec } from '../spec.js'

/** A unit before any layout has claimed it. */
export interface Candidate {
  /** Relative to the run's folder. */
  readonly name: string
  /** Absolute; of a group perhaps only what its files' names have in common. */
  readonly path: string
  readonly kind: 'folder' | 'file' | 'group'
  /** Of a folder what is in it, and in the folders that a form looks into (`unet/config.json`); of a group its files. */
  readonly entries: readonly Entry[]
  /** Why it could not be looked into; null when it could. */
  readonly finding: Finding | null
  /** Of the entries those that lead to no file, with what is wrong with them. */
  readonly odd: ReadonlyMap<string, Finding>
  /** Where it leads to, when it is a link. */
  readonly target: string | null
}

/** A candidate that a layout has claimed. */
export interface Unit extends Candidate {
  readonly spec: LayoutSpec
  readonly form: Form
  /** The texts of the named groups of its form's `name`, by what the facts are called. */
  readonly named: ReadonlyMap<string, string>
  readonly folder: Folder
}

/** What a layout's own functions may read through: each path once a scan, whoever asks. */
export interface LayoutIo {
  readonly storage: ReadStorage
  look(path: string): Promise<FileLook>
}

/** One file that was opened: what it is, and what lies in it, found when it is asked for and then remembered. */
export interface FileLook {
  readonly path: string
  /** Bytes. */
  readonly size: number
  readonly head: Uint8Array
  readonly is: ReadonlySet<Head>
  /** What is wrong with it as the format that it begins as; null when nothing is, or it is of no known one. */
  readonly broken: string | null
  /** True when what torch.save wrote has something at that path. */
  hasTorchKey(path: KeyPath): boolean
  /** True for a state dict, or a whole module, at that path. */
  hasStateDict(path: KeyPath): boolean
  /** True for something other than None. */
  holdsTorchKey(path: KeyPath): boolean
  /** The value there, with tensors of one element as numbers and without the others. */
  torchValue(path: KeyPath): Promise<MetaValue | undefined>
  /** The keys there; none where there is no mapping. */
  torchKeys(path: KeyPath): readonly string[]
  /** Names of a zip archive's entries, with their checksums; null for another file. */
  zip(): Promise<ReadonlyMap<string, number> | null>
  /** The file as JSON. Throws FormatError. */
  json(): Promise<MetaValue>
}

export function pathOf(path: KeyPath): readonly string[] {
  return typeof path === 'string' ? [path] : path
}

/** The value that these keys lead to. */
export function valueIn(content: MetaValue | undefined, path: KeyPath): MetaValue | undefined {
  let value = content
  for (const key of pathOf(path)) {
    if (!(value instanceof Map)) return undefined
    value = (value as Meta).get(key)
  }
  return value
}
