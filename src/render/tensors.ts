/** The tensors of files as people see them. */
import type { MetaValue } from '../core/checkpoint.js'
import type { Measured, TensorInfo } from '../core/tensors/read/index.js'
import { isMeta } from '../core/checkpoint.js'
import { formatMeta } from './checkpoints.js'
import { painter, type Paint } from './colours.js'
import { foldTensors } from './fold-tensors.js'
import type { Output } from './output.js'
import { hangRows } from './hanging-indent.js'
import { printable } from './printable.js'
import { fit, type Column } from './table.js'
import { formatSize, numberOrDash, plural } from './units.js'
import { displayWidth } from './text-width.js'
import { aligned, alignedRows, shortened } from './aligned.js'

export interface ListedTensor extends TensorInfo, Measured {
  /** It lies in the storage of `shared`, and has other values than that one. */
  readonly isPart?: true
}

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

export function renderTensors(files: readonly ListedFile[], output: Pick<Output, 'colours' | 'width'>): string[] {
  const paint = painter(output.colours)
  return files.flatMap((file, index) => [...(index === 0 ? [] : ['']), ...renderFile(file, output.width, paint)])
}

const indent = 2

function renderFile(file: ListedFile, width: number, paint: Paint): string[] {
  const { tensors, metadata, values, opaque } = file
  const room = width - indent
  return [
    titleOf(file, paint),
    ...indented(
      hangRows(
        [...metadata].map(([key, value]) => [printable(key), printable(value)]),
        room,
      ),
    ),
    ...indented(tensors.some(isMeasured) ? measuredLines(tensors, room, paint) : foldedLines(tensors, room)),
    ...section('values beside the tensors', valueLines(values, room - indent), paint),
    ...section(
      'kept as names only',
      [...opaque].map(([name, count]) => `${printable(name)}${count === 1 ? '' : ` (${count} times)`}`),
      paint,
    ),
  ]
}

/** `model  /path: 36 tensors, 1.2 MB`. */
export function titleOf({ key, path, tensors }: ListedFile, paint: Paint): string {
  const shared = tensors.filter(({ name, shared }) => shared !== undefined && shared !== name).length
  const note = shared === 0 ? '' : `, ${shared} of them in the storage of another`
  const title = key === null ? printable(path) : `${printable(key)}  ${printable(path)}`
  return `${paint('title', title)}: ${sumUp(tensors)}${note}`
}

/** `36 tensors, 1.2 MB`; of tensors in one storage the largest counts. */
export function sumUp(tensors: readonly TensorInfo[]): string {
  const storages = new Map<string, number>()
  let bytes = 0
  for (const tensor of tensors) {
    if (tensor.shared === undefined) bytes += tensor.bytes
    else storages.set(tensor.shared, Math.max(storages.get(tensor.shared) ?? 0, tensor.bytes))
  }
  for (const largest of storages.values()) bytes += largest
  return `${plural(tensors.length, 'tensor')}, ${formatSize(bytes)}`
}

function isMeasured({ sha256, stats }: ListedTensor): boolean {
  return sha256 !== undefined || stats !== undefined
}

/** `width`: columns that there are for it. Of more than `most` lines the rest is counted. */
export function foldedLines(
  tensors: readonly (TensorInfo & Pick<ListedTensor, 'isPart'>)[],
  width: number,
  most = Infinity,
): string[] {
  const sharers = new Map<string, string>()
  for (const { name, shared, isPart } of tensors) {
    if (shared === undefined || shared === name) continue
    sharers.set(name, isPart === true ? `in the storage of ${shownName(shared)}` : `= ${shownName(shared)}`)
  }
  const folded = foldTensors(tensors)
  const shown = folded.slice(0, most)
  const rows = shown.map(({ name, dtype, shape, bytes, count }) => [
    shownName(name),
    dtype,
    shapeText(shape),
    formatSize(bytes),
    count > 1 ? `${count} ×` : '',
  ])
  const lines = alignedRows(rows, { width }).flatMap((lines, index) => {
    const note = sharers.get(shown[index]?.name ?? '')
    return note === undefined ? lines : withNote(lines, note, width)
  })
  const rest = folded.slice(most).reduce((sum, { count }) => sum + count, 0)
  return rest === 0 ? lines : [...lines, `… and ${rest} more: --all`]
}

