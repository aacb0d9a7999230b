/** Whether bytes are text. */

/** Printable, white space, and what moves or colours a terminal's text; the last character may be cut. */
export function isText(head: Uint8Array): boolean {
  try {
    return !/[\0-\x07\x0e-\x1a\x1c-\x1f\x7f]/.test(
      new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true }),
    )
  } catch (error) {
    if (error instanceof TypeError) return false
    throw error
  }
}
