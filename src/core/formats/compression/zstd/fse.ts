/** Tables of finite state entropy (RFC 8878, 4.1): what a state stands for, and the states that may follow it. */
import { brokenZstd } from './broken.js'

export interface FseTable {
  /** The bits of a state. */
  readonly log: number
  /** For each state: its symbol, how many bits are read next, and what they are added to. */
  readonly symbols: Uint8Array
  readonly bits: Uint8Array
  readonly bases: Uint16Array
}

/** How often each symbol comes; -1 for less than once. `end` is where the description ends. */
export interface FseDescription {
  readonly log: number
  readonly counts: readonly number[]
  readonly end: number
}

/** Limits of one use of these tables. */
export interface FseLimits {
  readonly log: number
  readonly symbols: number
}

/** A table of one symbol: it takes no bits. */
export function fseOfOne(symbol: number): FseTable {
  return { log: 0, symbols: Uint8Array.of(symbol), bits: new Uint8Array(1), bases: new Uint16Array(1) }
}

/** Reads the description that begins at `start` and ends before `end`. Throws FormatError. */
export function readFse(bytes: Uint8Array, start: number, end: number, limits: FseLimits): FseDescription {
  const bits = new ForwardBits(bytes, start, end)
  const log = bits.take(4) + 5
  if (log > limits.log) throw brokenZstd(`a table of ${log} bits, and at most ${limits.log} are allowed`)
  const counts: number[] = []
  for (let left = 1 << log; left > 0;) {
    const count = readCountBelow(bits, left)
    left -= Math.abs(count)
    counts.push(count)
    for (let zeros = count === 0 ? 3 : 0; zeros === 3;) {
      zeros = bits.take(2)
      for (let more = zeros; more > 0; more -= 1) counts.push(0)
      if (counts.length > limits.symbols) break
    }
    if (counts.length > limits.symbols) throw brokenZstd(`a table of more than ${limits.symbols} symbols`)
  }
  return { log, counts, end: bits.byteAfter }
}

/** Numbers up to `left` + 1, of which the small ones take a bit less. */
function readCountBelow(bits: ForwardBits, left: number): number {
  const width = 32 - Math.clz32(left + 1)
  const short = (1 << width) - 2 - left
  const low = bits.take(width - 1)
  if (low < short) return low - 1
  const value = low + (bits.take(1) << (width - 1))
  return (value >= 1 << (width - 1) ? value - short : value) - 1
}

export function fseTable({ log, counts }: Pick<FseDescription, 'log' | 'counts'>): FseTable {
  const size = 1 << log
  const symbols = new Uint8Array(size)
  const next = new Uint16Array(counts.length)
  // Symbols that come less than once have one state each, at the end.
  let top = size
  for (const [symbol, count] of counts.entries()) {
    if (count === -1) symbols[--top] = symbol
    next[symbol] = Math.abs(count)
  }
  spread(symbols, counts, top)
  const bits = new Uint8Array(size)
  const bases = new Uint16Array(size)
  for (let state = 0; state < size; state += 1) {
    const symbol = symbols[state] ?? 0
    const reached = next[symbol] ?? 1
    next[symbol] = reached + 1
    const width = log - (31 - Math.clz32(reached))
    bits[state] = width
    bases[state] = (reached << width) - size
  }
  return { log, symbols, bits, bases }
}

/** The other symbols, over the states below `top`, in steps that meet each state once. */
function spread(symbols: Uint8Array, counts: readonly number[], top: number): void {
  const size = symbols.length
  const step = (size >> 1) + (size >> 3) + 3
  let at = 0
  for (const [symbol, count] of counts.entries()) {
    for (let time = 0; time < count; time += 1) {
      symbols[at] = symbol
      do at = (at + step) & (size - 1)
      while (at >= top)
    }
  }
}

/** Bits from the lowest of the first byte on. */
class ForwardBits {
  private position = 0

  constructor(
    private readonly bytes: Uint8Array,
    private readonly start: number,
    private readonly end: number,
  ) {}

  get byteAfter(): number {
    return this.start + ((this.position + 7) >> 3)
  }

  /** 16 at most. Throws FormatError at the end. */
  take(count: number): number {
    const byte = this.start + (this.position >> 3)
    const { bytes } = this
    const three = (bytes[byte] ?? 0) | ((bytes[byte + 1] ?? 0) << 8) | ((bytes[byte + 2] ?? 0) << 16)
    const value = (three >> (this.position & 7)) & ((1 << count) - 1)
    this.position += count
    if (this.byteAfter > this.end) throw brokenZstd('ends within a table')
    return value
  }
}
