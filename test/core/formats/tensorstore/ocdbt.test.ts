import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CkptError } from '../../../../src/core/errors.js'
import { walk, type Found, type ReadRange } from '../../../../src/core/formats/tensorstore/ocdbt/b-tree.js'
import { fixtures } from '../../checkpoints/layouts/folders.js'

/** As Orbax 0.12 wrote it, packed with zstd. */
const folder = join(fixtures, 'frameworks/orbax/run/500/state')
const manifest = readFileSync(join(folder, 'manifest.ocdbt'))
const read: ReadRange = async ({ file, offset, length }) =>
  Promise.resolve(readFileSync(join(folder, file)).subarray(offset, offset + length))

async function all(bytes: Uint8Array, reading = read): Promise<Found[]> {
  const found: Found[] = []
  for await (const one of walk(bytes, reading)) found.push(one)
  return found
}

describe('the tree of OCDBT', () => {
  it('has every array with its description, in values that lie in the files that it names', async () => {
    const found = await all(manifest)
    const values = found.flatMap((one) => (one.kind === 'value' ? [one] : []))
    const keys = values.map(({ key }) => Buffer.from(key).toString())
    expect(keys).toContain('params.dense_0.kernel/.zarray')
    expect(keys).toContain('params.dense_0.kernel/0.0')
    expect(keys).toEqual([...keys].sort())
    const zarray = values.find(({ key }) => Buffer.from(key).toString() === 'params.dense_0.kernel/.zarray')?.value
    const text = zarray instanceof Uint8Array ? zarray : await read(zarray ?? { file: '', offset: 0, length: 0 })
    expect(JSON.parse(Buffer.from(text).toString())).toMatchObject({ shape: [5, 8], dtype: '<f4' })
  })

  it('that is cut or changed anywhere is reported as such, and never ends otherwise', async () => {
    for (let at = 0; at < manifest.length; at += 1) {
      const changed = Buffer.from(manifest)
      changed[at] = (changed[at] ?? 0) ^ 0x55
      for (const bytes of [changed, manifest.subarray(0, at)]) {
        await expect(all(bytes)).rejects.toBeInstanceOf(CkptError)
      }
    }
  })

  it('with a node that is changed is reported as such', async () => {
    const flip: ReadRange = async (place) => {
      const bytes = Buffer.from(await read(place))
      bytes[40] = (bytes[40] ?? 0) ^ 1
      return bytes
    }
    await expect(all(manifest, flip)).rejects.toThrow('CRC-32C')
  })
})
