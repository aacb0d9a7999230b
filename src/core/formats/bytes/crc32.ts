/** CRC-32 as zip uses it (polynomial 0xEDB88320). */
import { createRequire } from 'node:module'
import * as zlib from 'node:zlib'

/** Goes on from `previous`, 0 for the first part. */
export type Crc32 = (bytes: Uint8Array, previous: number) => number

/** Where a fast one comes from: a module that exports `crc32`, by a name that every thread can ask for. */
export interface FastCrc32 {
  readonly module: string
  readonly crc32: Crc32
}

/** Bytes below which loading the add-on (ten milliseconds) would cost more than it saves. */
const worthLoading = 1 << 16

let fast: FastCrc32 | null | undefined

/**
 * The fastest that this machine has, asked only when used, for loading any costs every start: the add-on's (18 GB/s
 * where the processor multiplies without carry), else that of Node's zlib (3 to 5 GB/s; 20.15, 22.2); null for neither.
 */
export function fastCrc32(): FastCrc32 | null {
  return (fast ??= loadAddOn() ?? ('crc32' in zlib ? { module: 'node:zlib', crc32: zlib.crc32 } : null))
}

const addOn = '@node-rs/crc32'

/** The one-file executable has no add-on in it (scripts/build-binary.mjs), and bun would look for one in the working folder. */
function isInsideExecutable(): boolean {
  return import.meta.url.startsWith('file:///$bunfs/')
}

/** It is optional: there are machines that it was not built for. */
function loadAddOn(): FastCrc32 | null {
  if (isInsideExecutable()) return null
  try {
    const require = createRequire(import.meta.url)
    const { crc32 } = require(addOn) as { crc32: Crc32 }
    // The binary itself: what chooses it asks for the platform, which takes longer than all else.
    const binary = Object.keys(require.cache).find((path) => path.includes(addOn) && path.endsWith('.node'))
    return { module: binary ?? require.resolve(addOn), crc32 }
  } catch {
    return null
  }
}

/** Bytes, in all calls together, that plain code has summed before node:zlib is loaded. */
let leftForTable = 1 << 14

/** By the way that is fastest for that many bytes. */
export function crc32(bytes: Uint8Array, previous: number): number {
  if (bytes.length >= worthLoading) return (fastCrc32()?.crc32 ?? crc32ByTable)(bytes, previous)
  if (bytes.length <= leftForTable) {
    leftForTable -= bytes.length
    return crc32ByTable(bytes, previous)
  }
  return 'crc32' in zlib ? zlib.crc32(bytes, previous) : crc32ByTable(bytes, previous)
}

const polynomial = 0xedb88320

let table: Uint32Array | undefined

function makeTable(): Uint32Array {
  return new Uint32Array(256).map((_, index) => {
    let value = index
    for (let bit = 0; bit < 8; bit += 1) value = timesX(value)
    return value
  })
}

/** The same in plain code. */
export function crc32ByTable(bytes: Uint8Array, previous: number): number {
  const rests = (table ??= makeTable())
  let crc = ~previous
  for (const byte of bytes) crc = (rests[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)
  return ~crc >>> 0
}

/**
 * That of two parts one after the other, from theirs and the second's length in bytes: the first is moved up by that many
 * bits, that is multiplied by x to the power of them (zlib, crc32.c, `crc32_combine_`).
 */
export function combineCrc32(first: number, second: number, length: number): number {
  if (first === 0) return second
  let moved = first
  for (let rest = length, at = 0; rest > 0; rest = Math.floor(rest / 2), at += 1) {
    if (rest % 2 === 1) moved = times(factor(at), moved)
  }
  return (moved ^ second) >>> 0
}

const factors = [1 << 23]

/** x to the power of 8, 16, 32, …: those are taken that add up. */
function factor(at: number): number {
  const known = factors[at]
  if (known !== undefined) return known
  const half = factor(at - 1)
  return (factors[at] = times(half, half))
}

/** Product of two polynomials, modulo that of the CRC; the highest bit is the coefficient of 1. */
function times(a: number, b: number): number {
  let product = 0
  let shifted = b
  for (let bit = 31; bit >= 0; bit -= 1) {
    if ((a >>> bit) & 1) product ^= shifted
    shifted = timesX(shifted)
  }
  return product
}

function timesX(value: number): number {
  return (value & 1) === 0 ? value >>> 1 : polynomial ^ (value >>> 1)
}
