import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { localStorage } from '../../../../src/core/storage/local.js'
import { openTensors } from '../../../../src/core/tensors/read/open.js'
import { matchTensors, reportOf } from '../../../../src/core/tensors/transfer/match.js'
import { transfer } from '../../../../src/core/tensors/transfer/write.js'
import { readTensors } from './files.js'

const fixtures = new URL('../../../fixtures/transfer/', import.meta.url).pathname
const storage = localStorage()
let folder = ''

beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-transfer-cases-'))
})
afterAll(() => {
  fs.rmSync(folder, { recursive: true })
})

interface Case {
  readonly id: string
  readonly error?: string
  readonly tensors?: Record<string, { dtype: string; shape: number[]; sha256: string }>
  /** With those whose shapes differ. */
  readonly matched: string[]
  readonly mismatched?: string[]
  readonly missing: string[]
  readonly unexpected: string[]
}

const { cases } = JSON.parse(fs.readFileSync(join(fixtures, 'cases.json'), 'utf8')) as { cases: Case[] }

describe('what SpeechBrain and torch made of these files', () => {
  it('is recorded 40 times', () => {
    expect(cases.length).toBe(40)
  })

  it.each(cases)('$id: the same values, the same report, or the same refusal', async (want) => {
    const source = await openTensors(storage, join(fixtures, want.id, 'source.safetensors'))
    const target = await openTensors(storage, join(fixtures, want.id, 'target.safetensors'))
    const output = join(folder, `${want.id}.safetensors`)
    const plan = matchTensors(source, target)
    const report = reportOf(plan)
    expect([...report.missing].sort()).toEqual(want.missing)
    expect([...report.unexpected].sort()).toEqual(want.unexpected)
    expect(report.mismatched.map(({ name }) => name).sort()).toEqual(want.mismatched ?? [])
    expect([...report.matched, ...report.mismatched.map(({ name }) => name)].sort()).toEqual(want.matched)
    if (want.error !== undefined || want.matched.length === 0) {
      await expect(transfer(storage, plan, output)).rejects.toMatchObject({ code: 'refused', exitStatus: 5 })
      expect(fs.readdirSync(folder)).not.toContain(`${want.id}.safetensors`)
    } else {
      await transfer(storage, plan, output)
      const got = [...readTensors(output).tensors].map(([name, { dtype, shape, data }]) => [
        name,
        { dtype, shape, sha256: createHash('sha256').update(data).digest('hex') },
      ])
      expect(Object.fromEntries(got)).toEqual(want.tensors)
    }
    await source.close()
    await target.close()
  })
})
