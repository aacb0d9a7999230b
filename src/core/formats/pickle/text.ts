/** The ways in which pickles write text. */

/**
 * The bytes from `start` to `end` as UTF-8 with surrogates let through, as Python's `surrogatepass` does and pickle
 * writes them; undefined for anything that is not that.
 */
export function decodeUtf8(bytes: Buffer, start: number, end: number): string | undefined {
  const text = bytes.toString('utf8', start, end)
  return text.includes('\uFFFD') ? decodeStrictly(bytes.subarray(start, end)) : text
}

function decodeStrictly(bytes: Uint8Array): string | undefined {
  let text = ''
  let from = 0
  // Surrogates begin with this byte, and not much else does.
  for (let at = bytes.indexOf(0xed); at !== -1 && at + 2 < bytes.length; at = bytes.indexOf(0xed, at)) {
    const [second = 0, third = 0] = [bytes[at + 1], bytes[at + 2]]
    if (second < 0xa0 || second > 0xbf || third >> 6 !== 2) {
      at += 1
      continue
    }
    const before = from === at ? '' : decodeFatally(bytes.subarray(from, at))
    if (before === undefined) return undefined
    text += before + String.fromCharCode(0xd000 | ((second & 0x3f) << 6) | (third & 0x3f))
    from = at + 3
    at = from
  }
  const rest = decodeFatally(bytes.subarray(from))
  return rest === undefined ? undefined : text + rest
}

let strict: InstanceType<typeof TextDecoder> | undefined

function decodeFatally(bytes: Uint8Array): string | undefined {
  strict ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}

/** Python's `raw-unicode-escape` (opcode UNICODE): Latin-1, and `\uXXXX` or `\UXXXXXXXX` for the rest. */
export function decodeRawUnicode(line: Uint8Array): string {
  const text = Buffer.from(line).toString('latin1')
  return text.replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (whole, short?: string, long?: string) => {
    const code = Number.parseInt(short ?? long ?? '', 16)
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}

const escapes = new Map([
  ['n', 10],
  ['t', 9],
  ['r', 13],
  ['a', 7],
  ['b', 8],
  ['f', 12],
  ['v', 11],
  ['\\', 92],
  ["'", 39],
  ['"', 34],
])

/** A quoted Python 2 string literal (opcode STRING); undefined when the quotes are not there. */
export function decodeStringLiteral(line: Uint8Array): Uint8Array | undefined {
  const text = Buffer.from(line).toString('latin1').trim()
  const quote = text.charAt(0)
  if (text.length < 2 || (quote !== "'" && quote !== '"') || !text.endsWith(quote)) return undefined
  const body = text
    .slice(1, -1)
    .replace(/\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|([\s\S]))/g, (whole, hex?: string, octal?: string, char?: string) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff)
      const code = escapes.get(char ?? '')
      return code === undefined ? whole : String.fromCharCode(code)
    })
  return Uint8Array.from(Buffer.from(body, 'latin1'))
}
