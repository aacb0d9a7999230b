/** What a command says of itself: oclif's parser reads the command line by it, and draws help and completion from it. */
import type { Interfaces } from '@oclif/core'

export abstract class DescribedCommand {
  /** As the registry knows it (src/commands/index.ts): `trash:empty`. */
  static id = ''
  static summary: string | undefined
  static description: string | undefined
  static examples: { readonly description: string; readonly command: string }[] | undefined
  static usage: string | undefined
  static aliases: string[] = []
  static hidden = false
  static args: Interfaces.ArgInput = {}
  static flags: Interfaces.FlagInput = {}
  /** What every command has. */
  static baseFlags: Interfaces.FlagInput = {}
  /** Refuses arguments that `args` does not name. */
  static strict = true

  /**
   * Flags that make sense together only: where one of them is typed, none of the others is taken from a file. What
   * ranks is one question.
   */
  static together: readonly (readonly string[])[] = [['min', 'max', 'by', 'then-min', 'then-max']]

  /** The first argument stands for itself, and for no run below it. */
  static isExact = false

  /**
   * It changes nothing: settings that somebody else may have written, and files that hold none, are left out, which is
   * told; others refuse.
   */
  static isReader = false

  /** It is there to find mistakes in settings: a file that holds none is one. */
  static tellsMistakes = false

  /** Its documents are one line each, errors too: it prints one for each thing that happens. */
  static isLineByLine = false

  /**
   * It looks into files several times over: for what they hold, what they are called, what they would run. Each look at a
   * small one may make garbage of many times its size.
   */
  static looksDeep = false

  /** Does what was asked for. The caller reports its errors. */
  abstract run(): Promise<void>
}

/** What is known of a command without an instance of it. */
export type Description = Omit<typeof DescribedCommand, 'prototype'>

/** As it is typed: `trash empty`. */
export function nameOf({ id }: Description): string {
  return id.replaceAll(':', ' ')
}

export function flagsOf({ baseFlags, flags }: Description): Interfaces.FlagInput {
  return { ...baseFlags, ...flags }
}

/** By the name of a flag that takes one of a few values: those. */
export function choicesOf(flags: Interfaces.FlagInput): Record<string, readonly string[]> {
  return Object.fromEntries(
    Object.entries(flags).flatMap(([name, flag]) =>
      flag.type === 'option' && flag.options !== undefined ? [[name, flag.options]] : [],
    ),
  )
}
