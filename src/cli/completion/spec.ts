/** The commands and flags that completion offers: dist/completion.json, which the build makes from oclif.manifest.json. */

export interface FlagSpec {
  readonly char?: string
  /** False: it stands alone. */
  readonly takesValue: boolean
  /** `FILE`, `KEY`, `EXPR`, … as help shows it. */
  readonly helpValue?: string
  /** The values that there are. */
  readonly options?: readonly string[]
  readonly repeatable?: boolean
  readonly description: string
}

export interface CommandSpec {
  readonly summary: string
  readonly args: readonly { readonly name: string; readonly multiple: boolean }[]
  readonly flags: Readonly<Record<string, FlagSpec>>
}

/** By the words that are typed: `list`, `trash empty`. */
export type CompletionSpec = Readonly<Record<string, CommandSpec>>
