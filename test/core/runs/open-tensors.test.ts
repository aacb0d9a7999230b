/** A file of tensors that the system refuses to read is none that is broken. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openSafely, readingNamed } from '../../../src/core/runs/open-tensors.js'
import { StorageError } from '../../../src/core/errors.js'
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

  it('that fails amid its values is unreadable, and what fails elsewhere is not', async () => {
    const failing = (at: string) =>
      readingNamed(path, async () => Promise.reject(new StorageError(at, 'EIO', `${at}: EIO`)))
    await expect(failing(path)).rejects.toMatchObject({ code: 'unreadable' })
    await expect(failing(join(path, 'shard'))).rejects.toMatchObject({ code: 'unreadable' })
    await expect(failing(`${path}.out`)).rejects.toMatchObject({ code: 'system' })
  })

  it('that is not there, or is broken, is reported as that', async () => {
    const missing = openSafely(localStorage(), join(path, '..', 'other.safetensors'))
    await expect(missing).rejects.toMatchObject({ code: 'not-found' })
    await expect(openSafely(localStorage(), path)).rejects.toMatchObject({ code: 'damaged' })
  })
})
