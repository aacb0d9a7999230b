/** Files that each format's own writer wrote (test/fixtures/formats/write_*.py), held against what went into them. */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { convert, planConversion } from '../../../../src/core/tensors/convert/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { measureTensor, openTensors, type TensorFile } from '../../../../src/core/tensors/read/index.js'
import { chunksOf } from '../../../../src/core/tensors/read/tensor.js'

const storage = localStorage()
const fixtures = new URL('../../../fixtures/formats/', import.meta.url).pathname
type Forms = Record<string, { readonly dtype: string; readonly shape: readonly number[]; readonly sha256: string }>
const expected = JSON.parse(fs.readFileSync(join(fixtures, 'expected.json'), 'utf8')) as Record<string, Forms>
let folder = ''
let open: TensorFile[] = []

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-formats-'))
})
afterEach(async () => {
  for (const file of open) await file.close()
  open = []
  fs.rmSync(folder, { recursive: true })
})

async function opened(path: string): Promise<TensorFile> {
  const file = await openTensors(storage, path)
  open.push(file)
  return file
}

async function formsOf(file: TensorFile): Promise<Forms> {
  const forms: [string, Forms[string]][] = []
  for (const tensor of file.tensors) {
    const { name, dtype, shape } = tensor
    const { sha256 = '' } = await measureTensor(await file.dataOf(tensor), dtype, { hash: true, stats: false })
    forms.push([name, { dtype, shape: shape.map(Number), sha256 }])
  }
  return Object.fromEntries(forms)
}

/** A copy of some files whose bytes may be changed. */
function copied(...names: readonly string[]): (name: string) => string {
  const at = (name: string): string => join(folder, name.slice(name.lastIndexOf('/') + 1))
  for (const name of names) fs.cpSync(join(fixtures, name), at(name), { recursive: true })
  return at
}

function flip(path: string, at: number): void {
  const bytes = fs.readFileSync(path)
  bytes[at] = (bytes[at] ?? 0) ^ 0x10
  fs.writeFileSync(path, bytes)
}

describe.each(Object.entries(expected))('%s', (name, forms) => {
  it('has the tensors that its writer put into it', async () => {
    const file = await opened(join(fixtures, name))
    expect(await formsOf(file)).toEqual(forms)
    await file.ensureUnchanged()
  })

  it('gives the same values in small chunks', async () => {
    const file = await opened(join(fixtures, name))
    for (const tensor of file.tensors) {
      const [all, few]: [Buffer[], Buffer[]] = [[], []]
      for await (const bytes of chunksOf(await file.dataOf(tensor))) all.push(Buffer.from(bytes))
      for await (const bytes of chunksOf(await file.dataOf(tensor), 16)) few.push(Buffer.from(bytes))
      expect(Buffer.concat(few).equals(Buffer.concat(all))).toBe(true)
    }
  })

  it('is written as safetensors with the same values', async () => {
    const output = join(folder, 'model.safetensors')
    await convert(storage, await planConversion(await opened(join(fixtures, name)), 'safetensors'), output)
    expect(await formsOf(await opened(output))).toEqual(forms)
  })
})

describe("TensorFlow's checkpoints", () => {
  const files = ['tensorflow/objects.index', 'tensorflow/objects.data-00000-of-00001']
  const [index = '', data = ''] = files

  it('keep what is no tensor as a value with a name', async () => {
    const { values } = await opened(join(fixtures, index))
    expect(JSON.stringify(values)).toContain('model/note/.ATTRIBUTES/VARIABLE_VALUE')
  })

  it('are damaged where a value is not what its checksum says', async () => {
    const at = copied(...files)
    flip(at(data), 0)
    const file = await opened(at(index))
    await expect(formsOf(file)).rejects.toThrow(/checksum [0-9a-f]{8}, and the index says [0-9a-f]{8}/)
  })

  it('are damaged where the index is not what its checksums say, or was cut', async () => {
    const at = copied(...files)
    flip(at(index), 40)
    await expect(opened(at(index))).rejects.toThrow(/checksum/)
    fs.truncateSync(at(index), 100)
    await expect(opened(at(index))).rejects.toThrow(/ends early/)
  })

  it('are damaged where a data file was cut or is not there, and it is named', async () => {
    const at = copied(...files)
    fs.truncateSync(at(data), 20)
    await expect(opened(at(index))).rejects.toThrow(/objects\.data-00000-of-00001, which ends at 20/)
    fs.rmSync(at(data))
    await expect(opened(at(index))).rejects.toThrow(/objects\.data-00000-of-00001: is not there/)
  })
})
