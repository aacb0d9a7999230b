/** A file that would run something when Python loads it is no checkpoint to resume from. */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inspectFile } from '../../../../src/core/checkpoints/health/inspect.js'
import { localStorage } from '../../../../src/core/storage/local.js'

const storage = localStorage()
const fixtures = new URL('../../../fixtures/torch/', import.meta.url).pathname
let folder = ''

beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-unsafe-'))
})
afterAll(() => {
  fs.rmSync(folder, { recursive: true })
})

async function reasonsFor(fixture: string): Promise<string[]> {
  const path = join(folder, 'model.ckpt')
  fs.copyFileSync(join(fixtures, fixture), path)
  const [stat] = await storage.stat([path])
  const file = { name: 'model.ckpt', path, isLink: false, stat: stat?.ok === true ? stat.value : null }
  const around = {
    commonSize: async () => null,
    commonKind: async () => null,
    endInZeros: async () => null,
    isParameter: true,
    isNeverEmpty: false,
    isAlone: false,
  }
  const { findings } = await inspectFile(storage, file, around, { level: 'quick' })
  return findings.map(({ grade, reason }) => `${grade}: ${reason}`)
}

describe('a pickle that calls what no checkpoint needs', () => {
  it.each([
    ['torch2/hostile_os_system.pt', 'os.system'],
    ['torch2/hostile_legacy_os_system.pt', 'system'],
    ['torch2/hostile_getattr.pt', 'os.path'],
    ['torch2/hostile_torch_load.pt', 'torch.load'],
    ['torch1/evil.pt', 'posix.system'],
  ])('%s is corrupt, and the call is named', async (fixture, call) => {
    const [reason] = await reasonsFor(fixture)
    expect(reason).toMatch(/^corrupt: unsafe: its pickle (?:calls|hands) /)
    expect(reason).toContain(call)
  })

  it.each(['torch2/python_values.pt', 'torch2/module_custom.pt', 'torch2/legacy_module.pt', 'torch1/optimizer.pt'])(
    '%s is whole',
    async (fixture) => {
      expect(await reasonsFor(fixture)).toEqual([])
    },
  )
})
