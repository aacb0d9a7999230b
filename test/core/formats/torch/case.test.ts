/** torch takes no heed of case where it looks for a name in its archives. */
import { expect, it } from 'vitest'
import { openTorchObject } from '../../../../src/core/formats/torch/object.js'
import { makeZip } from '../archives/zip-bytes.js'

const empty = Buffer.from([0x80, 2, 0x7d, 0x2e])
const other = Buffer.from([0x80, 2, 0x5d, 0x2e])

function archive(...names: readonly string[]) {
  const bytes = makeZip(names.map((name, index) => ({ name, data: index === 0 ? empty : other })))
  return { byteLength: bytes.length, read: async (at: number, length: number) => bytes.subarray(at, at + length) }
}

it.each([['a/DATA.PKL'], ['a/Data.pkl']])(
  '%s beside data.pkl is refused, for it may be what is loaded',
  async (second) => {
    await expect(openTorchObject(archive('a/data.pkl', second))).rejects.toThrow(/one to torch/)
  },
)

it('other names may differ by case alone', async () => {
  expect(await openTorchObject(archive('a/data.pkl', 'a/data/x', 'a/data/X'))).not.toBeNull()
})
