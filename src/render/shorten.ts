/** Long names in little room: what they have in common goes, but never the words by which they differ. */
import { displayWidth } from './text-width.js'

const gap = '…'
/** Characters of a word beyond which it is taken to pieces: `label_` stays one, `smoothing=0.1_` becomes two. */
const longestWord = 12
const pieceOfWord = 8

/**
 * Each of `names` in at most `width` columns (at least 3), printable text. The words that tell a name from the others
 * stay: they are what people look for in the names of a sweep. Then come words that not all names have, then the
 * words at both ends.
 */
export function shortenNames(names: readonly string[], width: number): string[] {
  const room = Math.max(3, width)
  const distinct = [...new Set(names)].sort().map((name) => Array.from(name))
  const positions = positionsThatDiffer(distinct)
  const spelled = distinct.map((characters, index) => ({
    words: wordsOf(characters),
    positions: [...(positions[index] ?? [])],
  }))
  const counts = countNamesWith(spelled.map(({ words }) => words))
  const among = { namesWith: (word: string) => counts.get(word) ?? 0, names: distinct.length }
  const short = new Map(spelled.map((one) => [one.words.join(''), shortenOne(one, room, among)]))
  return names.map((name) => (displayWidth(name) <= room ? name : (short.get(name) ?? name)))
}

interface Spelled {
  /** With the separator behind each; a long one is in pieces. */
  readonly words: readonly string[]
  /** Characters at which other names with the same beginning go on otherwise, ascending. */
  readonly positions: readonly number[]
}

/** Of names in the order of the alphabet, each once. */
function positionsThatDiffer(names: readonly (readonly string[])[]): ReadonlySet<number>[] {
  const positions = names.map(() => new Set<number>())
  const among = (from: number, to: number, alike: number): void => {
    if (to - from < 2) return
    const [first, last] = [names[from] ?? [], names[to - 1] ?? []]
    let at = alike
    while (at < first.length && first[at] === last[at]) at += 1
    for (let begin = from; begin < to;) {
      let end = begin
      while (end < to && names[end]?.[at] === names[begin]?.[at]) positions[end++]?.add(at)
      among(begin, end, at + 1)
      begin = end
    }
  }
  among(0, names.length, 0)
  return positions
}

/** A word and the separator behind it; `3e-4` is one word, whose minus separates nothing. */
const wordPattern = /(?:[^/_\-+, ]|(?<=\d[eE])[-+](?=\d))*[/_\-+, ]|(?:[^/_\-+, ]|(?<=\d[eE])[-+](?=\d))+/gu

function wordsOf(characters: readonly string[]): string[] {
  return (characters.join('').match(wordPattern) ?? []).flatMap(piecesOf)
}

/** A long word in two at its `=`, and what is long still in pieces. */
function piecesOf(word: string): string[] {
  if (Array.from(word).length <= longestWord) return [word]
  const parts = word.split(/(?<==)(?=.)/su)
  return parts.length > 1 ? parts.flatMap(piecesOf) : cutEvenly(Array.from(word))
}

function cutEvenly(characters: readonly string[]): string[] {
  const count = Math.ceil(characters.length / pieceOfWord)
  return Array.from({ length: count }, (_, piece) =>
    characters.slice(piece * pieceOfWord, (piece + 1) * pieceOfWord).join(''),
  )
}

function countNamesWith(all: readonly (readonly string[])[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const words of all) for (const word of new Set(words)) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

interface Among {
  /** How many of the names have that word. */
  readonly namesWith: (word: string) => number
  readonly names: number
}

function shortenOne({ words, positions }: Spelled, room: number, among: Among): string {
  const fits = (kept: ReadonlySet<number>) => displayWidth(textOf(words, kept)) <= room
  const distinguishing = fittingOf({ words, positions }, fits, among)
  if (!fits(new Set(distinguishing))) return cutAround(Array.from(words.join('')), positions.at(-1) ?? 0, room)
  const kept = new Set(distinguishing)
  // `0.1` says little without the `smoothing=` before it.
  const keyOf = (word: number) => (words[word - 1]?.endsWith('=') === true ? [word - 1] : [])
  const add = (word: number): boolean => {
    const more = [word, ...keyOf(word)]
    if (!fits(new Set([...kept, ...more]))) return false
    for (const one of more) kept.add(one)
    return true
  }
  for (const word of distinguishing) add(word)
  for (const [index, word] of words.entries()) if (among.namesWith(word) < among.names) add(index)
  let [isHead, isTail] = [true, true]
  for (let index = 0; index < words.length && (isHead || isTail); index += 1) {
    isTail = isTail && add(words.length - 1 - index)
    isHead = isHead && add(index)
  }
  return textOf(words, kept)
}

/** The words that tell the name apart, as many as fit; at least one, which may be too long. */
function fittingOf(
  { words, positions }: Spelled,
  fits: (kept: ReadonlySet<number>) => boolean,
  among: Among,
): number[] {
  const distinguishing = wordsAt(words, positions)
  if (fits(new Set(distinguishing))) return distinguishing
  // One that no other name has says all, though names part before it: `seed=15` behind `dropout=0.1`.
  const own = words.findLastIndex((word, index) => among.namesWith(word) === 1 && fits(new Set([index])))
  if (own !== -1) return [own]
  // The later a difference is, the fewer names have the same beginning: it tells most.
  while (distinguishing.length > 1 && !fits(new Set(distinguishing))) distinguishing.shift()
  return distinguishing
}

/** The words that hold these places; one that ends where others go on differs from them by its last. */
function wordsAt(words: readonly string[], positions: readonly number[]): number[] {
  const ends: number[] = []
  for (const word of words) ends.push((ends.at(-1) ?? 0) + Array.from(word).length)
  const found = positions.map((position) => ends.findIndex((end) => position < end))
  return [...new Set(found.map((word) => (word === -1 ? words.length - 1 : word)))]
}

function textOf(words: readonly string[], kept: ReadonlySet<number>): string {
  return words
    .map((word, index) => {
      if (kept.has(index)) return word
      return index === 0 || kept.has(index - 1) ? gap : ''
    })
    .join('')
}

/** As many characters around one as there is room for. */
function cutAround(characters: readonly string[], at: number, room: number): string {
  const text = (from: number, to: number) =>
    `${from > 0 ? gap : ''}${characters.slice(from, to).join('')}${to < characters.length ? gap : ''}`
  let [from, to] = [Math.min(at, characters.length - 1), Math.min(at, characters.length - 1) + 1]
  if (displayWidth(text(from, to)) > room) return gap
  for (let isLonger = true; isLonger;) {
    isLonger = false
    if (to < characters.length && displayWidth(text(from, to + 1)) <= room) [to, isLonger] = [to + 1, true]
    if (from > 0 && displayWidth(text(from - 1, to)) <= room) [from, isLonger] = [from - 1, true]
  }
  return text(from, to)
}
