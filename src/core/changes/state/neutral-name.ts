/**
 * Names that mean nothing to any training framework, for what ckpt moves aside or builds.
 *
 * Frameworks scan with loose patterns: `checkpoint-*`, names that begin with `CKPT`, `step-(\d+)` anywhere, a last
 * `_`-part of digits, any folder at all. Sixteen consonants spell none of their words (there is no `k`, so not even
 * `ckpt`). The closing `0` is for Accelerate, which takes the first number of every name in its folder and crashes
 * where there is none (accelerator.py, `save_state`): it reads 0, the oldest of all.
 */
import { createHash } from 'node:crypto'

const letters = 'bcdfghjlmnpqrstv'
const pattern = /^\.?[bcdfghjlmnpqrstv]{16}0$/

/** The same seed gives the same name. */
export function neutralName(seed: string): string {
  const digest = createHash('sha256').update(seed).digest().subarray(0, 8)
  return [...digest].map((byte) => letters.charAt(byte >> 4) + letters.charAt(byte & 15)).join('') + '0'
}

/** True for what `neutralName` gives, hidden by a leading dot or not. */
export function isNeutralName(name: string): boolean {
  return pattern.test(name)
}
