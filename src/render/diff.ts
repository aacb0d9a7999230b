/** What differs between two files, as people see it and for --json. */
import {
  isComparable,
  type Both,
  type Comparison,
  type Measured,
  type PrefixBetween,
} from '../core/tensors/compare/index.js'
import { plainShape, type TensorFile, type TensorInfo } from '../core/tensors/read/index.js'
import { painter } from './colours.js'
import type { Output } from './output.js'
import { hangBehindName } from './hanging-indent.js'
import { formatNumber, plural } from './units.js'
import { quoteWord } from '../core/formats/text/shell-words.js'

/** Nothing is compared by value where `measured` is null. */
export function isDifferent(
  { added, removed, reshaped, recast }: Comparison,
  measured: readonly Measured[] | null,
): boolean {
  const forms = added.length + removed.length + reshaped.length + recast.length
  return forms > 0 || (measured?.some(({ distance }) => !distance.equal) ?? false)
}

export function* renderDiff(
  comparison: Comparison,
  measured: readonly Measured[] | null,
  { colours, width }: Output,
): Generator<string> {
  const paint = painter(colours)
  const { added, removed, reshaped, recast, alike } = comparison
  const line = (colour: 'bad' | 'good' | 'warning', mark: string, { name }: TensorInfo, text: string) =>
    hangBehindName(paint(colour, mark), name, text, width)
  for (const tensor of removed) yield* line('bad', '-', tensor, form(tensor))
  for (const tensor of added) yield* line('good', '+', tensor, form(tensor))
  for (const { a, b } of [...reshaped, ...recast]) yield* line('warning', '~', a, `${form(a)} to ${form(b)}`)
  const moved = measured?.filter(({ distance }) => !distance.equal) ?? []
  for (const { a, distance } of moved) yield* line('warning', '≠', a, describeDistance(distance))
  const forms = `${plural(alike.length, 'tensor')} of one form, ${removed.length} removed, ${added.length} added, ${reshaped.length} reshaped, ${recast.length} recast`
  yield measured === null
    ? forms
    : `${forms}; of ${measured.length} compared ${measured.length - moved.length} are equal`
}

/** `typed` are the words behind `ckpt diff`. */
export function renderPrefixBetween({ prefixes, names }: PrefixBetween, typed: readonly string[]): string {
  const flags = prefixes.flatMap((prefix) => ['--strip-prefix', prefix])
  const command = ['ckpt', 'diff', ...typed, ...flags].map(quoteWord).join(' ')
  return `without ${prefixes.join(' and ')} ${plural(names, 'name')} would be alike: ${command}`
}

/** Of values. */
export function renderUncompared(pairs: readonly Both[]): string {
  const some = pairs
    .slice(0, 5)
    .map(({ a, b }) => `${a.name} (${a.dtype === b.dtype ? a.dtype : `${a.dtype}, ${b.dtype}`})`)
  const more = pairs.length > some.length ? ', …' : ''
  return `values of ${plural(pairs.length, 'tensor')} cannot be compared: ${some.join(', ')}${more}`
}

function describeDistance({ max, mean, cosine, unequalSpecials }: Measured['distance']): string {
  const specials = unequalSpecials === 0 ? '' : `, ${unequalSpecials} NaN or infinite on one side`
  const angle = cosine === null ? '' : `, cosine ${formatNumber(cosine, 8)}`
  return `max ${formatNumber(max)}, mean ${formatNumber(mean)}${angle}${specials}`
}

function form({ dtype, shape }: TensorInfo): string {
  return `${dtype} [${shape.join(', ')}]`
}

export function diffDocument(
  a: TensorFile,
  b: TensorFile,
  comparison: Comparison,
  measured: readonly Measured[] | null,
) {
  const { added, removed, reshaped, recast, alike } = comparison
  const formOf = ({ dtype, shape }: TensorInfo) => ({ dtype, shape: plainShape(shape) })
  return {
    a: a.path,
    b: b.path,
    differ: isDifferent(comparison, measured),
    added: added.map((tensor) => ({ name: tensor.name, ...formOf(tensor) })),
    removed: removed.map((tensor) => ({ name: tensor.name, ...formOf(tensor) })),
    reshaped: reshaped.map((pair) => ({ name: pair.a.name, a: formOf(pair.a), b: formOf(pair.b) })),
    recast: recast.map((pair) => ({ name: pair.a.name, from: pair.a.dtype, to: pair.b.dtype })),
    alike: alike.length,
    uncompared:
      measured === null
        ? null
        : [...alike, ...recast].filter((pair) => !isComparable(pair)).map(({ a: { name } }) => name),
    values:
      measured?.map(({ a: { name }, distance }) => {
        const { equal, max, mean, cosine, unequalSpecials } = distance
        return { name, equal, max, mean, cosine, unequalSpecials }
      }) ?? null,
  }
}
