/** What differs between two files, as people see it and for --json. */
import type { Comparison, Measured } from '../core/compare/index.js'
import { plainShape, type TensorFile, type TensorInfo } from '../core/tensors/index.js'
import { painter } from './colours.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import { formatNumber, plural } from './units.js'

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
  { colours }: Output,
): Generator<string> {
  const paint = painter(colours)
  const { added, removed, reshaped, recast, alike } = comparison
  for (const tensor of removed) yield `${paint('bad', '-')} ${describe(tensor)}`
  for (const tensor of added) yield `${paint('good', '+')} ${describe(tensor)}`
  for (const { a, b } of [...reshaped, ...recast]) {
    yield `${paint('warning', '~')} ${printable(a.name)}  ${form(a)} to ${form(b)}`
  }
  const moved = measured?.filter(({ distance }) => !distance.equal) ?? []
  for (const { a, distance } of moved) {
    const { max, mean, cosine, unequalSpecials } = distance
    const specials = unequalSpecials === 0 ? '' : `, ${unequalSpecials} NaN or infinite on one side`
    const angle = cosine === null ? '' : `, cosine ${formatNumber(cosine, 8)}`
    yield `${paint('warning', '≠')} ${printable(a.name)}  max ${formatNumber(max)}, mean ${formatNumber(mean)}${angle}${specials}`
  }
  const forms = `${plural(alike.length, 'tensor')} of one form, ${removed.length} removed, ${added.length} added, ${reshaped.length} reshaped, ${recast.length} recast`
  yield measured === null
    ? forms
    : `${forms}; of ${measured.length} compared ${measured.length - moved.length} are equal`
}

function describe(tensor: TensorInfo): string {
  return `${printable(tensor.name)}  ${form(tensor)}`
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
    values:
      measured?.map(({ a: { name }, distance }) => {
        const { equal, max, mean, cosine, unequalSpecials } = distance
        return { name, equal, max, mean, cosine, unequalSpecials }
      }) ?? null,
  }
}
