/**
 * An integer below 2^64: a number as far as a double holds it exactly, a bigint beyond. With that rule `===`, `<`
 * and `>` compare two of them rightly.
 */
export type U64 = number | bigint

const limit = 1n << 64n

/** The U64 of decimal digits; undefined from 2^64 on. */
export function parseU64(digits: string): U64 | undefined {
  const number = Number(digits)
  if (number <= Number.MAX_SAFE_INTEGER) return number
  // No allocation follows the file: a number of a million digits is not made a bigint.
  return digits.length > 20 ? undefined : toU64(BigInt(digits))
}

/** The product; undefined when it needs more than 64 bits. */
export function multiply(a: U64, b: U64): U64 | undefined {
  const product = Number(a) * Number(b)
  return product <= Number.MAX_SAFE_INTEGER ? product : toU64(BigInt(a) * BigInt(b))
}

/** The difference, for `a` not below `b`. */
export function subtract(a: U64, b: U64): U64 {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return toU64(BigInt(a) - BigInt(b)) ?? 0
}

function toU64(value: bigint): U64 | undefined {
  if (value >= limit) return undefined
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value
}
