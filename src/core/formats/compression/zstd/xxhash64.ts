/**
 * XXH64 with the seed 0 (xxHash's specification, 0.2.0), of which Zstandard writes the lower half behind a frame.
 * A number of 64 bits is two of 32: BigInt takes some twenty times as long.
 */
const prime1 = pair(0x9e3779b1_85ebca87n)
const prime2 = pair(0xc2b2ae3d_27d4eb4fn)
const prime3 = pair(0x165667b1_9e3779f9n)
const prime4 = pair(0x85ebca77_c2b2ae63n)
const prime5 = pair(0x27d4eb2f_165667c5n)

interface Pair {
  high: number
  low: number
}

function pair(value: bigint): Pair {
  return { high: Number(value >> 32n) | 0, low: Number(value & 0xffff_ffffn) | 0 }
}

export function xxHash64Low(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  const word = (): Pair => {
    at += 8
    return { low: view.getInt32(at - 8, true), high: view.getInt32(at - 4, true) }
  }
  let hash = { ...prime5 }
  if (bytes.length >= 32) {
    const lanes = [plus(prime1, prime2), prime2, { high: 0, low: 0 }, minus(prime1)].map((lane) => ({ ...lane }))
    while (at + 32 <= bytes.length) for (const lane of lanes) round(lane, word())
    hash = merged(lanes)
  }
  hash = plus(hash, { high: Math.floor(bytes.length / 2 ** 32), low: bytes.length | 0 })
  while (at + 8 <= bytes.length) {
    const lane = { high: 0, low: 0 }
    round(lane, word())
    hash = plus(times(turned(xor(hash, lane), 27), prime1), prime4)
  }
  if (at + 4 <= bytes.length) {
    const four = times({ high: 0, low: view.getInt32(at, true) }, prime1)
    hash = plus(times(turned(xor(hash, four), 23), prime2), prime3)
    at += 4
  }
  for (; at < bytes.length; at += 1) {
    hash = times(turned(xor(hash, times({ high: 0, low: view.getUint8(at) }, prime5)), 11), prime1)
  }
  return avalanche(hash).low >>> 0
}

/** In place: it is what takes the time. */
function round(lane: Pair, word: Pair): void {
  const sum = plus(lane, times(word, prime2))
  const next = times(turned(sum, 31), prime1)
  lane.high = next.high
  lane.low = next.low
}

function merged(lanes: readonly Pair[]): Pair {
  let hash: Pair = { high: 0, low: 0 }
  for (const [index, lane] of lanes.entries()) hash = plus(hash, turned(lane, [1, 7, 12, 18][index] ?? 0))
  for (const lane of lanes) {
    const mixed = { high: 0, low: 0 }
    round(mixed, lane)
    hash = plus(times(xor(hash, mixed), prime1), prime4)
  }
  return hash
}

function avalanche(hash: Pair): Pair {
  const first = times(xor(hash, shifted(hash, 33)), prime2)
  const second = times(xor(first, shifted(first, 29)), prime3)
  return xor(second, shifted(second, 32))
}

function plus(a: Pair, b: Pair): Pair {
  const low = (a.low >>> 0) + (b.low >>> 0)
  return { high: (a.high + b.high + (low > 0xffff_ffff ? 1 : 0)) | 0, low: low | 0 }
}

function minus({ high, low }: Pair): Pair {
  return plus({ high: ~high, low: ~low }, { high: 0, low: 1 })
}

function xor(a: Pair, b: Pair): Pair {
  return { high: a.high ^ b.high, low: a.low ^ b.low }
}

/** To the left, 1 to 31 bits; what falls out comes in again. */
function turned({ high, low }: Pair, count: number): Pair {
  return { high: (high << count) | (low >>> (32 - count)), low: (low << count) | (high >>> (32 - count)) }
}

/** To the right; zeros come in. */
function shifted({ high, low }: Pair, count: number): Pair {
  if (count >= 32) return { high: 0, low: high >>> (count - 32) }
  return { high: high >>> count, low: (low >>> count) | (high << (32 - count)) }
}

/** The lower 64 bits of the product. */
function times(a: Pair, b: Pair): Pair {
  const [aLow, aHigh, bLow, bHigh] = [a.low & 0xffff, a.low >>> 16, b.low & 0xffff, b.low >>> 16]
  const bottom = Math.imul(aLow, bLow) >>> 0
  const middle = (bottom >>> 16) + aHigh * bLow
  const carried = (middle % 0x1_0000) + aLow * bHigh
  const top = Math.floor(middle / 0x1_0000) + Math.floor(carried / 0x1_0000) + aHigh * bHigh
  const high = (top + Math.imul(a.high, b.low) + Math.imul(a.low, b.high)) | 0
  return { high, low: Math.imul(a.low, b.low) }
}
