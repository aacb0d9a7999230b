/** Tensors that differ in a layer's number alone, as one line. */
import type { TensorInfo } from '../core/tensors/index.js'

export interface FoldedTensors {
  /** `layers.{0…31}.attn.q.weight`; a name as it is where nothing is folded. */
  readonly name: string
  readonly dtype: string
  readonly shape: TensorInfo['shape']
  readonly count: number
  /** Bytes of all. */
  readonly bytes: number
}

interface Item {
  readonly parts: readonly string[]
  readonly dtype: string
  readonly shape: TensorInfo['shape']
  readonly count: number
  readonly bytes: number
}

/** In the order of the first of each; only tensors of one dtype and shape become one. */
export function foldTensors(tensors: readonly TensorInfo[]): FoldedTensors[] {
  let items = tensors.map(({ name, dtype, shape, bytes }): Item => {
    return { parts: name.split('.'), dtype, shape, bytes, count: 1 }
  })
  // A name of 10,000 parts is no layer's.
  const deepest = items.reduce((most, { parts }) => Math.max(most, Math.min(parts.length, 32)), 0)
  for (let place = 0; place < deepest; place += 1) items = foldAt(items, place)
  return items.map(({ parts, ...item }) => ({ ...item, name: parts.join('.') }))
}

const layerNumber = /^[0-9]{1,9}$/

function foldAt(items: Item[], place: number): Item[] {
  if (!items.some(({ parts }) => layerNumber.test(parts[place] ?? ''))) return items
  const groups = new Map<string, Item[]>()
  const order: (Item | Item[])[] = []
  for (const item of items) {
    if (!layerNumber.test(item.parts[place] ?? '')) {
      order.push(item)
      continue
    }
    const key = keyWithout(item, place)
    const group = groups.get(key)
    if (group === undefined) {
      const fresh = [item]
      groups.set(key, fresh)
      order.push(fresh)
    } else {
      group.push(item)
    }
  }
  return order.map((one) => ('parts' in one ? one : unite(one, place)))
}

/** What makes two tensors alike but for the number at a place. */
function keyWithout({ parts, dtype, shape, count }: Item, place: number): string {
  return `${count} ${dtype} ${shape.join(' ')} ${parts.with(place, '').join('.')}`
}

function unite(group: readonly Item[], place: number): Item {
  const [first] = group
  if (first === undefined || group.length === 1) return first ?? emptyItem
  const numbers = group.map(({ parts }) => Number(parts[place])).sort((a, b) => a - b)
  return {
    ...first,
    parts: first.parts.with(place, `{${ranges(numbers)}}`),
    count: group.reduce((sum, { count }) => sum + count, 0),
    bytes: group.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

const emptyItem: Item = { dtype: '', shape: [], count: 0, bytes: 0, parts: [] }
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
  return texts.length > mostRanges ? `${texts.slice(0, mostRanges).join(',')},…` : texts.join(',')
}