/** Behind the last line where there is room. */
function withNote(lines: readonly string[], note: string, width: number): string[] {
  const last = `${lines.at(-1) ?? ''}  ${note}`
  return displayWidth(last) <= width ? [...lines.slice(0, -1), last] : [...lines, `    ${shortened(note, width - 4)}`]
}

function measuredLines(tensors: readonly ListedTensor[], width: number, paint: Paint): string[] {
  const columns = fit(measuredColumns(tensors), tensors, width).map(({ column }) => column)
  const rows = tensors.map((tensor) => columns.map(({ cell }) => cell(tensor)))
  const [first = '', ...rest] = aligned([columns.map(({ title }) => title), ...rows], { width })
  return [paint('faint', first), ...rest]
}

/** What was asked for stays; on a narrow terminal its form leaves, and before it counts that are all 0. */
function measuredColumns(tensors: readonly ListedTensor[]): Column<ListedTensor>[] {
  const counts = { NaN: 'nan', inf: 'infinite' } as const
  const isNone = (key: 'nan' | 'infinite') => tensors.every(({ stats }) => (stats?.[key] ?? 0) === 0)
  const numbers = (['min', 'max', 'mean', 'std'] as const).map((title): Column<ListedTensor> => ({
    title,
    cell: ({ stats }) => numberOrDash(stats?.[title]),
  }))
  const specials = Object.entries(counts).map(([title, key]): Column<ListedTensor> => ({
    title,
    ...(isNone(key) ? { leaves: 4 } : {}),
    cell: ({ stats }) => (stats === null || stats === undefined ? '-' : String(stats[key])),
  }))
  const isHashed = tensors.some(({ sha256 }) => sha256 !== undefined)
  return [
    { title: 'name', wraps: true, cell: ({ name }) => shownName(name) },
    { title: 'dtype', leaves: 1, cell: ({ dtype }) => dtype },
    { title: 'shape', leaves: 2, cell: ({ shape }) => shapeText(shape) },
    { title: 'size', leaves: 3, cell: ({ bytes }) => formatSize(bytes) },
    ...(tensors.some(({ stats }) => stats !== undefined) ? [...numbers, ...specials] : []),
    ...(isHashed ? [{ title: 'SHA-256', cell: ({ sha256 = '-' }: ListedTensor) => sha256 }] : []),
  ]
}

const longestName = 1000
const longestValue = 160

/** Whole, unless nobody can have meant it: then its beginning and its end. */
export function shownName(name: string): string {
  const text =
    name.length > longestName ? `${name.slice(0, 100)}…${name.slice(-100)} (${name.length} characters)` : name
  return text === '' ? "''" : printable(text)
}

export function shapeText(shape: TensorInfo['shape']): string {
  return `[${shape.slice(0, 12).join(', ')}${shape.length > 12 ? ', …' : ''}]`
}

function valueLines(values: MetaValue, width: number): string[] {
  const found: [string, string][] = []
  collectValues('', values, found)
  const shown = hangRows(found.slice(0, mostValues), width)
  return found.length > mostValues ? [...shown, '… and more: --json has all'] : shown
}

function collectValues(name: string, value: MetaValue, found: [string, string][]): void {
  if (found.length > mostValues || value === null) return
  if (isMeta(value)) {
    for (const [key, inner] of value) collectValues(name === '' ? key : `${name}.${key}`, inner, found)
  } else {
    const text = formatMeta(value)
    found.push([shownName(name), text.length > longestValue ? `${text.slice(0, longestValue)}…` : text])
  }
}

function section(title: string, lines: readonly string[], paint: Paint): string[] {
  return lines.length === 0 ? [] : [`  ${paint('faint', title)}`, ...lines.map((line) => `    ${line}`)]
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`)
}
