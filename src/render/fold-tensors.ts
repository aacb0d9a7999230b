/** Tensors that differ in a layer's number alone, as one line. */
import type { TensorInfo } from '../core/tensors/read/index.js'

export interface FoldedTensors {
  /** `layers.{0…31}.attn.q.weight`; a name as it is where nothing is folded. */
  readonly name: string
  readonly dtype: string
  readonly shape: TensorInfo['shape']
  readonly count: number
  /** Bytes of all. */
  readonly bytes: number
}

/** A tensor, or several that have become one. */
interface Item extends TensorInfo {
  readonly count?: number
  /** Where the part of the name begins that is looked at next. */
  readonly next?: number
}

/** A name of 10,000 parts is not a layer's. */
const deepest = 32

/** In the order of the first of each; only tensors of one dtype and shape become one. */
export function foldTensors(tensors: readonly TensorInfo[]): FoldedTensors[] {
  let items: readonly Item[] = tensors
  for (let numbers = 0; numbers < deepest; numbers += 1) {
    const folded = foldNext(items)
    if (folded === null) break
    items = folded
  }
  return items.map(({ name, dtype, shape, bytes, count = 1 }) => ({ name, dtype, shape, bytes, count }))
}

/** Items that are alike but for one number. */
interface Group {
  readonly first: Item
  /** Where the number begins and ends in the first one's name. */
  readonly start: number
  readonly end: number
  readonly numbers: number[]
  bytes: number
}

/** Folds by the next number in each name; null when no name has any left. */
function foldNext(items: readonly Item[]): Item[] | null {
  const groups = new Map<string, Group>()
  const order: (Item | Group)[] = []
  for (const item of items) {
    const { name } = item
    const start = nextNumber(name, item.next ?? 0)
    if (start < 0) {
      order.push(item)
      continue
    }
    const end = endOfPart(name, start)
    const key = keyWithout(item, start, end)
    let group = groups.get(key)
    if (group === undefined) {
      group = { first: item, start, end, numbers: [], bytes: 0 }
      groups.set(key, group)
      order.push(group)
    }
    group.numbers.push(Number(name.slice(start, end)))
    group.bytes += item.bytes
  }
  return groups.size === 0 ? null : order.map((one) => ('first' in one ? unite(one) : one))
}

/** Where the next part that is a layer's number begins, from the part at `start` on; -1 when there is none. */
function nextNumber(name: string, start: number): number {
  for (let at = start; at < name.length;) {
    const end = endOfPart(name, at)
    if (isLayerNumber(name, at, end)) return at
    at = end + 1
  }
  return -1
}

function endOfPart(name: string, start: number): number {
  const dot = name.indexOf('.', start)
  return dot < 0 ? name.length : dot
}

const longestNumber = 9

/** As it is counted: of `00` and `01` the names would be lost. */
function isLayerNumber(name: string, start: number, end: number): boolean {
  const isPadded = end - start > 1 && name.charCodeAt(start) === 0x30
  if (end <= start || end - start > longestNumber || isPadded) return false
  for (let at = start; at < end; at += 1) {
    const code = name.charCodeAt(at)
    if (code < 0x30 || code > 0x39) return false
  }
  return true
}

/** What makes two items alike but for the number from `start` to `end`. */
function keyWithout({ name, dtype, shape, count = 1 }: Item, start: number, end: number): string {
  let key = `${start} ${count} ${dtype}`
  for (const length of shape) key += ` ${length}`
  return `${key}|${name.slice(0, start)}${name.slice(end)}`
}

function unite({ first, start, end, numbers, bytes }: Group): Item {
  const { name, count = 1 } = first
  if (numbers.length === 1) return { ...first, next: end + 1 }
  const before = `${name.slice(0, start)}{${ranges(numbers.sort((a, b) => a - b))}}`
  return { ...first, name: before + name.slice(end), count: count * numbers.length, bytes, next: before.length + 1 }
}

const mostRanges = 6

/** `0…3,5,8…9`. */
function ranges(numbers: readonly number[]): string {
  const found: [number, number][] = []
  for (const number of numbers) {
    const last = found.at(-1)
    if (last !== undefined && number === last[1] + 1) last[1] = number
    else found.push([number, number])
  }
  const texts = found.map(([from, to]) => (from === to ? String(from) : `${from}${to === from + 1 ? ',' : '…'}${to}`))
  if (texts.length <= mostRanges) return texts.join(',')
  return [...texts.slice(0, mostRanges - 1), '…', texts.at(-1)].join(',')
}
