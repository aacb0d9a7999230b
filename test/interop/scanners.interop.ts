/** What the public scanners of pickles say today is what the audit is held against (test/core/formats). */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { fileURLToPath } from 'node:url'
import { auditPickle, readCalls } from '../../src/core/formats/pickle/index.js'
import { callOf, dangerousNames, generatedPickles, plainNames } from '../core/formats/pickle/generated-pickles.js'

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url))
const script = fileURLToPath(new URL('scanners_side.py', import.meta.url))
const generated = generatedPickles([...dangerousNames, ...plainNames])

type Verdicts = Record<string, string[]>

interface Answer {
  readonly said: string[][]
  readonly corpus: [pickle: string, scanners: string[]][]
}

function written(name: string): Verdicts {
  return JSON.parse(readFileSync(join(fixtures, 'audit', name), 'utf8')) as Verdicts
}

const names = Object.keys(written('scanners.json'))
let answer: Answer

beforeAll(() => {
  const files = readdirSync(fixtures, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(?:pt|ckpt|pth|bin|pkl|tar)$/.test(name))
    .map((name) => join(fixtures, name))
  const pickles = [...names.map(callOf), ...generated.values()].map((one) => one.toString('base64'))
  const python = process.env['CKPT_TEST_PYTHON'] ?? 'python3'
  const input = JSON.stringify({ pickles, files })
  answer = JSON.parse(execFileSync(python, [script], { input, encoding: 'utf8', maxBuffer: 1 << 28 })) as Answer
}, 120_000)

it('picklescan, fickling and modelscan say of each call what is written down', () => {
  const said = (keys: readonly string[], from: number) =>
    Object.fromEntries(keys.map((key, index) => [key, answer.said[from + index]]))
  expect(said(names, 0)).toEqual(written('scanners.json'))
  expect(said([...generated.keys()], names.length)).toEqual(written('generated.json'))
})

/** Files of frameworks that a scanner calls dangerous for a name in them, which only computes, or sets what is given. */
const explained =
  /^(?:getattr|restore_type_tag|build_intlist|_DimRange|HistoryBuffer|VecNormalize|OptimizedModule|_utils\.sys\.modules)$/

it('of the pickles in the fixtures, what a scanner calls dangerous is told here too, or has such a name', () => {
  expect(answer.corpus.length).toBeGreaterThan(400)
  const untold = answer.corpus.filter(([pickle, scanners]) => {
    const calls = readCalls(Buffer.from(pickle, 'base64'))
    const isExplained = calls.globals.length === 0 || calls.globals.some(({ name }) => explained.test(name))
    return scanners.length > 0 && auditPickle(calls).unsafe.length === 0 && !isExplained
  })
  expect(untold).toEqual([])
})
