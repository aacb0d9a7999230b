/** Shared by the commands on tensors: their flags, and opening the file that an argument names. */
import { Flags } from '@oclif/core'
import { CkptError } from '../../core/errors.js'
import type { ConvertOptions } from '../../core/tensors/convert/index.js'
import { compileMapping, parseMapEntries, type NameMapping, nameFilter } from '../../core/tensors/names/index.js'
import { parseSize } from '../../core/choosing/expression/index.js'
import type { OutputFormat } from '../../core/tensors/write/index.js'
import { canCast, isFloatDtype, parseDtype, type Dtype } from '../../core/tensors/read/index.js'

const repeatable = { multiple: true, multipleNonGreedy: true } as const

export const keyFlag = Flags.string({
  helpValue: 'KEY',
  description: 'of a checkpoint: take its parameter file with this key; left out: the one with the weights',
})

export const outputFlags = {
  output: Flags.string({ char: 'o', helpValue: 'FILE', description: 'write the result here, or into this folder' }),
  force: Flags.boolean({ char: 'f', description: 'overwrite the output where it exists' }),
}

export const partFlag = Flags.string({
  helpValue: 'PART',
  description: `which part of a file that holds more than weights: model, ema, optimizer, or another key; left out: the weights`,
})

export const weightsOnlyFlag = Flags.boolean({
  description: 'write the state_dict alone, without the rest of what the newest torch file holds',
})

export const formatOptions = ['safetensors', 'torch'] as const

export const formatFlag = Flags.custom<OutputFormat>({
  helpValue: 'FORMAT',
  options: [...formatOptions],
  description: 'safetensors or torch; left out: by the name of the output',
})

export const shardSizeFlag = Flags.custom<number>({
  helpValue: 'SIZE',
  description: `split the output into files of at most this size, with an index: 4GB, 500MiB; with --force the files of an earlier output of that name are deleted`,
  parse: async (text) => {
    const bytes = parseSize(text.trim())
    if (bytes !== undefined && bytes >= 1) return Math.floor(bytes)
    throw new CkptError('usage', `--shard-size ${text}: no size`, { hint: 'as in 4GB or 500MiB' })
  },
})

export const dtypeFlag = Flags.custom<Dtype>({
  helpValue: 'DTYPE',
  description: 'cast all floating-point tensors: F16, bfloat16, …; integers and booleans keep theirs',
  parse: async (text) => floatDtype('--dtype', text),
})

/** Throws CkptError `usage` for what is not a floating-point dtype. */
function floatDtype(flag: string, text: string): Dtype {
  const dtype = parseDtype(text)
  if (isFloatDtype(dtype) && canCast('F32', dtype)) return dtype
  throw new CkptError('usage', `${flag} ${text}: weights are cast to floating-point dtypes only`, {
    hint: 'as in F16, bfloat16, F32, F64, F8_E4M3 or F8_E5M2',
  })
}

/** The dtype for each name, as --dtype and --dtype-of say it. Throws CkptError `usage`. */
export async function compileDtypes(
  all: Dtype | undefined,
  some: readonly string[] = [],
): Promise<(name: string) => Dtype | undefined> {
  const rules = await Promise.all(
    some.map(async (text) => {
      const equals = text.lastIndexOf('=')
      if (equals <= 0) {
        throw new CkptError('usage', `--dtype-of ${text}: it is written PATTERN=DTYPE`, {
          hint: "as in '**.weight=BF16'",
        })
      }
      const matches = await nameFilter([text.slice(0, equals)])
      return { matches, dtype: floatDtype('--dtype-of', text.slice(equals + 1)) }
    }),
  )
  return (name) => rules.findLast(({ matches }) => matches(name))?.dtype ?? all
}

/** `PATTERN=DTYPE`, more often than once. */
export const dtypeOfFlag = Flags.string({
  ...repeatable,
  helpValue: 'PATTERN=DTYPE',
  description: `cast only floating-point tensors whose names match: '**.weight=BF16'; it wins over --dtype, and the last that matches wins`,
})

export const strictCastFlag = Flags.boolean({
  description:
    'refuse where a cast makes values infinite, zero, NaN or another number, as integers wrap and F8_E4M3 ends at 448 (exit status 5); otherwise they are counted',
})

const helpGroup = 'NAMES'

export const filterFlags = {
  include: Flags.string({
    ...repeatable,
    helpGroup,
    helpValue: 'PATTERN',
    description: 'only names that match: * matches up to the next dot, ** across dots',
  }),
  exclude: Flags.string({
    ...repeatable,
    helpGroup,
    helpValue: 'PATTERN',
    description: 'no names that match',
  }),
}

/** Of two files that are compared. */
export const stripBothFlag = Flags.string({
  ...repeatable,
  helpGroup,
  helpValue: 'PREFIX',
  description: 'remove this prefix from the names of both, where they have it',
})

/** The choice of names, and their changes. */
export const renameFlags = {
  ...filterFlags,
  map: Flags.string({
    ...repeatable,
    helpGroup,
    helpValue: 'OLD=NEW',
    description: "put the source's tensor OLD, or all below OLD., into NEW",
  }),
  'strip-prefix': Flags.string({
    ...repeatable,
    helpGroup,
    helpValue: 'PREFIX',
    description: "remove this prefix from the source's names",
  }),
  rename: Flags.string({
    ...repeatable,
    helpGroup,
    helpValue: 's/…/…/',
    description: "change the source's names as sed -E does, after --strip-prefix",
  }),
  'add-prefix': Flags.string({
    helpGroup,
    helpValue: 'PREFIX',
    description: "put this prefix before the source's names, after all other changes",
  }),
}

export const nameFlags = {
  ...renameFlags,
  'map-file': Flags.string({
    helpGroup,
    helpValue: 'FILE',
    description: 'read --map entries from this file: lines OLD=NEW (# begins a comment), or a JSON object',
  }),
  'no-auto-prefix': Flags.boolean({
    helpGroup,
    description: 'where no name matches, do not try module., model., _orig_mod. and state_dict.',
  }),
}

interface RenameFlags {
  readonly include?: readonly string[] | undefined
  readonly exclude?: readonly string[] | undefined
  readonly map?: readonly string[] | undefined
  readonly 'strip-prefix'?: readonly string[] | undefined
  readonly rename?: readonly string[] | undefined
  readonly 'add-prefix'?: string | undefined
}

export interface NamesChosen {
  readonly names: NameMapping
  /** For `planConversion`: only what was asked for. */
  readonly chosen: Pick<ConvertOptions, 'isWanted' | 'rename'>
  readonly isChanged: boolean
}

/** What `renameFlags` say. Throws CkptError `usage` and `bad-expression`. */
export async function namesChosen(flags: RenameFlags): Promise<NamesChosen> {
  const rules = {
    include: flags.include ?? [],
    exclude: flags.exclude ?? [],
    map: parseMapEntries(flags.map ?? []),
    stripPrefixes: flags['strip-prefix'] ?? [],
    renames: flags.rename ?? [],
    addPrefix: flags['add-prefix'] ?? '',
  }
  const names = await compileMapping(rules)
  const isFiltered = rules.include.length + rules.exclude.length > 0
  const isRenamed = rules.map.size + rules.stripPrefixes.length + rules.renames.length + rules.addPrefix.length > 0
  const chosen = {
    ...(isFiltered ? { isWanted: names.isWanted } : {}),
    ...(isRenamed ? { rename: names.rename } : {}),
  }
  return { names, chosen, isChanged: isFiltered || isRenamed }
}
