/** How all names that a pattern fits can end: what a name must end in before it is worth trying. */

/** `isWhole`: it is all of the name that the part of the pattern fits, not its end alone. */
interface Ending {
  readonly text: string
  readonly isWhole: boolean
}

/** Any text at all. */
const anything: readonly Ending[] = [{ text: '', isWhole: false }]
const empty: readonly Ending[] = [{ text: '', isWhole: true }]

/** Characters of a class that are worth telling apart. */
const mostOfClass = 16
const mostEndings = 256
const longestEnding = 16
const asciiCount = 128

/**
 * Texts in small letters: each name that the pattern fits ends in one of them, were its ASCII letters small. What is not
 * understood of a pattern can be anything, so a text may be empty, and then any name may fit.
 */
export function endingsOf(pattern: RegExp): string[] {
  // Other flags give other meanings to `$`, to escapes or to a second call.
  if (!/^[is]*$/.test(pattern.flags)) return ['']
  return [...new Set(new EndingReader(pattern.source).alternatives(true).map(({ text }) => text))]
}

const quantifier = /^(?:([*+?])|\{(\d+)(?:,\d*)?\})\??/

class EndingReader {
  private at = 0

  constructor(private readonly source: string) {}

  /** Up to the bracket that closes them, or the end; at the top what does not stand before a `$` goes on as it likes. */
  alternatives(isTop: boolean): readonly Ending[] {
    const found: Ending[] = []
    for (;;) {
      const { endings, isEnd } = this.sequence()
      found.push(...(isTop && !isEnd ? anything : endings))
      if (this.source[this.at] !== '|') return bounded(found)
      this.at += 1
    }
  }

  private sequence(): { readonly endings: readonly Ending[]; readonly isEnd: boolean } {
    let endings = empty
    let isEnd = false
    while (this.at < this.source.length && !/[|)]/.test(this.source[this.at] ?? '')) {
      isEnd = this.source[this.at] === '$'
      endings = behind(endings, this.repeated())
    }
    return { endings, isEnd }
  }

  private repeated(): readonly Ending[] {
    const part = this.part()
    const [often = '', sign, least] = quantifier.exec(this.source.slice(this.at)) ?? []
    this.at += often.length
    if (often === '') return part
    if (sign === '?') return bounded([...part, ...empty])
    const several = part.map(({ text }) => ({ text, isWhole: false }))
    return sign === '*' || Number(least) === 0 ? bounded([...several, ...empty]) : several
  }

  private part(): readonly Ending[] {
    const character = this.source[this.at] ?? ''
    this.at += 1
    if (character === '^' || character === '$') return empty
    if (character === '.') return anything
    if (character === '[') return this.oneOf()
    if (character === '(') return this.group()
    return character === '\\' ? this.escaped() : literal(character)
  }

  private escaped(): readonly Ending[] {
    const character = this.source[this.at] ?? ''
    this.at += 1
    if (character === 'd') return ofClass('\\d')
    if (character === 'b' || character === 'B') return empty
    if (/\W/.test(character)) return literal(character)
    if (/[wWsSD]/.test(character)) return anything
    // `\x41`, `\1`, `\k<a>`: what is taken for a part of it is not asked for then.
    const [rest = ''] = /^(?:<[^>]*>|\w*)/.exec(this.source.slice(this.at)) ?? []
    this.at += rest.length
    return anything
  }

  private oneOf(): readonly Ending[] {
    const begin = this.at
    while (this.at < this.source.length && this.source[this.at] !== ']') {
      this.at += this.source[this.at] === '\\' ? 2 : 1
    }
    this.at += 1
    return ofClass(this.source.slice(begin - 1, this.at))
  }

  private group(): readonly Ending[] {
    const [opening = ''] = /^\?(?:<[A-Za-z_$][\w$]*>|<?[=!]|:)/.exec(this.source.slice(this.at)) ?? []
    this.at += opening.length
    const isOdd = opening === '' && this.source[this.at] === '?'
    const inside = this.alternatives(false)
    this.at += 1
    if (isOdd) return anything
    // What must or must not be around takes no room of its own.
    return /[=!]$/.test(opening) ? empty : inside
  }
}

function literal(character: string): readonly Ending[] {
  return character.charCodeAt(0) < asciiCount ? [{ text: character.toLowerCase(), isWhole: true }] : anything
}

/** A set of single ASCII characters; one that has others is anything. */
function ofClass(source: string): readonly Ending[] {
  if (!/^(?:\\d|\[(?!\^)(?:[\x20-\x5b\x5e-\x7e]|\\[dw]|\\[^\w])+\])$/.test(source)) return anything
  const pattern = new RegExp(`^${source}$`)
  const found = new Set<string>()
  for (let code = 0; code < asciiCount; code += 1) {
    const character = String.fromCharCode(code)
    if (pattern.test(character)) found.add(character.toLowerCase())
  }
  return found.size > mostOfClass ? anything : [...found].map((text) => ({ text, isWhole: true }))
}

/** What ends as `last` does, and before a whole one as `first`. */
function behind(first: readonly Ending[], last: readonly Ending[]): readonly Ending[] {
  return bounded(
    last.flatMap((end) =>
      end.isWhole ? first.map(({ text, isWhole }) => ({ text: text + end.text, isWhole })) : [end],
    ),
  )
}

/** No more than are worth it: shorter ends stand for many. */
function bounded(endings: readonly Ending[], longest = longestEnding): readonly Ending[] {
  const byText = new Map<string, Ending>()
  for (const { text, isWhole } of endings) {
    const short = text.slice(-longest)
    const whole = isWhole && short === text && byText.get(short)?.isWhole !== false
    byText.set(short, { text: short, isWhole: whole })
  }
  if (byText.size <= mostEndings) return [...byText.values()]
  return longest > 1 ? bounded([...byText.values()], longest >> 1) : anything
}
