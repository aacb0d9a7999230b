/**
 * Text from files and file names, made safe to show: control characters (escape sequences among them), invisible and
 * direction-changing characters and lone surrogates stand as escapes, as `ls -b` and git show them.
 */

export const unsafe =
  /(?:[\u0000-\u001f\u007f-\u009f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]|\p{Cs})/gu

/** Of what could be unsafe beyond line breaks: a fifth of the time, for almost all text holds none. */
export const suspicious =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]/

const short: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\u001b': '\\e' }

export function printable(text: string): string {
  return text.replace(unsafe, escapeOne)
}

/** The same for text of several lines: line breaks stay. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n')
}

function escapeOne(character: string): string {
  const code = character.codePointAt(0) ?? 0
  return (
    short[character] ?? (code < 256 ? `\\x${hex(code, 2)}` : code < 65536 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`)
  )
}

/** In C's and Python's notation. */
function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
