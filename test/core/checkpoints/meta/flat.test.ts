import { describe, expect, it } from 'vitest'
import { readFlat } from '../../../../src/core/checkpoints/meta/flat.js'
import { toMeta } from '../../../../src/core/checkpoints/meta/index.js'
import { loadPyYaml } from '../../../../src/core/formats/pyyaml/index.js'

describe('A meta of numbers alone', () => {
  it.each([
    '# yamllint disable\nWER: 20.5\nend-of-epoch: true\nepoch: 1\nunixtime: 1700000000.125\n',
    'loss: -0.0\nstep: -12\nzero: 0\ndone: false',
    'valid/loss: 1.5\nacc@5: 3\na.b+c%d: 4.25\n',
    '# one\n# two: 3\nlarge: 999999999999999\n',
    'epoch: 1\nWER: 2.5\nepoch: 2\n',
    'y: 1\nn: 2\nyear: 3\nonce: 4\n',
  ])('says what the full parser says: %j', async (text) => {
    const parse = await loadPyYaml()
    expect(readFlat(text)).toEqual(toMeta(parse(text)))
    expect([...(readFlat(text)?.keys() ?? [])]).toEqual([...toMeta(parse(text)).keys()])
  })

  it.each([
    '',
    '# a comment alone\n',
    'WER: 1e5\n',
    'WER: .5\n',
    'WER: 5.\n',
    'epoch: 012\n',
    'epoch: 0x1f\n',
    'step: 1_000\n',
    'step: 9999999999999999\n',
    'time: 1:30\n',
    'day: 2023-11-14\n',
    'on: 1\n',
    'Null: 1\n',
    'true: 1\n',
    '7: 1\n',
    'a: yes\n',
    'a: null\n',
    'a:  1\n',
    'a: 1 \n',
    'a: 1 # one\n',
    'a: 1\r\n',
    'a: 1\n\nb: 2\n',
    'a: 1\n  2\n',
    'a:\n- 1\n',
    "'a': 1\n",
    'a: 1\n---\nb: 2\n',
    'ä: 1\n',
    '# ä\na: 1\n',
    'a: 1\n...',
    `${'a'.repeat(200)}: 1\n`,
  ])('is left to the full parser with anything else in it: %j', (text) => {
    expect(readFlat(text)).toBeUndefined()
  })
})
