/** The program as its commands see it. */
import type { Description } from './described-command.js'

export interface Program {
  /** Where ckpt is installed. */
  readonly root: string
  readonly version: string
  /** Another one for every other build: what one has made of a file another may not. */
  readonly build: string
  /** By id: `trash:empty`. */
  readonly commands: ReadonlyMap<string, () => Promise<CommandClass>>
  /** Has less memory used from then on, and more time; undefined where that cannot be. */
  readonly spareMemory?: (() => void) | undefined
}

export type CommandClass = Description &
  (new (argv: string[], program: Program) => { readonly execute: () => Promise<void> })
