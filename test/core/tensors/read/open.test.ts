import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SafetensorsError } from '../../../../src/core/formats/safetensors/safetensors.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { openTensors } from '../../../../src/core/tensors/read/open.js'
import { chunksOf } from '../../../../src/core/tensors/read/tensor.js'
import { makeZip } from '../../formats/archives/zip-bytes.js'

const storage = localStorage()
const fixtures = new URL('../../../fixtures/safetensors/', import.meta.url).pathname
let folder = ''

beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-tensors-'))
})
afterAll(() => {
  fs.rmSync(folder, { recursive: true })
})

function written(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name)
  fs.writeFileSync(path, bytes)
  return path
}

interface Verdict {
  readonly ok: boolean
  readonly kind?: string
  readonly tensors?: Record<string, { dtype: string; shape: (number | string)[]; sha256: string }>
}

/** A file that is too large to be kept, and how to make it. */
interface Recipe extends Verdict {
  readonly header: string
  /** Bytes of the header, filled up with blanks. */
  readonly pad_with_spaces_to?: number
  readonly data_hex?: string
  /** Zeros, and at their end `tail_hex`. */
  readonly sparse_data_bytes?: number
  readonly tail_hex?: string
}

describe('opening a file', () => {
  const verdicts = JSON.parse(fs.readFileSync(join(fixtures, 'verdicts.json'), 'utf8')) as {
    files: Record<string, Verdict>
    recipes: Recipe[]
  }
  const { files } = verdicts
  const recipes = verdicts.recipes.map((recipe) => {
    const {
      header,
      pad_with_spaces_to: padded = header.length,
      sparse_data_bytes: sparse,
      data_hex: data = '',
    } = recipe
    return { ...recipe, size: 8 + padded + (sparse ?? data.length / 2) }
  })

  it.each(Object.entries(files))(
    '%s: streams what the reference reads, or names the file and its fault',
    async (name, verdict) => {
      const path = join(fixtures, name)
      if (!verdict.ok) {
        const error = await openTensors(storage, path).catch((error: unknown) => error)
        expect(error).toBeInstanceOf(SafetensorsError)
        expect(error).toMatchObject({ rule: verdict.kind, exitStatus: 4 })
        expect((error as Error).message.startsWith(`${path}: `)).toBe(true)
        return
      }
      const file = await openTensors(storage, path)
      for (const [name, want] of Object.entries(verdict.tensors ?? {})) {
        const tensor = file.tensors.find((one) => one.name === name)
        if (tensor === undefined) throw new Error(`no tensor ${name}`)
        const hash = createHash('sha256')
        let bytes = 0
        for await (const chunk of chunksOf(await file.dataOf(tensor), 5)) {
          hash.update(chunk)
          bytes += chunk.length
        }
        expect([tensor.bytes, hash.digest('hex')]).toEqual([bytes, want.sha256])
      }
      await file.close()
    },
  )

  it('has three files in the verdicts that are too large to be kept: they are made from their recipes', () => {
    expect(recipes.map(({ ok }) => ok)).toEqual([true, false, true])
  })

  it.each(recipes)('made by recipe, of $size bytes: ok is $ok, and no more is read than must be', async (recipe) => {
    const path = written(`recipe-${recipe.size}.safetensors`, '')
    const padding = recipe.pad_with_spaces_to ?? recipe.header.length
    const prefix = Buffer.alloc(8)
    prefix.writeBigUInt64LE(BigInt(padding))
    const fd = fs.openSync(path, 'w')
    fs.writeSync(fd, Buffer.concat([prefix, Buffer.from(recipe.header)]))
    fs.writeSync(fd, Buffer.alloc(padding - recipe.header.length, ' '))
    const tail = Buffer.from(recipe.tail_hex ?? recipe.data_hex ?? '', 'hex')
    fs.writeSync(fd, tail, 0, tail.length, recipe.size - tail.length)
    fs.closeSync(fd)
    expect(fs.statSync(path).size).toBe(recipe.size)
    const opening = openTensors(storage, path)
    if (!recipe.ok) {
      await expect(opening).rejects.toMatchObject({ rule: recipe.kind, exitStatus: 4 })
      return
    }
    const file = await opening
    for (const [name, want] of Object.entries(recipe.tensors ?? {})) {
      const tensor = file.tensors.find((one) => one.name === name) ?? expect.unreachable()
      const hash = createHash('sha256')
      for await (const chunk of chunksOf(await file.dataOf(tensor))) hash.update(chunk)
      const { dtype, shape } = tensor
      expect({ dtype, shape, sha256: hash.digest('hex') }).toEqual(want)
    }
    await file.close()
    fs.rmSync(path)
  })
})

