/** All commands with what files of settings may say of them. */
import type { Program } from '../command-line/program.js'
import type { DescribedCommand } from './schema.js'

export type SettableCommand = DescribedCommand & { readonly isExact: boolean }

/** In the order of the program. */
export async function allCommands({ commands }: Program): Promise<SettableCommand[]> {
  const classes = await Promise.all([...commands.values()].map((load) => load()))
  const names = [...commands.keys()].map((id) => id.replaceAll(':', ' '))
  return classes.map(({ summary, baseFlags, flags, together, isExact }, index) => ({
    name: names[index] ?? '',
    summary: summary ?? '',
    flags: { ...baseFlags, ...flags },
    together,
    isExact,
  }))
}
