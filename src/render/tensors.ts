/** The tensors of files as people see them. */
import type { MetaValue } from '../core/checkpoint.js'
import type { Measured, TensorInfo } from '../core/tensors/index.js'
import { isMeta } from '../core/checkpoint.js'
import { formatMeta } from './checkpoints.js'
import { painter, type Paint } from './colours.js'
import { foldTensors } from './fold-tensors.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import { formatNumber, formatSize, plural } from './units.js'
import { aligned } from './aligned.js'

export interface ListedTensor extends TensorInfo, Measured {}

export interface ListedFile {
  /** The key of a checkpoint's file; null for a file that stands for itself. */
  readonly key: string | null
  readonly path: string
  readonly tensors: readonly ListedTensor[]
  readonly metadata: ReadonlyMap<string, string>
  readonly values: MetaValue
  readonly findings: readonly string[]
  readonly opaque: ReadonlyMap<string, number>
  readonly unsafe: readonly string[]
}

/** Values that are listed; --json has all. */
const mostValues = 20

export function renderTensors(files: readonly ListedFile[], output: Output): string[] {
  const paint = painter(output.colours)
  return files.flatMap((file, index) => [...(index === 0 ? [] : ['']), ...renderFile(file, paint)])
}

function renderFile(file: ListedFile, paint: Paint): string[] {
  const { tensors, metadata, values, opaque } = file
  return [
    titleOf(file, paint),
    ...indented(aligned([...metadata].map(([key, value]) => [printable(key), printable(value)]))),
    ...indented(tensors.some(isMeasured) ? measuredLines(tensors, paint) : foldedLines(tensors)),
    ...section('values beside the tensors', valueLines(values), paint),
    ...section(
      'kept as names only',
      [...opaque].map(([name, count]) => `${printable(name)}${count === 1 ? '' : ` (${count} times)`}`),
      paint,
    ),
  ]
}

/** `model  /path: 36 tensors, 1.2 MB`; what is shared is counted once. */
export function titleOf({ key, path, tensors }: ListedFile, paint: Paint): string {
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0)
  const shared = tensors.filter(({ name, shared }) => shared !== undefined && shared !== name).length
  const note = shared === 0 ? '' : `, ${shared} of them in the storage of another`
  const title = key === null ? printable(path) : `${printable(key)}  ${printable(path)}`
  return `${paint('title', title)}: ${plural(tensors.length, 'tensor')}, ${formatSize(bytes)}${note}`
}

function isMeasured({ sha256, stats }: ListedTensor): boolean {
  return sha256 !== undefined || stats !== undefined
}

function foldedLines(tensors: readonly ListedTensor[]): string[] {
  const sharers = new Map<string, string>()
  for (const { name, shared } of tensors) if (shared !== undefined) sharers.set(name, shared)
  return aligned(
    foldTensors(tensors).map(({ name, dtype, shape, bytes, count }) => {
      const shared = sharers.get(name)
      const times = count > 1 ? `${count} ×` : ''
      return [
        shownName(name),
        dtype,
        shapeText(shape),
        formatSize(bytes),
        times,
        shared === undefined || shared === name ? '' : `= ${shownName(shared)}`,
      ]
    }),
  )
}

function measuredLines(tensors: readonly ListedTensor[], paint: Paint): string[] {
  const stats = tensors.some((tensor) => tensor.stats !== undefined)
  const header = ['name', 'dtype', 'shape', 'size', ...(stats ? ['min', 'max', 'mean', 'std', 'NaN', 'inf'] : [])]
  const rows = tensors.map((tensor) => [
    shownName(tensor.name),
    tensor.dtype,
    shapeText(tensor.shape),
    formatSize(tensor.bytes),
    ...(stats ? statCells(tensor) : []),
    ...(tensor.sha256 === undefined ? [] : [tensor.sha256]),
  ])
  const [first = '', ...rest] = aligned([header, ...rows])
  return [paint('faint', first), ...rest]
}

function statCells({ stats }: ListedTensor): string[] {
  if (stats === null || stats === undefined) return ['-', '-', '-', '-', '-', '-']
  const { min, max, mean, std, nan, infinite } = stats
  const numbers = [min, max, mean, std].map((value) => (value === null ? '-' : formatNumber(value)))
  return [...numbers, String(nan), String(infinite)]
}

const longestName = 160

export function shownName(name: string): string {
  const text = name.length > longestName ? `${name.slice(0, longestName)}… (${name.length} characters)` : name
  return text === '' ? "''" : printable(text)
}

export function shapeText(shape: TensorInfo['shape']): string {
  return `[${shape.slice(0, 12).join(', ')}${shape.length > 12 ? ', …' : ''}]`
}

function valueLines(values: MetaValue): string[] {
  const found: string[][] = []
  collectValues('', values, found)
  const shown = aligned(found.slice(0, mostValues))
  return found.length > mostValues ? [...shown, '… and more: --json has all'] : shown
}

function collectValues(name: string, value: MetaValue, found: string[][]): void {
  if (found.length > mostValues || value === null) return
  if (isMeta(value)) {
    for (const [key, inner] of value) collectValues(name === '' ? key : `${name}.${key}`, inner, found)
  } else {
    const text = formatMeta(value)
    found.push([shownName(name), text.length > longestName ? `${text.slice(0, longestName)}…` : text])
  }
}

function section(title: string, lines: readonly string[], paint: Paint): string[] {
  return lines.length === 0 ? [] : [`  ${paint('faint', title)}`, ...lines.map((line) => `    ${line}`)]
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`)
}
