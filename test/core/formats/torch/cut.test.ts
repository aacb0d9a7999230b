/** How much of a torch archive is missing, told by what is left of it. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { describeCut } from '../../../../src/core/formats/torch/cut.js'
import { readZip } from '../../../../src/core/formats/archives/zip.js'

const sample = '../../../fixtures/runs/asr_run_damaged/CKPT+2026-11-22+20-46-49+07/model.ckpt'
const whole = readFileSync(fileURLToPath(new URL(sample, import.meta.url)))

function sourceOf(bytes: Uint8Array) {
  return { byteLength: bytes.length, read: async (at: number, length: number) => bytes.subarray(at, at + length) }
}

describe('a torch archive that was cut', () => {
  it('tells at least what its storages take, wherever the pickle is left, and never more than it had', async () => {
    const { entries } = await readZip(sourceOf(whole))
    const data = entries.filter(({ name }) => name.includes('/data/')).reduce((sum, { size }) => sum + size, 0)
    for (let length = 4000; length < whole.length; length += 97) {
      const text = await describeCut(sourceOf(whole.subarray(0, length)))
      const [, least] = /^killed while saving: \d+(?: of at least (\d+))? bytes, no zip end record$/.exec(text) ?? []
      if (least === undefined) continue
      expect(Number(least)).toBeGreaterThan(Math.max(length, data))
      expect(Number(least)).toBeLessThanOrEqual(whole.length)
    }
    expect(await describeCut(sourceOf(whole.subarray(0, whole.length >> 1)))).toContain('of at least')
  })

  it('tells its own length alone where the pickle was cut too', async () => {
    expect(await describeCut(sourceOf(whole.subarray(0, 100)))).toBe(
      'killed while saving: 100 bytes, no zip end record',
    )
  })
})
