/**
 * `+ - * / % **` as Python reckons, with two differences: what Python refuses (a division by zero, a root of a
 * negative number, a string times a map) is unknown, and what overflows is infinite.
 */
import { toNumeric, type Value } from './value.js'

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '**'

export function compute(operator: ArithmeticOperator, a: Value | undefined, b: Value | undefined): Value | undefined {
  if (operator === '+' && typeof a === 'string' && typeof b === 'string') return a + b
  const left = toNumeric(a)
  const right = toNumeric(b)
  if (left === undefined || right === undefined) return undefined
  return computeExactly(operator, left, right) ?? computeNumbers(operator, Number(left), Number(right))
}

export function negate(value: Value | undefined): Value | undefined {
  const number = toNumeric(value)
  return number === undefined ? undefined : -number
}

/** Integers that a double cannot hold stay exact under the operators that keep them integers. */
function computeExactly(
  operator: ArithmeticOperator,
  a: number | bigint,
  b: number | bigint,
): number | bigint | undefined {
  if (typeof a === 'number' && typeof b === 'number') return undefined
  if (!isInteger(a) || !isInteger(b)) return undefined
  const left = BigInt(a)
  const right = BigInt(b)
  if (operator === '+') return shrink(left + right)
  if (operator === '-') return shrink(left - right)
  if (operator === '*') return shrink(left * right)
  if (operator !== '%' || right === 0n) return undefined
  const rest = left % right
  return shrink(rest !== 0n && rest < 0n !== right < 0n ? rest + right : rest)
}

function isInteger(value: number | bigint): boolean {
  return typeof value === 'bigint' || Number.isSafeInteger(value)
}

function shrink(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function computeNumbers(operator: ArithmeticOperator, a: number, b: number): number | undefined {
  switch (operator) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    case '/':
      return b === 0 ? undefined : a / b
    case '%':
      return b === 0 ? undefined : remainder(a, b)
    case '**':
      return power(a, b)
  }
}

/** Has the sign of the divisor, as Python's. */
function remainder(a: number, b: number): number {
  const rest = a % b
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest
}

function power(a: number, b: number): number | undefined {
  // As Python: 1 to the power of anything is 1, NaN and infinities too; JavaScript says NaN.
  if (a === 1) return 1
  if (a === 0 && b < 0) return undefined
  const result = a ** b
  const isComplex = Number.isNaN(result) && !Number.isNaN(a) && !Number.isNaN(b)
  return isComplex ? (a === -1 ? 1 : undefined) : result
}
