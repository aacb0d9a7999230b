/** The sequences of a block: literals that are copied, and what is repeated behind them (RFC 8878, 3.1.1.3.2). */
import { BackwardBits } from './bits.js'
import { brokenZstd } from './broken.js'
import { fseOfOne, fseTable, readFse, type FseTable } from './fse.js'
import type { Output } from './output.js'

/** What blocks of one frame leave to the next. */
export interface SequenceState {
  tables: Tables | null
  /** The distances that were used last. */
  readonly offsets: [number, number, number]
}

interface Tables {
  readonly lengths: FseTable
  readonly offsets: FseTable
  readonly matches: FseTable
}

/** A code stands for `base`, and this many bits are added to it. */
interface Codes {
  readonly bases: readonly number[]
  readonly bits: readonly number[]
}

function codes(first: number, bits: readonly number[]): Codes {
  let base = first
  const bases = bits.map((width) => {
    base += 2 ** width
    return base - 2 ** width
  })
  return { bases, bits }
}

const zeros = (count: number): number[] => Array.from({ length: count }, () => 0)
const literalCodes = /* @__PURE__ */ codes(0, [
  .../* @__PURE__ */ zeros(16),
  ...[1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
])
const matchCodes = /* @__PURE__ */ codes(3, [
  .../* @__PURE__ */ zeros(32),
  ...[1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
])
const limits = {
  lengths: { log: 9, symbols: literalCodes.bits.length },
  offsets: { log: 8, symbols: 32 },
  matches: { log: 9, symbols: matchCodes.bits.length },
}

const ones = (count: number): number[] => Array.from({ length: count }, () => 1)
const rare = (count: number): number[] => Array.from({ length: count }, () => -1)
/** RFC 8878, 3.1.1.3.2.2.1 to .3. Made when a block first asks for it: a start would wait for it. */
function usualTables(): Tables {
  return (usual ??= {
    lengths: fseTable({
      log: 6,
      counts: [
        4,
        3,
        ...[2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2],
        1,
        1,
        1,
        ...[2, 2, 2, 2, 2, 2, 2, 2, 2],
        3,
        2,
        ...ones(5),
        ...rare(4),
      ],
    }),
    offsets: fseTable({ log: 5, counts: [...ones(6), 2, 2, 2, ...ones(15), ...rare(5)] }),
    matches: fseTable({ log: 6, counts: [1, 4, 3, 2, 2, 2, 2, 2, 2, ...ones(37), ...rare(7)] }),
  })
}

let usual: Tables | undefined

/** Puts all that a block unpacks to into `out`. Throws FormatError. */
export function unpackSequences(
  bytes: Uint8Array,
  start: number,
  end: number,
  literals: Uint8Array,
  state: SequenceState,
  out: Output,
): void {
  const { count, next } = readNumber(bytes, start, end)
  if (count === 0) {
    if (next !== end) throw brokenZstd('more in a block than its literals')
    out.put(literals)
    return
  }
  const { tables, next: at } = readTables(bytes, next, end, state.tables)
  state.tables = tables
  const bits = new BackwardBits(bytes, at, end)
  let literal = bits.take(tables.lengths.log)
  let offset = bits.take(tables.offsets.log)
  let match = bits.take(tables.matches.log)
  let taken = 0
  for (let left = count; left > 0; left -= 1) {
    const offsetCode = tables.offsets.symbols[offset] ?? 0
    const value = ((1 << offsetCode) >>> 0) + bits.takeMany(offsetCode)
    const matchLength = valueOf(matchCodes, tables.matches.symbols[match] ?? 0, bits)
    const length = valueOf(literalCodes, tables.lengths.symbols[literal] ?? 0, bits)
    if (bits.left < 0 || taken + length > literals.length)
      throw brokenZstd('more sequences than a block has bits or literals')
    out.put(literals, taken, taken + length)
    taken += length
    out.repeat(distanceOf(state, value, length), matchLength)
    if (left === 1) break
    literal = follow(tables.lengths, literal, bits)
    match = follow(tables.matches, match, bits)
    offset = follow(tables.offsets, offset, bits)
  }
  if (bits.left !== 0) throw brokenZstd('sequences that do not end where their bits do')
  out.put(literals, taken)
}

function valueOf({ bases, bits }: Codes, code: number, from: BackwardBits): number {
  return (bases[code] ?? 0) + from.take(bits[code] ?? 0)
}

function follow(table: FseTable, state: number, bits: BackwardBits): number {
  return (table.bases[state] ?? 0) + bits.take(table.bits[state] ?? 0)
}

/** Values up to 3 name distances that were used last (RFC 8878, 3.1.1.5). */
function distanceOf({ offsets }: SequenceState, value: number, literals: number): number {
  const index = value > 3 ? 3 : literals === 0 ? value : value - 1
  if (index === 0) return offsets[0]
  const distance = value > 3 ? value - 3 : index === 3 ? offsets[0] - 1 : index === 2 ? offsets[2] : offsets[1]
  if (index > 1) offsets[2] = offsets[1]
  offsets[1] = offsets[0]
  offsets[0] = distance
  return distance
}

function readNumber(bytes: Uint8Array, start: number, end: number): { count: number; next: number } {
  const [head = 0, low = 0, high = 0] = [bytes[start], bytes[start + 1], bytes[start + 2]]
  const size = head < 128 ? 1 : head < 255 ? 2 : 3
  if (start + size > end) throw brokenZstd('ends before its sequences')
  const count = size === 1 ? head : size === 2 ? ((head - 128) << 8) + low : low + (high << 8) + 0x7f00
  return { count, next: start + size }
}

function readTables(
  bytes: Uint8Array,
  start: number,
  end: number,
  previous: Tables | null,
): { tables: Tables; next: number } {
  const modes = bytes[start] ?? 0
  if (start >= end || (modes & 3) !== 0)
    throw brokenZstd('ends before its sequences, or they are packed in an unknown way')
  let next = start + 1
  const read = (kind: keyof Tables, mode: number): FseTable => {
    if (mode === 0) return usualTables()[kind]
    if (mode === 3) {
      if (previous === null) throw brokenZstd('sequences with the table of a block that has none')
      return previous[kind]
    }
    if (next >= end) throw brokenZstd('ends within a table')
    if (mode === 2) {
      const description = readFse(bytes, next, end, limits[kind])
      next = description.end
      return fseTable(description)
    }
    const symbol = bytes[next] ?? 0
    next += 1
    if (symbol >= limits[kind].symbols) throw brokenZstd(`the code ${symbol}, and ${limits[kind].symbols} are known`)
    return fseOfOne(symbol)
  }
  const lengths = read('lengths', modes >> 6)
  const offsets = read('offsets', (modes >> 4) & 3)
  const matches = read('matches', (modes >> 2) & 3)
  return { tables: { lengths, offsets, matches }, next }
}
