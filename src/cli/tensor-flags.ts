/** What the commands on tensors share: their flags, and from an argument to an open file. */
import { Flags } from '@oclif/core'
import { CkptError } from '../core/errors.js'
import { parseSize } from '../core/choosing/expression/index.js'
import type { OutputFormat } from '../core/tensors/write/index.js'
import { canCast, isFloatDtype, parseDtype, type Dtype } from '../core/tensors/read/index.js'

const repeatable = { multiple: true, multipleNonGreedy: true } as const

export const keyFlag = Flags.string({
  helpValue: 'KEY',
  description: 'the parameter file of this key, of a checkpoint; the one with the weights when left out',
})

export const outputFlags = {
  output: Flags.string({ char: 'o', helpValue: 'FILE', description: 'write the result here' }),
  force: Flags.boolean({ char: 'f', description: 'replace what is at the output' }),
}

export const formatOptions = ['safetensors', 'torch'] as const

export const formatFlag = Flags.custom<OutputFormat>({
  helpValue: 'FORMAT',
  options: [...formatOptions],
  description: 'safetensors or torch; when left out, what the name of the output says',
})

export const shardSizeFlag = Flags.custom<number>({
  helpValue: 'SIZE',
  description: `at most so much in each of several files, with their index: 4GB, 500MiB; with --force the shards that an index of
that name listed before go, or the one file`,
  parse: async (text) => {
    const bytes = parseSize(text.trim())
    if (bytes !== undefined && bytes >= 1) return Math.floor(bytes)
    throw new CkptError('usage', `--shard-size ${text}: no size`, { hint: 'as in 4GB or 500MiB' })
  },
})

export const dtypeFlag = Flags.custom<Dtype>({
  helpValue: 'DTYPE',
  description: 'cast all floating-point tensors: F16, bfloat16, …; integers and booleans keep theirs',
  parse: async (text) => {
    const dtype = parseDtype(text)
    if (isFloatDtype(dtype) && canCast('F32', dtype)) return dtype
    throw new CkptError('usage', `--dtype ${text}: weights are cast to floating-point dtypes only`, {
      hint: 'as in F16, bfloat16, F32, F64, F8_E4M3 or F8_E5M2',
    })
  },
})

const helpGroup = 'NAMES'

export const filterFlags = {
  include: Flags.string({
    ...repeatable,
    helpGroup,
    helpValue: 'PATTERN',
    description: 'only names that match: * stays between two dots, ** crosses them',
  }),
  exclude: Flags.string({
    ...repeatable,
    helpGroup,
    helpValue: 'PATTERN',
    description: 'no names that match',
  }),
}

export const nameFlags = {
  ...filterFlags,
  map: Flags.string({
    ...repeatable,
    helpGroup,
    helpValue: 'OLD=NEW',
    description: 'the tensor OLD of the source, or all below OLD., goes into NEW',
  }),
  'map-file': Flags.string({
    helpGroup,
    helpValue: 'FILE',
    description: 'many of these: lines OLD=NEW, what follows # left out, or a JSON object',
  }),
  'strip-prefix': Flags.string({
    ...repeatable,
    helpGroup,
    helpValue: 'PREFIX',
    description: "taken from the source's names that begin with it",
  }),
  rename: Flags.string({
    ...repeatable,
    helpGroup,
    helpValue: 's/…/…/',
    description: "change the source's names as sed -E does, after --strip-prefix",
  }),
  'add-prefix': Flags.string({ helpGroup, helpValue: 'PREFIX', description: 'put before them, at last' }),
  'no-auto-prefix': Flags.boolean({
    helpGroup,
    description: 'where no name matches, do not try module., model., _orig_mod. and state_dict.',
  }),
}
