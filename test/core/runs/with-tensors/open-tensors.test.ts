/** A file of tensors that the system refuses to read is none that is broken. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { prepareAverage, writeAverage } from '../../../../src/core/runs/with-tensors/average.js'
import { carryTransfer, findSides, prepareTransfer } from '../../../../src/core/runs/with-tensors/transfer.js'
import { openSafely, readingNamed } from '../../../../src/core/tensors/read/open-safely.js'
import { StorageError } from '../../../../src/core/errors.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { failingAmid, refusingStorage } from '../../../refusing-storage.js'
import { makeFolder, write } from '../../checkpoints/layouts/folders.js'
import { floats, writeTensors } from '../../tensors/transfer/files.js'

describe('a file that the system stops to read amid its values', () => {
  const folder = makeFolder()
  const [one, other] = ['one.safetensors', 'other.safetensors'].map((name) => join(folder, name)) as [string, string]
  for (const path of [one, other])
    writeTensors(path, [
      floats(
        'w',
        [4000],
        Array.from({ length: 4000 }, () => 1),
      ),
    ])
  const storage = failingAmid(localStorage(), (path) => path === other, 8000)
  const unreadable = { code: 'unreadable', exitStatus: 6 }
  const query = { orders: [], where: [] }

  it('is unreadable to a mean', async () => {
    const request = { what: [one, other], base: folder, query, count: null, options: {} }
    const prepared = await prepareAverage(storage, request, { now: 1 })
    const writing = writeAverage(storage, prepared, { path: join(folder, 'mean.safetensors') }, {})
    await expect(writing).rejects.toMatchObject(unreadable)
    await prepared.close()
  })

  it.each(['source', 'target'])('is unreadable to a transfer as its %s', async (side) => {
    const [source, target] = side === 'source' ? [other, one] : [one, other]
    const request = { source, target, base: folder, query, names: {}, match: {} }
    const sides = await findSides(storage, request, { now: 1 })
    const prepared = await prepareTransfer(storage, request, sides, { now: 1 })
    const output = { path: join(folder, 'out.safetensors') }
    const writing = carryTransfer(storage, prepared, output, {})
    if (side === 'source') await expect(writing).rejects.toMatchObject(unreadable)
    else await expect(writing).resolves.toBeDefined()
    await prepared.close()
  })
})

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

  it('that is an index has its shards beside it, and not the draft of an output', async () => {
    const index = join(path, '..', 'model.safetensors.index.json')
    const failing = (at: string) =>
      readingNamed([path, index], async () => Promise.reject(new StorageError(at, 'EIO', `${at}: EIO`)))
    await expect(failing(join(path, '..', 'model-1.safetensors'))).rejects.toMatchObject({ code: 'unreadable' })
    await expect(failing(join(path, '..', '.ckpt-0123456789abcdef'))).rejects.toMatchObject({ code: 'system' })
  })

  it('that is not there, or is broken, is reported as that', async () => {
    const missing = openSafely(localStorage(), join(path, '..', 'other.safetensors'))
    await expect(missing).rejects.toMatchObject({ code: 'not-found' })
    await expect(openSafely(localStorage(), path)).rejects.toMatchObject({ code: 'damaged' })
  })
})
