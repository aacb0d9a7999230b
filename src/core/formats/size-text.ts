/** Sizes as people read them. */
import prettyBytes from 'pretty-bytes'

/** Bytes in powers of 1000, three significant digits: `1.23 GB`. */
export function formatSize(bytes: number): string {
  return prettyBytes(bytes)
}
