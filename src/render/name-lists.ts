/** Lists of names in little room: fewer names, and none cut so that it could be another. */
import { shortenNames } from './shorten.js'
import { cutText, displayWidth } from './text-width.js'

/** `pinned`, `same as last.ckpt`, `best WER loss`: names with what stands before them, or a text alone. */
export interface Named {
  readonly lead: string
  readonly names: readonly string[]
}

interface Written {
  /** Between the names of one list. */
  readonly separator: string
  readonly width: number
}

/** What a name is still told by, beside a `…`. */
const leastName = 4
/** Of a name where there is no room for what else is said. */
const briefName = 12

/** One text for each row of lists, each in at most `width` columns: `latest, best WER +2, pinned`. */
export function abridgeLists(rows: readonly (readonly Named[])[], { separator, width }: Written): string[] {
  const all = [...new Set(rows.flat().flatMap(({ names }) => names))]
  const short = (name: string, room: number) => shortenNames([name, ...all], room)[0] ?? name
  return rows.map((lists) => abridge(lists, { separator, width, short }))
}

interface Abridging extends Written {
  readonly short: (name: string, room: number) => string
}

function abridge(lists: readonly Named[], { separator, width, short }: Abridging): string {
  const longest = Math.max(0, ...lists.map(({ names }) => names.length))
  const textWith = (most: number, spell = (name: string) => name) =>
    lists.map((list) => listText(list, most, separator, spell)).join(', ')
  for (let most = longest; most > 0; most -= 1) {
    const text = textWith(most)
    if (displayWidth(text) <= width) return text
  }
  const named = lists.filter(({ names }) => names.length > 0).length
  const room = width - displayWidth(textWith(1, () => ''))
  const each = named > 0 ? Math.floor(room / named) : 0
  return cutText(
    textWith(1, (name) => short(name, each < leastName ? briefName : each)),
    width,
  )
}

function listText({ lead, names }: Named, most: number, separator: string, spell: (name: string) => string): string {
  const more = names.length > most ? ` +${names.length - most}` : ''
  return `${lead}${names.slice(0, most).map(spell).join(separator)}${more}`
}
