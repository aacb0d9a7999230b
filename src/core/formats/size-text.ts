/** Sizes as people read them. */
import prettyBytes from 'pretty-bytes'

/** Told before: a run's checkpoints have few sizes. */
const told = new Map<number, string>()
const mostTold = 1024

/** Bytes in powers of 1000, three significant digits: `1.23 GB`. */
export function formatSize(bytes: number): string {
  const known = told.get(bytes)
  if (known !== undefined) return known
  const text = prettyBytes(bytes)
  if (told.size < mostTold) told.set(bytes, text)
  return text
}
