/** An answer that is read into memory: as large and as slow as an honest one can be, and no more. */
import { CkptError } from '../../errors.js'
import { connectionError } from './connection-errors.js'
import { shownUrl } from './url.js'

export interface Bounds {
  /** Bytes. */
  readonly most: number
  /** Ends the reading. */
  readonly signal: AbortSignal
}

/** Throws CkptError: `damaged` for one that is larger, `system` for one that breaks off or takes too long. */
export async function readBody(response: Response, url: string, { most, signal }: Bounds): Promise<Uint8Array> {
  const reader = response.body?.getReader()
  const parts: Uint8Array[] = []
  let size = 0
  for (;;) {
    const part = await nextPart(reader, url, size, signal)
    if (part === null) break
    size += part.length
    if (size > most) {
      await reader?.cancel()
      throw new CkptError('damaged', `${shownUrl(url)}: the server's answer has more than ${most} bytes`)
    }
    parts.push(part)
  }
  const whole = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

async function nextPart(
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined,
  url: string,
  size: number,
  signal: AbortSignal,
): Promise<Uint8Array | null> {
  try {
    return (await reader?.read())?.value ?? null
  } catch (error) {
    if (signal.aborted) throw new CkptError('system', `${shownUrl(url)}: the answer took too long`, { cause: error })
    throw connectionError(url, `the connection broke off after ${size} bytes`, error)
  }
}
