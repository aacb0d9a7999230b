/** `{source}`, `{target}` and the like in the words of a command. Two braces make one that stands for itself. */
import { CkptError } from '../../errors.js'
import { didYouMean } from '../../choosing/expression/index.js'
import { positionText } from '../../formats/yaml/config-yaml.js'
import type { Command, Part, Placeholder, Word } from './hook.js'
import { WordMistake, type RawWord } from '../../formats/text/shell-words.js'

/** What looks like a placeholder; other braces (JSON, `{}`) are as they are. */
const placeholder = /\{\{([a-z][a-z_:-]*)\}\}|\{([a-z][a-z_:-]*)\}/gi

/** The word with its placeholders found. Throws WordMistake for one that is not `known`. */
export function parseWord({ text, indices }: RawWord, known: readonly Placeholder[]): Word {
  const parts: Part[] = []
  let end = 0
  for (const match of text.matchAll(placeholder)) {
    const [whole, literal, name = ''] = match
    parts.push({ kind: 'text', text: text.slice(end, match.index) })
    if (literal === undefined) parts.push({ kind: 'value', name: check(name, known, indices[match.index] ?? 0) })
    else parts.push({ kind: 'text', text: `{${literal}}` })
    end = match.index + whole.length
  }
  return [...parts, { kind: 'text', text: text.slice(end) }]
}

function check(name: string, known: readonly Placeholder[], index: number): Placeholder {
  const found = known.find((one) => one === name)
  if (found !== undefined) return found
  const all = known.map((one) => `{${one}}`).join(' ')
  const meant = didYouMean(name, known, (one) => `{${one}}`) ?? `there are ${all}`
  throw new WordMistake(
    index,
    `{${name}} is nothing that this step fills in`,
    `${meant}; for the text itself write {{${name}}}`,
  )
}

/** Throws WordMistake for a placeholder in the text for a shell, but not for `\${source}`, a variable of its own. */
export function refusePlaceholders(text: string, all: readonly Placeholder[]): void {
  const match = new RegExp(`(?<!\\$)\\{(${all.join('|')})\\}`).exec(text)
  if (match === null) return
  const [whole, name = ''] = match
  const variable = variableOf(name)
  throw new WordMistake(match.index, `${whole} is not filled in for a shell`, `write "$${variable}", in double quotes`)
}

export type Values = Readonly<Partial<Record<Placeholder, string>>>

/** The arguments of a command. Throws CkptError `usage` for a value that is not known here. */
export function fillWords(words: readonly Word[], values: Values, { position }: Command): string[] {
  return words.map((word) =>
    word
      .map((part) => {
        if (part.kind === 'text') return part.text
        const value = values[part.name]
        if (value !== undefined) return value
        throw new CkptError(
          'usage',
          `${positionText(position)}: {${part.name}} is not known for a file that is in no checkpoint`,
        )
      })
      .join(''),
  )
}

/** `CKPT_SOURCE` for `source`. */
export function variableOf(name: string): string {
  return `CKPT_${name.toUpperCase()}`
}
