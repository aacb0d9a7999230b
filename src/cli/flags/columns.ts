/** `--columns`: the columns by name, or what is added to and taken from those that there would be. */
import { CkptError } from '../../core/errors.js'
import type { FilePosition } from '../../core/formats/yaml/config-yaml.js'
import { nearestNames } from '../../core/nearest.js'
import { builtInNames, describeUnknownKey, meant, type UnknownKey } from '../../core/choosing/selection/index.js'
import { quoteWord } from '../../core/formats/text/shell-words.js'

/** What `ckpt runs` shows of each run where nothing else is asked for. */
export const columnsOfRuns = [
  'run',
  'layout',
  'checkpoints',
  'latest',
  'step',
  'epoch',
  'best',
  'best-checkpoint',
  'health',
  'size',
]

export type ColumnChoice =
  | { readonly kind: 'these'; readonly names: readonly string[] }
  | { readonly kind: 'changed'; readonly added: readonly string[]; readonly removed: readonly string[] }

/** `name,WER` or `+lr,-loss`. Throws CkptError `usage` for a mixture. */
export function parseColumns(text: string): ColumnChoice {
  const words = text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
  const signed = words.filter((word) => /^[+-]./.test(word))
  if (signed.length === 0) return { kind: 'these', names: words }
  const bare = words.find((word) => !signed.includes(word))
  if (bare !== undefined) {
    throw new CkptError(
      'usage',
      `--columns ${text}: + and - change the columns that there would be, and ${bare} has neither`,
      {
        hint: `--columns +${bare}, or only names: --columns name,${bare}`,
      },
    )
  }
  const named = (sign: string) => signed.filter((word) => word.startsWith(sign)).map((word) => word.slice(1))
  return { kind: 'changed', added: named('+'), removed: named('-') }
}

/** What comes of the columns that there would be. What is added stands behind the last of them that is a key. */
export function changedColumns(
  usual: readonly string[],
  choice: ColumnChoice | null,
  isKey: (name: string) => boolean,
): string[] {
  if (choice === null) return [...usual]
  if (choice.kind === 'these') return [...choice.names]
  const kept = usual.filter((name) => !choice.removed.includes(name))
  const added = choice.added.filter((name) => !kept.includes(name))
  const last = kept.findLastIndex(isKey)
  const at =
    last === -1
      ? Math.max(
          0,
          kept.findIndex((name) => name === 'size'),
        )
      : last + 1
  return [...kept.slice(0, at), ...added, ...kept.slice(at)]
}

export interface NamesAsked {
  /** The folder that was asked about. */
  readonly root: string
  /** Names beside the keys that may have been meant. */
  readonly columns?: readonly string[]
  readonly flags: { readonly columns?: string | undefined; readonly sort?: string | undefined }
  /** Of the flags that a file of settings has set. */
  readonly positions: ReadonlyMap<string, FilePosition>
}

/** A column, or a key to sort by, that no checkpoint has is a slip. Throws CkptError `usage` for the first of them. */
export async function refuseUnknown(unknown: readonly UnknownKey[], asked: NamesAsked): Promise<void> {
  const slip = unknown.find(({ name, elsewhere }) => elsewhere !== true && !builtInNames.includes(name))
  if (slip === undefined) return
  const { name, nearest = nearestNames(name, asked.columns ?? []) } = slip
  const error = new CkptError('usage', describeUnknownKey({ name }), {
    hint: nearest.length === 0 ? `see what there is: ckpt show ${quoteWord(asked.root)}` : meant(nearest),
  })
  const position = asked.positions.get(asked.flags.columns?.includes(name) === true ? 'columns' : 'sort')
  if (position === undefined) throw error
  const { atPosition } = await import('../../core/formats/yaml/config-yaml.js')
  throw atPosition(position, error)
}
