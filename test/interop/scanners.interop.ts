/** What the public scanners of pickles say today is what the audit is held against (test/core/formats). */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { fileURLToPath } from 'node:url'

const fixture = new URL('../fixtures/audit/scanners.json', import.meta.url)
const script = fileURLToPath(new URL('scanners_side.py', import.meta.url))

it('picklescan, fickling and modelscan say of each call what is written down', () => {
  const verdicts = JSON.parse(readFileSync(fixture, 'utf8')) as Record<string, string[]>
  const names = Object.keys(verdicts).map((name) => name.split(' '))
  const python = process.env['CKPT_TEST_PYTHON'] ?? 'python3'
  const answer = execFileSync(python, [script], { input: JSON.stringify(names), encoding: 'utf8', maxBuffer: 1 << 24 })
  const said = JSON.parse(answer) as string[][]
  expect(Object.fromEntries(said.map((scanners, index) => [names[index]?.join(' ') ?? '', scanners]))).toEqual(verdicts)
})
