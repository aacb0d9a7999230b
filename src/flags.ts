/** Flags that several commands share: one flag has one meaning everywhere. */
import { Args, Flags } from '@oclif/core'

/** Flags whose value is an expression, which may begin with `-`. */
export const expressionFlags: ReadonlySet<string> = new Set(['--by', '--where', '--keep-where'])

export const runArgument = Args.string({
  name: 'run',
  description: 'the directory that the checkpoints lie in, or a folder above one run',
  default: '.',
  ignoreStdin: true,
})

const helpGroup = 'SELECTION'

export const selectionFlags = {
  min: Flags.string({
    helpGroup,
    helpValue: 'KEY',
    description: 'rank by this key of the meta, the lowest first; only checkpoints that have it take part',
    multiple: true,
    multipleNonGreedy: true,
  }),
  max: Flags.string({
    helpGroup,
    helpValue: 'KEY',
    description: 'the same, the highest first',
    multiple: true,
    multipleNonGreedy: true,
  }),
  by: Flags.string({
    helpGroup,
    helpValue: 'EXPR',
    description: "rank by an expression, the highest first: '-loss / num-examples'",
    multiple: true,
    multipleNonGreedy: true,
    parse: trim,
  }),
  where: Flags.string({
    helpGroup,
    helpValue: 'EXPR',
    description: `only checkpoints for which this is true: 'epoch > 3 and validation-type == "full"'`,
    multiple: true,
    multipleNonGreedy: true,
    parse: trim,
  }),
}

export const verifyFlag = (description: string, fallback?: 'none' | 'quick' | 'deep') =>
  Flags.string({
    helpValue: 'LEVEL',
    options: ['none', 'quick', 'deep'] as const,
    description,
    ...(fallback === undefined ? {} : { default: fallback }),
  })

export const dryRunFlag = Flags.boolean({ char: 'n', description: 'show what would be done and change nothing' })

export const yesFlag = Flags.boolean({ char: 'y', description: 'do not ask' })

async function trim(text: string): Promise<string> {
  return text.trim()
}
