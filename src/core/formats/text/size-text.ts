/** Sizes as people read them. */
import prettyBytes from 'pretty-bytes'

/** Texts made before: a run's checkpoints have few sizes. */
const texts = new Map<number, string>()
const mostKept = 1024

/** Bytes in powers of 1000, three significant digits: `1.23 GB`. */
export function formatSize(bytes: number): string {
  const known = texts.get(bytes)
  if (known !== undefined) return known
  const text = prettyBytes(bytes)
  if (texts.size < mostKept) texts.set(bytes, text)
  return text
}
