/** A file of tensors that the system refuses to read is none that is broken. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openSafely } from '../../../src/core/runs/open-tensors.js'
import { localStorage } from '../../../src/core/storage/local.js'
import { refusingStorage } from '../../refusing-storage.js'
import { makeFolder, write } from '../checkpoints/layouts/folders.js'

describe('a source of tensors', () => {
  const path = join(write(makeFolder(), { 'model.safetensors': 'x' }), 'model.safetensors')

  it.each(['EACCES', 'EIO', 'ESTALE', 'ETIMEDOUT'])(
    'that fails with %s is unreadable: exit status 6',
    async (errno) => {
      const storage = refusingStorage(localStorage(), errno, (one) => one === path)
      await expect(openSafely(storage, path)).rejects.toMatchObject({
        code: 'unreadable',
        exitStatus: 6,
        message: `${path}: cannot be read: ${errno}`,
      })
    },
  )

  it('that is not there, or is broken, is told as that', async () => {
    const missing = openSafely(localStorage(), join(path, '..', 'other.safetensors'))
    await expect(missing).rejects.toMatchObject({ code: 'not-found' })
    await expect(openSafely(localStorage(), path)).rejects.toMatchObject({ code: 'damaged' })
  })
})
