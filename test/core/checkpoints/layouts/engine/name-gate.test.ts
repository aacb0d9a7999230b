/** The gate before the patterns of all layouts passes whatever one of them fits. */
import { readdirSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { endingsOf } from '../../../../../src/core/checkpoints/layouts/engine/name-endings.js'
import { NameGate } from '../../../../../src/core/checkpoints/layouts/engine/name-gate.js'
import { knownSpecs } from '../../../../../src/core/checkpoints/layouts/registry.js'
import { fixtures } from '../folders.js'

const patterns = knownSpecs().flatMap(({ forms }) =>
  forms.filter(({ kind }) => kind !== 'folder').map(({ name }) => name),
)
const gate = gateOf(patterns)

function gateOf(those: readonly RegExp[]) {
  return new NameGate(
    those,
    (pattern) => pattern,
    (passed) => passed,
    0,
  )
}

const fitting = (name: string) => patterns.filter((pattern) => pattern.test(name))

/** Those that fit and are not passed. */
function lost(name: string): readonly RegExp[] {
  const passed = gate.find(name) ?? []
  return fitting(name).filter((pattern) => !passed.includes(pattern))
}

/** Names that a pattern fits, and others, put together of what the patterns themselves are written with. */
const words = [...new Set(patterns.flatMap(({ source }) => source.match(/[A-Za-z]+|\d+/g) ?? []))]
const piece = fc.oneof(
  fc.constantFrom(...words),
  fc.nat({ max: 99_999_999 }).map(String),
  fc.constantFrom('.', '-', '_', '=', 'é', '\n', 'K', '0.1234', '.pt', '.pth.tar', '.PTH', '.json', '-rank0', '_steps'),
  fc.string({ maxLength: 3 }),
)
const names = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''))

describe('the gate of all layouts', () => {
  it('passes every pattern that a name of the fixtures fits', () => {
    const all = new Set(
      readdirSync(fixtures, { recursive: true, encoding: 'utf8' }).map((path) => path.replace(/^.*\//s, '')),
    )
    const those = [...all].filter((name) => fitting(name).length > 0)
    expect(those.length).toBeGreaterThan(50)
    expect(those.flatMap(lost)).toEqual([])
  })

  it('passes every pattern that a generated name fits', () => {
    let count = 0
    fc.assert(
      fc.property(names, (name) => {
        if (fitting(name).length === 0) return
        count += 1
        expect(lost(name)).toEqual([])
      }),
      { numRuns: 20_000 },
    )
    expect(count).toBeGreaterThan(100)
  })

  it.each(patterns.map((pattern) => [String(pattern), pattern] as const))('passes what fits %s', (_, pattern) => {
    // Of each pattern by itself, so that no wider one hides what its own endings leave out.
    const own = gateOf([pattern])
    fc.assert(
      fc.property(fc.stringMatching(withoutLooks(pattern)), (name) => {
        if (pattern.test(name)) expect(own.find(name)).toEqual([pattern])
      }),
      { numRuns: 50 },
    )
  })

  it('stops what trees of other things are full of', () => {
    const others = [
      'index.js',
      'img_000123.jpg',
      'utt-7.npy',
      'utt7.wav',
      'README.md',
      'train.py',
      'last.log',
      'm.onnx',
    ]
    expect(others.filter((name) => gate.find(name) !== null)).toEqual([])
  })
})

/** fast-check makes no text of what looks around. */
function withoutLooks({ source, flags }: RegExp): RegExp {
  return new RegExp(source.replaceAll(/\(\?<?[=!](?:[^()]|\([^()]*\))*\)/g, ''), flags.replace('i', ''))
}

describe('how the names that a pattern fits end', () => {
  it.each([
    [/\.pth$/, ['.pth']],
    [/\.(?:pt|pth)$/, ['.pt', '.pth']],
    [/^a(?<step>[01])$/, ['a0', 'a1']],
    [/^x(?:|\.gz)$/, ['x', 'x.gz']],
    [/^A\.[CD]$/i, ['a.c', 'a.d']],
    [/-[0-1]+$/, ['0', '1']],
    [/^(?!.*z).+\.zip$/, ['.zip']],
    [/a.z?$/, ['', 'z']],
    [/^a$|b/, ['a', '']],
    [/^(?:ab$)?/, ['']],
    [/^CKPT/, ['']],
    [/a\x41b$/, ['']],
    [/(b)\1$/, ['']],
    [/a[^b]$/, ['']],
    [/a\$/, ['']],
    [/ab*$/, ['b', 'a']],
    [/^a{2}b{0,3}$/, ['b', 'a']],
    [/^a$/m, ['']],
    [/\u{61}$/u, ['']],
  ])('%s', (pattern, endings) => {
    expect(new Set(endingsOf(pattern))).toEqual(new Set(endings))
  })
})
