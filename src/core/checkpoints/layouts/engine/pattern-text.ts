/** A pattern of names as people read it: `checkpoint-<step>`, `epoch_*.{pt,pth}`. */

/** Named groups are shown as `<name>`, digits as `<number>`, any text as `*`, what may be left out in brackets. */
export function patternText(pattern: RegExp): string {
  const { source } = pattern
  const before = source.startsWith('^') ? '' : '*'
  const after = /(?<!\\)\$$/.test(source) ? '' : '*'
  return `${before}${new PatternReader(source).alternatives()}${after}`.replaceAll(/\*{2,}/g, '*')
}

const quantifier = /^(?:[*+?]|\{\d+(?:,\d*)?\})\??/

class PatternReader {
  private at = 0

  constructor(private readonly source: string) {}

  /** Up to the bracket that closes them, or the end. */
  alternatives(): string {
    const found = ['']
    while (this.at < this.source.length && this.source[this.at] !== ')') {
      if (this.source[this.at] === '|') {
        this.at += 1
        found.push('')
      } else found.push((found.pop() ?? '') + this.repeated())
    }
    const distinct = [...new Set(found)]
    const texts = distinct.filter((text) => text !== '')
    const joined = texts.length > 1 ? `{${texts.join(',')}}` : (texts[0] ?? '')
    return texts.length < distinct.length && joined !== '' ? `[${joined}]` : joined
  }

  /** One part with how often it comes. */
  private repeated(): string {
    const part = this.part()
    const [often = ''] = quantifier.exec(this.source.slice(this.at)) ?? []
    this.at += often.length
    if (often === '' || part === '' || part === '*' || /^<[^>]*>$/.test(part)) return part
    if (often.startsWith('?') || often.startsWith('{0,1}')) return part.startsWith('[') ? part : `[${part}]`
    return /^\{\d+\}$/.test(often) ? part.repeat(Math.min(Number(often.slice(1, -1)), 8)) : '*'
  }

  private part(): string {
    const character = this.source[this.at] ?? ''
    this.at += 1
    if (character === '^' || character === '$') return ''
    if (character === '.') return '*'
    if (character === '[') return this.oneOf()
    if (character === '(') return this.group()
    return character === '\\' ? this.escaped() : character
  }

  private escaped(): string {
    const character = this.source[this.at] ?? ''
    this.at += 1
    if (character === 'd') return '<number>'
    if (character === 'b' || character === 'B') return ''
    return /[wWsSD]/.test(character) ? '*' : character
  }

  private oneOf(): string {
    const begin = this.at
    while (this.at < this.source.length && this.source[this.at] !== ']') {
      this.at += this.source[this.at] === '\\' ? 2 : 1
    }
    const inside = this.source.slice(begin, this.at)
    this.at += 1
    return inside === '0-9' || inside === '\\d' ? '<number>' : '*'
  }

  private group(): string {
    const [opening = ''] = /^\?(?:<[A-Za-z_]\w*>|<?[=!]|:)/.exec(this.source.slice(this.at)) ?? []
    this.at += opening.length
    const inside = this.alternatives()
    this.at += 1
    if (/[=!]$/.test(opening)) return ''
    const [, name] = /^\?<(\w+)>$/.exec(opening) ?? []
    return name === undefined || name === 'unit' ? inside : `<${name}>`
  }
}
