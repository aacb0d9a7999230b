import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { localStorage } from '../../../src/core/storage/local.js'
import { temporaryDirectory } from '../../temporary.js'
import { testSweeps } from './sweep-suite.js'

describe('a sweep in one thread', () => testSweeps(localStorage()))

describe('the space of a file system', () => {
  const storage = localStorage()
  const folder = temporaryDirectory()

  it('is reported for each path, and for one that is not there', async () => {
    const [there, gone] = await storage.space([folder, join(folder, 'gone')])
    expect(there?.ok === true && there.value.total >= there.value.free && there.value.free > 0).toBe(true)
    expect(gone).toMatchObject({ ok: false, error: { errno: 'ENOENT' } })
  })
})
