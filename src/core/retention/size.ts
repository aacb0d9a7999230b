import { CkptError } from '../errors.js'
import { parseSize } from '../expression/index.js'

/** Bytes of a flag's size; a bare number is bytes. Throws CkptError `usage`. */
export function parseBytes(flag: string, text: string): number {
  const trimmed = text.trim()
  const bytes = /^\d+$/.test(trimmed) ? Number(trimmed) : parseSize(trimmed)
  if (bytes !== undefined && Number.isFinite(bytes)) return bytes
  throw new CkptError('usage', `--${flag} takes a size, not ${JSON.stringify(text)}`, {
    hint: `sizes end in B, K, M, G, T or KiB, MiB, …: --${flag} 500G`,
  })
}

/** So much of a file system: bytes, or a share of its size. */
export type Amount = { readonly bytes: number } | { readonly share: number }

/** A size, or a percentage up to 100. Throws CkptError `usage`. */
export function parseAmount(flag: string, text: string): Amount {
  const [, digits] = /^(\d+(?:\.\d+)?)\s*%$/.exec(text.trim()) ?? []
  if (digits === undefined) return { bytes: parseBytes(flag, text) }
  const share = Number(digits) / 100
  if (share <= 1) return { share }
  throw new CkptError('usage', `--${flag} takes at most 100 %, not ${JSON.stringify(text)}`, {
    hint: `--${flag} 10%`,
  })
}
