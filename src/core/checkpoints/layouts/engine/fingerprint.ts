/** A fingerprint that equal files share, made without reading them whole. */
import { crc32 } from '../../../formats/bytes/crc32.js'
import type { CopyRule, OpenedFile, Question } from '../spec.js'
import { storageFinding } from './facts.js'
import { ownFiles } from './proof.js'
import type { Opener } from './opener.js'
import type { Unit } from './unit-paths.js'

export async function printOf(unit: Unit, opener: Opener): Promise<string | null> {
  if (unit.spec.copies?.by.includes('content') !== true || unit.kind === 'folder') return null
  try {
    const prints: string[] = []
    for (const path of ownFiles(unit)) {
      const print = await (await opener.look(path)).answer(questionOf(unit.spec.copies))
      if (print === null) return null
      prints.push(print)
    }
    return prints.join(' ')
  } catch (error) {
    if (storageFinding(error) === null) return null
    return null
  }
}

const questions = new WeakMap<CopyRule, Question<string | null>>()

function questionOf(rule: CopyRule): Question<string | null> {
  const { leave } = rule
  const question = questions.get(rule) ?? {
    text: leave === undefined ? 'print' : `print without ${leave.source}`,
    fits: (value) => value === null || typeof value === 'string',
    ask: async (look) => printOfFile(look, leave),
  }
  questions.set(rule, question)
  return question
}

/** Of an archive its entries' checksums; of any other file the bytes, where they are few. */
async function printOfFile(look: OpenedFile, leave?: RegExp): Promise<string | null> {
  const sums = await look.zip()
  if (sums === null) {
    const sum = await look.sum()
    return sum === null ? null : `${look.size}:${sum}`
  }
  const counted = [...sums].filter(([name]) => leave?.test(name) !== true)
  const text = counted.map(([name, sum]) => `${name.replace(/^[^/]*\//, '')} ${sum}`).join('\n')
  return `${look.size}:${crc32(new TextEncoder().encode(text), 0)}`
}