describe('a file of another kind is named', () => {
  const tar = new Uint8Array(512)
  tar.set(new TextEncoder().encode('ustar'), 257)

  it.each([
    ['an empty zip', Buffer.from('504b05060000', 'hex'), 'an empty zip archive', 'damaged'],
    ['a pickle', Buffer.from('80047d942e', 'hex'), 'a Python pickle (protocol 4)', 'refused'],
    ['a pickle that is cut', Buffer.from('80049500000000000000', 'hex'), 'a Python pickle (protocol 4)', 'damaged'],
    ['a pickle with more behind it', Buffer.from('80047d942e80047d942e', 'hex'), 'a Python pickle', 'damaged'],
    ['gzip', gzipSync('hello'), 'compressed with gzip', 'damaged'],
    ['what joblib packs by zlib', deflateSync(Buffer.alloc(999, 'abcd')), 'compressed with zlib', 'damaged'],
    ['bzip2', Buffer.from('425a6839314159265359', 'hex'), 'compressed with bzip2', 'damaged'],
    ['lz4', Buffer.from('04224d186440a7', 'hex'), 'compressed with lz4', 'damaged'],
    ['tar', tar, 'a tar archive', 'damaged'],
  ])('%s', async (name, bytes, title, code) => {
    const path = written(name, bytes)
    await expect(openTensors(storage, path)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(`${path}: this is ${title}`) as string,
    })
  })

  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 1234\n`

  it.each([
    ['a Git LFS pointer', pointer, 'this is a Git LFS pointer to a file of 1234 bytes'],
    ['a web page', '\n<!DOCTYPE html><html><head></head></html>', 'this is an HTML page'],
    ['the error of a bucket', '<?xml version="1.0"?><Error/>', 'this is an XML document'],
    ['a line of text', 'Entry not found', 'this is text that begins "Entry not found"'],
    ['a JSON message', '{"error":"Repository not found"}', 'JSON without a weight_map'],
    ['zeros', Buffer.alloc(4096), 'this is a file whose first 512 bytes are all zero'],
  ])('and %s in its place is damage', async (name, bytes, title) => {
    const path = written(`${name}.safetensors`, bytes)
    await expect(openTensors(storage, path)).rejects.toMatchObject({
      code: 'damaged',
      message: expect.stringContaining(title) as string,
    })
  })

  it('but not a safetensors file whose length has the bytes of a signature', async () => {
    const header = Buffer.from('{}'.padEnd(0x8b1f))
    const path = written('looks-like-gzip', Buffer.concat([Buffer.from('1f8b000000000000', 'hex'), header]))
    const file = await openTensors(storage, path)
    expect(file.tensors).toEqual([])
    await file.close()
  })

  it('and so is what is not a file at all', async () => {
    await expect(openTensors(storage, join(folder, 'none'))).rejects.toMatchObject({ code: 'not-found' })
    await expect(openTensors(storage, folder)).rejects.toThrow('not a regular file')
    await expect(openTensors(storage, written('empty', ''))).rejects.toThrow('header too small: the file has 0 bytes')
  })
})

it('a tensor of more dimensions than any has is refused', async () => {
  const ones = '('.concat('K\x01'.repeat(2000), 't')
  const storageId = '(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ'
  const pickle = `\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(${storageId}K\0${ones}${ones}\x89}tR.`
  const parts = { 'archive/data.pkl': Buffer.from(pickle, 'latin1'), 'archive/data/0': new Uint8Array(16) }
  const path = written('dimensions.pt', makeZip(Object.entries(parts).map(([name, data]) => ({ name, data }))))
  await expect(openTensors(storage, path)).rejects.toThrow('a tensor of 2000 dimensions; at most 1024 are read')
})

describe('a file that changes while it is open', () => {
  const whole = fs.readFileSync(join(fixtures, 'real_half.safetensors'))

  it('is an error when bytes were added, and when it was written again', async () => {
    for (const change of [
      (path: string) => fs.appendFileSync(path, 'x'),
      (path: string) => fs.utimesSync(path, 1, 1),
    ]) {
      const path = written('changing.safetensors', whole)
      const file = await openTensors(storage, path)
      await file.ensureUnchanged()
      change(path)
      await expect(file.ensureUnchanged()).rejects.toMatchObject({ code: 'damaged' })
      await file.close()
    }
  })

  it('is an error when it was cut off below what is read', async () => {
    const path = written('cut.safetensors', whole)
    const file = await openTensors(storage, path)
    fs.truncateSync(path, whole.length - 1)
    const last = file.tensors.at(-1)
    if (last === undefined) throw new Error('no tensor')
    const reading = async () => {
      for await (const chunk of chunksOf(await file.dataOf(last))) expect(chunk.length).toBeGreaterThan(0)
    }
    await expect(reading()).rejects.toThrow(`ends at byte ${whole.length - 1} while ${whole.length} were expected`)
    await file.close()
  })

  it('is none when another file takes its name', async () => {
    const path = written('renamed.safetensors', whole)
    const file = await openTensors(storage, path)
    fs.renameSync(written('other', 'x'), path)
    await expect(file.ensureUnchanged()).resolves.toBeUndefined()
    await file.close()
  })
})
