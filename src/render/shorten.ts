/** Long names in little room: the middle goes, but never the part by which a name differs from the others. */
import { displayWidth } from './text-width.js'

const gap = '…'

/**
 * Each of `names` in at most `width` columns (at least 3), printable text. The part that tells a name from its
 * neighbours in the order of the alphabet stays: it is what people look for in the names of a sweep.
 */
export function shortenNames(names: readonly string[], width: number): string[] {
  const room = Math.max(3, width)
  const sorted = [...new Set(names)].sort()
  const differsAt = new Map(
    sorted.map((name, index) => {
      const beside = [sorted[index - 1], sorted[index + 1]].flatMap((other) => other ?? [])
      return [name, Math.max(0, ...beside.map((other) => sharedStart(name, other)))]
    }),
  )
  return names.map((name) => (displayWidth(name) <= room ? name : shortenOne(name, room, differsAt.get(name) ?? 0)))
}

/** How many characters two names begin alike with. */
function sharedStart(a: string, b: string): number {
  let at = 0
  while (at < a.length && at < b.length && a[at] === b[at]) at += 1
  return at
}

/** `at` is where the name begins to differ. */
function shortenOne(name: string, room: number, at: number): string {
  const characters = Array.from(name)
  const length = characters.length
  const part = (from: number, to: number) => characters.slice(from, to).join('')
  const shown = room - gap.length
  const tail = Math.ceil(shown / 2)
  const differing = Array.from(name.slice(0, at)).length
  const fits = (text: string) => displayWidth(text) <= room
  // Some of what follows the first difference says how the names differ: `lr=0.01`, not `1`.
  const told = Math.min(length, differing + 4)
  const choices = [
    shown - tail >= told || differing >= length - tail
      ? part(0, shown - tail) + gap + part(length - tail, length)
      : null,
    told <= shown - 1 ? part(0, told) + gap + part(length - (shown - told), length) : null,
    length - differing <= shown - 1 ? part(0, shown - (length - differing)) + gap + part(differing, length) : null,
    gap + part(wordStart(characters, differing, room), wordStart(characters, differing, room) + room - 2) + gap,
  ]
  const choice = choices.find((one) => one !== null && fits(one))
  return choice ?? cut(characters, room)
}

/** A little before the difference, at the beginning of its word where that is near. */
function wordStart(characters: readonly string[], at: number, room: number): number {
  const least = Math.max(0, at - Math.floor(room / 3))
  const latest = Math.max(0, characters.length - (room - 2))
  let start = Math.min(at, latest)
  while (start > least && !/[/_\-+ ]/.test(characters[start - 1] ?? '')) start -= 1
  return Math.min(start, latest)
}

/** Of characters that are wider than one column as many as there is room for. */
function cut(characters: readonly string[], room: number): string {
  let text = ''
  for (const character of characters) {
    if (displayWidth(text + character) > room - 1) break
    text += character
  }
  return text + gap
}
