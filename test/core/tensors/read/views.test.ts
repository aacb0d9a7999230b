/** Tensors of a torch file as their pickle describes them: views of storages, and what is made of several. */
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { localStorage } from '../../../../src/core/storage/local.js'
import { chunksOf } from '../../../../src/core/tensors/read/tensor.js'
import { openTensors, type TensorFile } from '../../../../src/core/tensors/read/index.js'
import { temporaryDirectory } from '../../../temporary.js'
import { makeZip } from '../../formats/archives/zip-bytes.js'

const text = (value: string) => `\x8c${String.fromCharCode(value.length)}${value}`
const byte = (value: number) => `K${String.fromCharCode(value)}`
const tuple = (...items: string[]) => `(${items.join('')}t`
const storage = `${tuple(text('storage'), 'ctorch\nFloatStorage\n', text('0'), text('cpu'), byte(4))}Q`
const hooks = 'ccollections\nOrderedDict\n)R'
const tensor = (offset: number, shape: number[], strides: number[]) => {
  const view = [byte(offset), tuple(...shape.map(byte)), tuple(...strides.map(byte))]
  return `ctorch._utils\n_rebuild_tensor_v2\n${tuple(storage, ...view, '\x89', hooks)}R`
}
const one = tensor(0, [2], [1])

async function open(pickle: string, deflate = false): Promise<TensorFile> {
  const path = join(temporaryDirectory(), 'views.pt')
  const parts = [
    { name: 'archive/data.pkl', data: Buffer.from(`\x80\x04${pickle}.`, 'latin1') },
    { name: 'archive/data/0', data: Buffer.from(new Float32Array([1, 2, 3, 4]).buffer), deflate },
  ]
  fs.writeFileSync(path, makeZip(parts))
  return openTensors(localStorage(), path)
}

/** The elements of its only tensor, in chunks of `chunk` bytes. */
async function elements(file: TensorFile, chunk: number): Promise<number[]> {
  const [info] = file.tensors
  if (info === undefined) throw new Error('no tensor')
  const found: number[] = []
  for await (const bytes of chunksOf(await file.dataOf(info), chunk)) {
    found.push(...new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)))
  }
  return found
}

describe.each([false, true])('a view of a storage that is packed: %s', (packed) => {
  it.each([
    ['transposed', tensor(0, [2, 2], [1, 2]), [1, 3, 2, 4]],
    ['without elements', tensor(0, [0, 5], [5, 1]), []],
    ['without elements, transposed', tensor(0, [0, 5, 2], [10, 1, 5]), []],
    ['without elements, expanded', tensor(0, [3, 0, 2], [0, 0, 7]), []],
    ['without elements, far behind its storage', tensor(200, [2, 0], [1, 9]), []],
  ])('%s', async (_, pickle, expected) => {
    const file = await open(pickle, packed)
    for (const chunk of [4, 1 << 20]) expect(await elements(file, chunk)).toEqual(expected)
    await file.close()
  })
})

it('a compressed-row tensor of torch 1.13 is told by its parts', async () => {
  const layout = `ctorch.serialization\n_get_layout\n${text('torch.sparse_csr')}\x85R`
  const data = tuple(one, one, one, tuple(byte(2), byte(3)))
  const file = await open(`}${text('s')}ctorch._utils\n_rebuild_sparse_csr_tensor\n${layout}${data}\x86Rs`)
  expect([...(file.composites ?? [])]).toEqual([['s', 'sparse_csr [2, 3]']])
  expect(file.tensors.map(({ name }) => name)).toEqual(['s.crow_indices', 's.col_indices', 's.values'])
  await file.close()
})

it('what an object was made with, and keeps under the same name, is listed once', async () => {
  const made = `cmine\nBox\n)}${text('w')}${one}q\x00s${text('v')}h\x00s\x92`
  const file = await open(`${made}}${text('w')}h\x00sb`)
  expect(file.tensors.map(({ name }) => name)).toEqual(['w', 'v'])
  await file.close()
})

it.each([
  ['a device', `ctorch\ndevice\n${text('cuda')}${byte(1)}\x86R`, 'cuda:1'],
  ['a device without a number', `ctorch\ndevice\n${text('cpu')}\x85R`, 'cpu'],
  ['a shape', `ctorch\nSize\n${byte(1)}${byte(2)}\x86\x85R`, 'torch.Size([1, 2])'],
  ['a path', `cpathlib\nPurePosixPath\n${text('a')}${text('b')}\x86R`, 'a/b'],
  [
    'a number of single precision',
    `cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n${text('f4')}\x89\x88\x87R` +
      `${tuple(byte(3), text('<'), 'N', 'N', 'N', 'J\xff\xff\xff\xff', 'J\xff\xff\xff\xff', byte(0))}b` +
      'C\x04\xcd\xcc\xcc\x3d\x86R',
    '0.1',
  ],
])('a key that is %s is written as str() writes it', async (_, key, expected) => {
  const file = await open(`}${key}${one}s`)
  expect(file.tensors.map(({ name }) => name)).toEqual([expected])
  await file.close()
})
