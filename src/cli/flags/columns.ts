/** `--columns`: the columns by name, or what is added to and taken from those that there would be. */
import { CkptError } from '../../core/errors.js'
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

/**
 * A column, or a key to sort by, that no checkpoint has is a slip. Throws CkptError `usage` for the first of them;
 * `columns` may have been meant, too.
 */
export function refuseUnknown(unknown: readonly UnknownKey[], root: string, columns: readonly string[] = []): void {
  const slip = unknown.find(({ name, elsewhere }) => elsewhere !== true && !builtInNames.includes(name))
  if (slip === undefined) return
  const { name, nearest = nearestNames(name, columns) } = slip
  throw new CkptError('usage', describeUnknownKey({ name }), {
    hint: nearest.length === 0 ? `see what there is: ckpt show ${quoteWord(root)}` : meant(nearest),
  })
}
