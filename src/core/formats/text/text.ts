/** Bytes as text, and whether they are it. */

/** What no text holds, of the characters of one byte. */
function isControl(code: number): boolean {
  return code < 0x20 ? code < 0x08 || (code > 0x0d && code !== 0x1b) : code === 0x7f
}

/** Printable, white space, and what moves or colours a terminal's text; the last character may be cut. */
export function isText(head: Uint8Array): boolean {
  if (head.some(isControl)) return false
  return head.every((byte) => byte < 0x80) || isUtf8(head)
}

/**
 * Each byte as the character of its number. TextDecoder's `latin1` is windows-1252 (WHATWG Encoding 4.2), which has other
 * characters for 0x80 to 0x9f; older versions of Node took it by its word.
 */
export function byteText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

function isUtf8(head: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true })
    return true
  } catch (error) {
    if (error instanceof TypeError) return false
    throw error
  }
}
