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
  let decoded = ''
  let from = 0
  for (let at = text.indexOf('\\'); at !== -1; at = text.indexOf('\\', at)) {
    const digits = { u: 4, U: 8 }[text.charAt(at + 1)] ?? 0
    const code = digits === 0 ? undefined : numberAt(text, at + 2, digits, 16)
    if (code === undefined || code > 0x10ffff) {
      at += 1
      continue
    }
    decoded += text.slice(from, at) + String.fromCodePoint(code)
    at += 2 + digits
    from = at
  }
  return decoded + text.slice(from)
}

/** The number that exactly `digits` digits from `at` on write; undefined for anything else. */
function numberAt(text: string, at: number, digits: number, base: number): number | undefined {
  let number = 0
  for (let end = at + digits; at < end; at += 1) {
    const digit = digitOf(text.charCodeAt(at))
    if (!(digit < base)) return undefined
    number = number * base + digit
  }
  return number
}

function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : NaN
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
  const body = text.slice(1, -1)
  const bytes = new Uint8Array(body.length)
  let length = 0
  for (let at = 0; at < body.length;) {
    const escape = body.charCodeAt(at) === 0x5c ? escapeAt(body, at + 1) : undefined
    bytes[length] = escape?.byte ?? body.charCodeAt(at)
    length += 1
    at += 1 + (escape?.length ?? 0)
  }
  return bytes.slice(0, length)
}

/** What the characters behind a backslash mean, and how many they are; undefined where it stands for itself. */
function escapeAt(text: string, at: number): { readonly byte: number; readonly length: number } | undefined {
  const char = text.charAt(at)
  const hex = char === 'x' ? numberAt(text, at + 1, 2, 16) : undefined
  if (hex !== undefined) return { byte: hex, length: 3 }
  for (let digits = 3; digits > 0; digits -= 1) {
    const octal = numberAt(text, at, digits, 8)
    if (octal !== undefined) return { byte: octal & 0xff, length: digits }
  }
  const byte = escapes.get(char)
  return byte === undefined ? undefined : { byte, length: 1 }
}
