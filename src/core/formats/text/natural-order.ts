/** Names in the order that people count in: `checkpoint-9` before `checkpoint-10`. */
export function compareNatural(a: string, b: string): number {
  let at = 0
  while (at < a.length && a.charCodeAt(at) === b.charCodeAt(at)) at += 1
  if (at === a.length || at === b.length) return a.length - b.length
  const start = digitsStart(a, at)
  const [left, right] = [numberAt(a, start), numberAt(b, start)]
  if (left !== null && right !== null && left !== right) return left - right
  return a < b ? -1 : 1
}

/** Where the digits begin that the two have in common before the place where they differ. */
function digitsStart(text: string, at: number): number {
  let start = at
  while (start > 0 && isDigit(text.charCodeAt(start - 1))) start -= 1
  return start
}

function numberAt(text: string, start: number): number | null {
  let end = start
  while (isDigit(text.charCodeAt(end))) end += 1
  return end === start ? null : Number(text.slice(start, end))
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}
