import { describe, expect, it } from 'vitest'
import type { Meta } from '../../../../../src/core/checkpoint.js'
import { logRows, type RowForm } from '../../../../../src/core/checkpoints/layouts/engine/log-rows.js'

async function rowsOf(text: string, form: RowForm): Promise<Meta[]> {
  const bytes = new TextEncoder().encode(text)
  const source = {
    byteLength: bytes.length,
    read: (offset: number, length: number) => Promise.resolve(bytes.subarray(offset, offset + length)),
  }
  const all: Meta[] = []
  for await (const rows of logRows(source, form)) all.push(...rows)
  return all
}

const row = new Map([['step', 1]])

describe('the rows of a log', () => {
  it('have the names of the first one, and nothing where a cell is empty', async () => {
    const rows = await rowsOf('step, loss ,name\n1,,a\n2,nan,b\n', { from: 'csv' })
    expect(rows.map((one) => [...one])).toEqual([
      [
        ['step', 1],
        ['name', 'a'],
      ],
      [
        ['step', 2],
        ['loss', NaN],
        ['name', 'b'],
      ],
    ])
  })

  it('are JSON objects: other lines are left out', async () => {
    expect(await rowsOf('{"step": 1}\n[1]\n{"st\n\n{"step": 1}', { from: 'jsonl' })).toEqual([row, row])
  })

  it('are read no further than a thousand lines that are none', async () => {
    const after = (count: number) => `{"step": 1}\n${'no\n'.repeat(count)}{"step": 1}\n`
    expect(await rowsOf(after(1000), { from: 'jsonl' })).toEqual([row, row])
    expect(await rowsOf(after(1001), { from: 'jsonl' })).toEqual([row])
  })

  it('of a notation of its own are what its parser takes', async () => {
    const parse = (line: string) => (line === 'x' ? row : null)
    expect(await rowsOf(`${'no\n'.repeat(2000)}x`, { from: 'text', parse })).toEqual([row])
  })
})
