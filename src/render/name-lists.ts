/** Lists of names in little room: fewer names, and none cut so that it could be another. */
import { shortenNames } from './shorten.js'
import { cutText, displayWidth } from './text-width.js'

/** `pinned`, `same as last.ckpt`, `best WER loss`: names with what stands before them, or a text alone. */
export interface Named {
  readonly lead: string
  readonly names: readonly string[]
  /** In place of all that where no name can be shown: `best by 3`. */
  readonly counted?: (count: number) => string
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
  return rows.map((lists) => abridge(lists, { separator, width, short: (room) => shortForms(all, room) }))
}

/** By name; none of names that would be alike. */
function shortForms(names: readonly string[], room: number): ReadonlyMap<string, string> {
  const forms = shortenNames(names, room)
  const counts = new Map<string, number>()
  for (const form of forms) counts.set(form, (counts.get(form) ?? 0) + 1)
  return new Map(
    names.flatMap((name, index) => {
      const form = forms[index] ?? name
      return counts.get(form) === 1 ? [[name, form] as const] : []
    }),
  )
}

interface Abridging extends Written {
  readonly short: (room: number) => ReadonlyMap<string, string>
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
  const forms = short(each < leastName ? briefName : each)
  const texts = lists.map((list) => {
    const isClear = list.names.slice(0, 1).every((name) => forms.has(name))
    return isClear ? listText(list, 1, separator, (name) => forms.get(name) ?? name) : countText(list)
  })
  return cutText(texts.join(', '), width)
}

function countText({ lead, names, counted }: Named): string {
  return counted === undefined || names.length === 1 ? `${lead}…` : counted(names.length)
}

function listText({ lead, names }: Named, most: number, separator: string, spell: (name: string) => string): string {
  const more = names.length > most ? ` +${names.length - most}` : ''
  return `${lead}${names.slice(0, most).map(spell).join(separator)}${more}`
}
