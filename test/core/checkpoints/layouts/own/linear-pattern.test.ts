/** Patterns with several loose parts fit what regular expressions fit, part for part, in a time that is bounded. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LinearPattern } from '../../../../../src/core/checkpoints/layouts/own/linear-pattern.js'
import { parsePattern, PatternError } from '../../../../../src/core/checkpoints/layouts/own/pattern.js'

const piece = fc.constantFrom('a', '-', '.', '1', 'e', 'nan', '*', '{x}', '{y:int}', '{z:float}', '(', '+', '|')
const name = fc.array(fc.constantFrom('a', '-', '.', '1', '2', 'e', 'nan', 'inf', '+', '(', '|', '\n', '/', '𝛼'), {
  maxLength: 12,
})

function sourceOf(text: string): string | null {
  try {
    return parsePattern(text).source
  } catch (error) {
    if (error instanceof PatternError) return null
    throw error
  }
}

describe('a linear pattern', () => {
  it('gives what the regular expression of the same source gives', () => {
    const frames = [
      (source: string) => `^${source}$`,
      (source: string) => String.raw`^(?!ckpt\.yaml$)(?<unit>${source})(?:|\.opt|-a|)$`,
      (source: string) => `^a.*(?:${source.replaceAll(/\(\?<\w+>/g, '(?:')}).*$`,
    ]
    let fitting = 0
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), name, fc.nat(2), (pieces, parts, frame) => {
        const source = sourceOf(pieces.join(''))
        if (source === null) return
        const [text, framed] = [parts.join(''), frames[frame]?.(source) ?? '']
        const expected = new RegExp(framed).exec(text)
        const found = new LinearPattern(framed).exec(text)
        if (expected !== null) fitting += 1
        expect(found && [...found]).toEqual(expected && [...expected])
        expect({ ...found?.groups }).toEqual({ ...expected?.groups })
        expect(new LinearPattern(framed).test(text)).toBe(expected !== null)
      }),
      { numRuns: 5000 },
    )
    expect(fitting).toBeGreaterThan(50)
  })

  it('leaves the settings out, whatever fits them', () => {
    const pattern = new LinearPattern(String.raw`^(?!ckpt\.yaml$).*c.*$`)
    expect([pattern.test('ckpt.yaml'), pattern.test('ckpt.yaml2')]).toEqual([false, true])
  })

  it('refuses what it does not know', () => {
    for (const source of [String.raw`^\w+$`, '^[abc]$', '^(a)$', '^a{2}$', '^(?<=a)$', '^(?:a$', '^a)$', '^a**$']) {
      expect(() => new LinearPattern(source)).toThrow(SyntaxError)
    }
  })

  it('tries no part of it at one place of a name twice', () => {
    const { source } = parsePattern('{a}x{b}x{c}y')
    const pattern = new LinearPattern(`^${source}$`)
    // A regular expression takes 20 ms for each of these, and this one less than one.
    const began = process.cpuUsage()
    for (let count = 0; count < 1000; count += 1) expect(pattern.test('x'.repeat(255))).toBe(false)
    expect(process.cpuUsage(began).user / 1e6).toBeLessThan(5)
  })
})
