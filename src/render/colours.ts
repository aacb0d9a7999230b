/** The few colours in use, by what they mean. */

/** Set and reset (ECMA-48 §8.3.117, SGR). */
const styles = {
  bad: [31, 39],
  warning: [33, 39],
  good: [32, 39],
  title: [1, 22],
  faint: [2, 22],
  accent: [36, 39],
  /** Of curves, beside those above. */
  first: [34, 39],
  second: [35, 39],
} as const

export type Meaning = keyof typeof styles
export type Paint = (meaning: Meaning, text: string) => string

/**
 * In every style that is set here, so that what leaves the program can tell it from one that stands in a file or a
 * name (escape-output.ts). Random, for a file could hold what is always the same; groups of four digits, for those who
 * measure the width of a text know no longer ones.
 */
const mark = Array.from({ length: 3 }, () => 1000 + Math.floor(Math.random() * 9000)).join(';')

const marked = new RegExp(`\\u001b\\[(\\d+);${mark}m`)
const plain = /\u001b\[(\d+)m/g

export function painter(colours: boolean): Paint {
  return (meaning, text) => {
    if (!colours || text === '') return text
    const [set, reset] = styles[meaning]
    return `${style(set)}${text}${style(reset)}`
  }
}

/** Texts and styles in turns: the first, the third and so on are texts, the others numbers of our own styles. */
export function splitStyles(text: string): string[] {
  return text.includes('\u001b') ? text.split(marked) : [text]
}

/** Plain styles become our own, in a text in which no others can be. */
export function ownStyles(text: string): string {
  return text.replace(plain, (_, code: string) => style(code))
}

function style(code: number | string): string {
  return `\u001b[${code};${mark}m`
}
