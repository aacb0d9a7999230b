/** What the headers of an answer say of the file. */

export interface Answer {
  /** The first byte that it holds. */
  readonly start: number
  /** Bytes of the whole; null when it does not say. */
  readonly total: number | null
  readonly validator: string | null
}

export function readAnswer({ status, headers }: Response): Answer {
  const validator = validatorOf(headers)
  if (status === 200) return { start: 0, total: integer(headers.get('content-length')), validator }
  const [, start, total] = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(headers.get('content-range') ?? '') ?? []
  return { start: integer(start) ?? -1, total: integer(total), validator }
}

/** A weak tag is none (RFC 9110 §13.1.5). */
function validatorOf(headers: Headers): string | null {
  const tag = headers.get('etag')
  return tag?.startsWith('"') === true ? tag : headers.get('last-modified')
}

function integer(text: string | null | undefined): number | null {
  return text !== null && text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null
}
