import { constants } from 'node:os'
import { expect, it } from 'vitest'
import { isFull, StorageError } from '../../../src/core/errors.js'
import { resultOf } from '../../../src/core/storage/storage-errors.js'

/** What Node throws where the system's code has no name in libuv. */
function failure(number: number): Error {
  const code = `Unknown system error -${number}`
  return Object.assign(new Error(`${code}: ${code}, write`), { code, errno: -number, syscall: 'write' })
}

function failingWith(error: Error): StorageError {
  const result = resultOf('/run/model.pt', () => {
    throw error
  })
  if (result.ok) throw new Error('it did not fail')
  return result.error
}

it('a used-up quota and a file that its server forgot have their names, which Node does not know', () => {
  const full = failingWith(failure(constants.errno.EDQUOT))
  expect([full.errno, isFull(full.errno), full.message]).toEqual([
    'EDQUOT',
    true,
    '/run/model.pt: the disk quota is used up',
  ])
  expect(full.hint).toContain('ckpt prune')
  const stale = failingWith(failure(constants.errno.ESTALE))
  expect([stale.errno, stale.message]).toEqual([
    'ESTALE',
    '/run/model.pt: it was replaced meanwhile, or its server no longer knows it',
  ])
})

it('any other code without a name stays as Node calls it', () => {
  expect(failingWith(failure(9999)).errno).toBe('Unknown system error -9999')
})
