/** A user's own command in place of what ckpt does with one file of a checkpoint. */
import type { FilePosition } from '../../formats/yaml/config-yaml.js'

/**
 * What a command can stand in for. `save`: source is what was given, target the file in the new checkpoint. `load`:
 * source is the file, target what is read in its place. `transfer`: target is what comes of it. `verify`: its exit
 * status says whether source is whole.
 */
export type Step = 'save' | 'load' | 'transfer' | 'verify'

export const steps: readonly Step[] = ['save', 'load', 'transfer', 'verify']

/** What a command can be given: the words in braces. */
export type Placeholder = 'source' | 'target' | 'template' | 'key' | 'path' | 'name'

/**
 * `template` is the file whose structure a transfer keeps; `path` and `name` are those of the checkpoint that the file
 * belongs to, which a save has no name for yet.
 */
export const placeholdersOf: Readonly<Record<Step, readonly Placeholder[]>> = {
  save: ['source', 'target', 'key'],
  load: ['source', 'target', 'key', 'path', 'name'],
  transfer: ['source', 'target', 'template', 'key', 'path', 'name'],
  verify: ['source', 'key', 'path', 'name'],
}

/** A piece of an argument: as it is written, or filled in. */
export type Part =
  { readonly kind: 'text'; readonly text: string } | { readonly kind: 'value'; readonly name: Placeholder }

/** One argument, of parts that are as they are written and such that are filled in. */
export type Word = readonly Part[]

export interface Command {
  /** As it is written. */
  readonly text: string
  readonly position: FilePosition
  /** Null: a shell takes the text as it is, and the values from its environment. */
  readonly words: readonly Word[] | null
}

/** One entry of the list `hooks:`. */
export interface Hook {
  readonly selector: Selector
  readonly commands: ReadonlyMap<Step, Command>
  /** Seconds, after which a command is stopped; null for none. */
  readonly timeout: number | null
  readonly position: FilePosition
  readonly folder: HookFolder
}

/** The folder of the file that a hook stands in, where its commands run. */
export interface HookFolder {
  /** Absolute. */
  readonly path: string
  /** The very folder that was looked at: the owner of a folder above it can put another there. Null where none was. */
  readonly identity: { readonly device: bigint; readonly inode: bigint } | null
}

/** By the key of a parameter file, or by a pattern for names of files. */
export type Selector =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'match'; readonly pattern: string; readonly matches: (name: string) => boolean }
