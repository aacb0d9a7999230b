/** Literals that are packed by Huffman's codes (RFC 8878, 4.2). */
import { BackwardBits } from './bits.js'
import { brokenZstd } from './broken.js'
import { fseTable, readFse } from './fse.js'

const longestCode = 11
const mostSymbols = 256
const weightLimits = { log: 6, symbols: longestCode + 1 }

export interface HuffmanTable {
  /** The bits of the longest code. */
  readonly log: number
  /** For each `log` bits that may come next: the symbol that they begin with, and the length of its code. */
  readonly symbols: Uint8Array
  readonly lengths: Uint8Array
}

/** Reads the description that begins at `start`, and gives where it ends too. Throws FormatError. */
export function readHuffman(bytes: Uint8Array, start: number, end: number): { table: HuffmanTable; next: number } {
  const head = bytes[start] ?? 0
  const first = start + 1
  const count = head - 127
  const next = first + (head < 128 ? head : (count + 1) >> 1)
  if (start >= end || next > end) throw brokenZstd('ends within a table of codes')
  const weights =
    head < 128
      ? packedWeights(bytes, first, next)
      : Array.from({ length: count }, (_, index) => {
          const byte = bytes[first + (index >> 1)] ?? 0
          return index % 2 === 0 ? byte >> 4 : byte & 15
        })
  return { table: tableOf(weights), next }
}

/** Two states take turns; the one whose bits have run out is followed by a last symbol of the other. */
function packedWeights(bytes: Uint8Array, start: number, end: number): number[] {
  const description = readFse(bytes, start, end, weightLimits)
  const table = fseTable(description)
  const bits = new BackwardBits(bytes, description.end, end)
  const states = [bits.take(table.log), bits.take(table.log)]
  if (bits.left < 0) throw brokenZstd('ends within a table of codes')
  const weights: number[] = []
  for (let turn = 0; ; turn = 1 - turn) {
    const state = states[turn] ?? 0
    weights.push(table.symbols[state] ?? 0)
    // Codes of a table of one symbol take no bits: they would never end.
    if (weights.length >= mostSymbols - 1) throw brokenZstd(`a table of more than ${mostSymbols} codes`)
    states[turn] = (table.bases[state] ?? 0) + bits.take(table.bits[state] ?? 0)
    if (bits.left < 0) return [...weights, table.symbols[states[1 - turn] ?? 0] ?? 0]
  }
}

/** The weight of the last symbol is not written: it brings the sum to a power of two. */
function tableOf(written: readonly number[]): HuffmanTable {
  const sum = written.reduce((all, weight) => all + (weight === 0 ? 0 : 2 ** (weight - 1)), 0)
  const log = 32 - Math.clz32(sum)
  const rest = 2 ** log - sum
  if (sum === 0 || log > longestCode || (rest & (rest - 1)) !== 0)
    throw brokenZstd('a table of codes that do not add up')
  const weights = [...written, 32 - Math.clz32(rest)]
  const symbols = new Uint8Array(1 << log)
  const lengths = new Uint8Array(1 << log)
  let at = 0
  for (let weight = 1; weight <= log; weight += 1) {
    const span = 1 << (weight - 1)
    for (const [symbol, own] of weights.entries()) {
      if (own !== weight) continue
      symbols.fill(symbol, at, at + span)
      lengths.fill(log + 1 - weight, at, at + span)
      at += span
    }
  }
  return { log, symbols, lengths }
}

/** Fills `out` from the stream between `start` and `end`. Throws FormatError where the two do not end together. */
export function unpackStream(
  table: HuffmanTable,
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
): void {
  const { log, symbols, lengths } = table
  const bits = new BackwardBits(bytes, start, end)
  const mask = (1 << log) - 1
  let { left } = bits
  for (let index = 0; index < out.length && left >= 0; index += 1) {
    const position = left - log
    const byte = start + (position >> 3)
    // As bits.peek, without a call for each literal.
    const three = (bytes[byte] ?? 0) | ((bytes[byte + 1] ?? 0) << 8) | ((bytes[byte + 2] ?? 0) << 16)
    const code = position < 0 ? bits.peekAt(left, log) : (three >>> (position & 7)) & mask
    out[index] = symbols[code] ?? 0
    left -= lengths[code] ?? 0
  }
  if (left !== 0) throw brokenZstd('a stream of literals that does not end where they do')
}
