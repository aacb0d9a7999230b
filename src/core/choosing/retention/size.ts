/** Sizes as flags take them: bytes with a unit, or a percentage. */
import { CkptError } from '../../errors.js'
import { parseSize } from '../expression/index.js'

/**
 * Bytes of a flag's size. A bare number is refused, but for 0: `--min-free 10` is meant as 10 % or 10 GB, never as
 * 10 bytes, and taken as such it would do nothing until the disk is full. Throws CkptError `usage`.
 */
export function parseBytes(flag: string, text: string): number {
  const trimmed = text.trim()
  const bytes = /^0+$/.test(trimmed) ? 0 : parseSize(trimmed)
  if (bytes !== undefined && Number.isFinite(bytes)) return bytes
  if (isBareNumber(trimmed)) throw unitMissing(flag, trimmed, `--${flag} ${trimmed}G`)
  throw new CkptError('usage', `--${flag} takes a size, not ${JSON.stringify(text)}`, {
    hint: `sizes end in B, K, M, G, T or KiB, MiB, …: --${flag} 500G`,
  })
}

function isBareNumber(text: string): boolean {
  return /^\d[\d_]*(\.\d*)?$/.test(text)
}

function unitMissing(flag: string, text: string, examples: string): CkptError {
  return new CkptError('usage', `--${flag} takes a size with a unit, not ${text} alone`, {
    hint: `${examples}; for bytes: --${flag} ${text}B`,
  })
}

/** An amount of space on a file system: bytes, or a share of its size. */
export type Amount = { readonly bytes: number } | { readonly share: number }

/** A size, or a percentage up to 100. Throws CkptError `usage`. */
export function parseAmount(flag: string, text: string): Amount {
  const [, digits] = /^(\d+(?:\.\d+)?)\s*%$/.exec(text.trim()) ?? []
  if (digits === undefined) {
    const trimmed = text.trim()
    const isShare = isBareNumber(trimmed) && Number(trimmed) > 0 && Number(trimmed) <= 100
    if (isShare) throw unitMissing(flag, trimmed, `--${flag} ${trimmed}% or --${flag} ${trimmed}G`)
    return { bytes: parseBytes(flag, text) }
  }
  const share = Number(digits) / 100
  if (share <= 1) return { share }
  throw new CkptError('usage', `--${flag} takes at most 100 %, not ${JSON.stringify(text)}`, {
    hint: `--${flag} 10%`,
  })
}
