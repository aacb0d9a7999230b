/** Files that each format's own writer wrote (test/fixtures/formats/write_*.py), held against what went into them. */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { convert, planConversion } from '../../../../src/core/tensors/convert/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { isDtype } from '../../../../src/core/formats/safetensors/safetensors.js'
import { isTensorFile, measureTensor, weightsOf, type TensorFile } from '../../../../src/core/tensors/read/index.js'
import { openPickle } from '../../../../src/core/tensors/read/pickle-file.js'
import { chunksOf } from '../../../../src/core/tensors/read/tensor.js'
import { tiesOf } from '../../../../src/core/tensors/read/ties.js'
import { closedLater, opened } from './opened-files.js'

const storage = localStorage()
const fixtures = new URL('../../../fixtures/formats/', import.meta.url).pathname
type Forms = Record<string, { readonly dtype: string; readonly shape: readonly number[]; readonly sha256: string }>
const expected = JSON.parse(fs.readFileSync(join(fixtures, 'expected.json'), 'utf8')) as Record<string, Forms>
let folder = ''

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-formats-'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

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
    const { file } = weightsOf(await opened(join(fixtures, name)))
    const plain = file.tensors.every(({ dtype }) => isDtype(dtype))
    if (!plain) return
    await convert(storage, await planConversion(file, 'safetensors'), output)
    expect(await formsOf(await opened(output))).toEqual(await formsOf(file))
  })
})

describe("spaCy's msgpack", () => {
  it('is refused as what it is, and not called damaged', async () => {
    const path = new URL('../../../fixtures/runs/frameworks/spacy/run/model-best/tagger/model', import.meta.url)
      .pathname
    await expect(opened(path)).rejects.toMatchObject({ code: 'refused', message: /as msgpack-numpy writes it/ })
  })
})

describe("stable-baselines3's zip", () => {
  const at = (name: string) =>
    new URL(`../../../fixtures/runs/frameworks/stable_baselines3/${name}`, import.meta.url).pathname

  it('has the tensors of its policy', async () => {
    const { checkpoints } = JSON.parse(fs.readFileSync(at('expected.json'), 'utf8')) as {
      readonly checkpoints: readonly { readonly weights: { readonly tensors: Forms } }[]
    }
    const sums = (forms: Forms = {}) => Object.entries(forms).map(([name, { shape, sha256 }]) => [name, shape, sha256])
    const found = await formsOf(await opened(at('run/logs/rl_model_200_steps.zip')))
    expect(sums(found).sort()).toEqual(sums(checkpoints[0]?.weights.tensors).sort())
  })
})

describe("NumPy's files", () => {
  it('of objects are refused, and what is around numbers in an archive is named', async () => {
    await expect(opened(join(fixtures, 'numpy/objects.npy'))).rejects.toMatchObject({ code: 'refused' })
    const file = await opened(join(fixtures, 'numpy/with-objects.npz'))
    expect(file.tensors.map(({ name }) => name)).toEqual(['weights'])
    expect(JSON.stringify(file.values)).toContain('array of Python objects [2]')
  })

  it('are damaged where they end early, with both lengths', async () => {
    const path = copied('numpy/plain.npy')('plain.npy')
    fs.truncateSync(path, 150)
    await expect(opened(path)).rejects.toThrow(/has 22 bytes, and float32 \[3, 4\] takes 48/)
    fs.truncateSync(path, 60)
    await expect(opened(path)).rejects.toThrow(/ends early: 60 bytes, and its header alone has 128/)
  })

  it('may have more behind the array, which is told', async () => {
    const path = copied('numpy/plain.npy')('plain.npy')
    fs.appendFileSync(path, 'more')
    expect((await opened(path)).findings).toEqual(['4 bytes follow the array'])
  })

  it.each([
    ['a shape beyond all bounds', "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999), }"],
    ['no shape', "{'descr': '<f4', 'fortran_order': False}"],
    ['another order', "{'descr': '<f4', 'fortran_order': 1, 'shape': (2,)}"],
  ])('with %s are damaged', async (_, header) => {
    const path = join(folder, 'x.npy')
    const prefix = Buffer.from('934e554d50590100', 'hex')
    const length = Buffer.from([header.length & 0xff, header.length >> 8])
    fs.writeFileSync(path, Buffer.concat([prefix, length, Buffer.from(header), Buffer.alloc(8)]))
    await expect(opened(path)).rejects.toMatchObject({ code: 'damaged' })
  })
})

describe('GGUF', () => {
  it('gives its keys, long arrays by their length', async () => {
    const { metadata } = await opened(join(fixtures, 'gguf/small.gguf'))
    expect(metadata.get('general.architecture')).toBe('llama')
    expect(metadata.get('llama.rope.freq_base')).toBe('10000')
    expect(metadata.get('general.languages')).toBe('["en", "de"]')
    expect(metadata.get('tokenizer.ggml.tokens')).toBe('[100 of text]')
    expect(metadata.get('tokenizer.ggml.scores')).toBe('[100 of f32]')
  })

  it('refuses to write quantised tensors in another format, by their name', async () => {
    const file = await opened(join(fixtures, 'gguf/small.gguf'))
    await expect(planConversion(file, 'safetensors')).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('"blk.0.Q8_0.weight" is Q8_0') as string,
    })
  })

  it('is damaged where it was cut, and where its counts are too large for it', async () => {
    const path = copied('gguf/small.gguf')('small.gguf')
    const bytes = fs.readFileSync(path)
    fs.writeFileSync(path, bytes.subarray(0, bytes.length - 40))
    await expect(opened(path)).rejects.toThrow(/ends early: "blk.0.BF16.weight" has 384 bytes/)
    bytes.writeBigUInt64LE(2n ** 40n, 8)
    fs.writeFileSync(path, bytes)
    await expect(opened(path)).rejects.toThrow(/1099511627776 tensors, and there is room for/)
  })
})

describe('pickles of numpy arrays', () => {
  it('have their weights under the key of the model', async () => {
    const { file, leftOut } = weightsOf(await opened(join(fixtures, 'pickle/zoo-4.pkl')))
    expect(file.tensors.map(({ name }) => name)).toContain('backbone.conv.weight')
    expect(leftOut.map(({ path }) => path)).toEqual(['__author__', 'matching_heuristics', 'score'])
    expect(tiesOf(file)).toEqual(new Map([['tied.b', 'tied.a']]))
  })

  it.each(['zoo-2', 'zoo-4', 'zoo-5', 'nested'])(
    '%s: are the same where their arrays stay in the file',
    async (name) => {
      const path = join(fixtures, `pickle/${name}.pkl`)
      const file = await openPickle(await storage.open(path), 0)
      closedLater(file)
      expect(await formsOf(file)).toEqual(expected[`pickle/${name}.pkl`])
    },
  )

  it('of Python 2, whose bytes are texts, are read', async () => {
    const path = join(folder, 'old.pkl')
    const type = String.raw`cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb`
    const array = String.raw`cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\nt${type}`
    const text = String.raw`(dS'W'\n${array}I00\nS'\x00\x00\x80?\x00\x00\x00@'\ntbs.`
    fs.writeFileSync(path, text.replaceAll(String.raw`\n`, '\n'))
    const file = await opened(path)
    expect(file.tensors.map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual([['W', 'F32', [2]]])
    const [tensor] = file.tensors
    if (tensor === undefined) throw new Error('no array')
    const bytes: Buffer[] = []
    for await (const chunk of chunksOf(await file.dataOf(tensor))) bytes.push(Buffer.from(chunk))
    expect(Buffer.concat(bytes)).toEqual(Buffer.from(Float32Array.of(1, 2).buffer))
  })

  it.each(['Not found\n', 'Version 1\nof a text', 'I am no pickle'])(
    'are not told from the name alone: %j is text',
    async (text) => {
      fs.writeFileSync(join(folder, 'm.pkl'), text)
      await expect(opened(join(folder, 'm.pkl'))).rejects.toThrow(/this is text that begins/)
    },
  )

  it('that joblib dumped are named so, and not called broken', async () => {
    const path = join(folder, 'x.joblib')
    fs.writeFileSync(path, Buffer.from('\x80\x04cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81\x01\xff\xff', 'latin1'))
    await expect(opened(path)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('this is what joblib dumped') as string,
    })
  })

  it('that would run something are damaged, and nothing is run', async () => {
    const path = join(folder, 'x.pkl')
    fs.writeFileSync(path, Buffer.from('\x80\x02cos\nsystem\nX\x02\0\0\0id\x85R.', 'latin1'))
    await expect(opened(path)).rejects.toMatchObject({
      code: 'damaged',
      message: expect.stringContaining('calls os.system, which loading it with Python would run') as string,
    })
  })
})

describe('TorchScript programs', () => {
  it('keep tied weights', async () => {
    const file = await opened(join(fixtures, 'torchscript/tied.pt'))
    expect(tiesOf(file).get('head.weight')).toBe('embed.weight')
    expect(file.findings).toEqual([])
  })
})

describe('HDF5', () => {
  it('keeps two names of one dataset tied, and names what holds no numbers', async () => {
    const file = await opened(join(fixtures, 'hdf5/layouts.h5'))
    expect(tiesOf(file)).toEqual(new Map([['plain', 'again']]))
    expect(JSON.stringify(file.values)).toContain('["text",')
  })

  it('tells of names and values that lie in other files, and never takes these for zeros', async () => {
    const file = await opened(join(fixtures, 'hdf5/outside.h5'))
    expect(file.findings).toEqual([
      '"deep/linked" is a link to "/deep/w" of the file "other.h5", which is not followed',
    ])
    expect(file.tensors.map(({ name }) => name)).toEqual(['own', 'raw'])
    const raw = file.tensors.find(({ name }) => name === 'raw')
    if (raw === undefined) throw new Error('no dataset "raw"')
    await expect(file.dataOf(raw)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('"raw" has values in other files') as string,
    })
    // An enum of numpy's two truth values alone is one of them.
    expect(JSON.stringify(file.values)).toContain('["kinds",')
  })

  it('behind a user block is a file of tensors too', async () => {
    expect(await isTensorFile(storage, join(fixtures, 'hdf5/user-block.h5'))).toBe(true)
    expect(await isTensorFile(storage, join(fixtures, 'hdf5/user-block-latest.h5'))).toBe(true)
    expect(await isTensorFile(storage, join(fixtures, 'expected.json'))).toBe(false)
  })

  it('is damaged where a structure of a newer file is not what its checksum says', async () => {
    const path = copied('hdf5/latest.h5')('latest.h5')
    const bytes = fs.readFileSync(path)
    const changed = (signature: string) => {
      const mutant = Buffer.from(bytes)
      const at = mutant.indexOf(signature) + signature.length + 12
      fs.writeFileSync(path, mutant.fill((mutant[at] ?? 0) ^ 1, at, at + 1))
    }
    for (const signature of ['OHDR', 'FRHP', 'FHDB', 'BTHD', 'BTLF']) {
      changed(signature)
      await expect(opened(path), signature).rejects.toThrow(
        /at byte \d+ has the checksum [0-9a-f]{8}, and [0-9a-f]{8} is/,
      )
    }
  })

  it('is damaged where it was cut, with both lengths', async () => {
    const path = copied('hdf5/layouts.h5')('layouts.h5')
    fs.truncateSync(path, 30_000)
    await expect(opened(path)).rejects.toThrow(/ends early: it says that it has 4\d+ bytes, and there are 30000/)
  })

  it('is refused by the name of a filter that is not read, with what to do', async () => {
    const path = copied('hdf5/lzf.h5')('lzf.h5')
    const bytes = fs.readFileSync(path)
    const [lzf, zstandard] = [Buffer.from([0x00, 0x7d]), Buffer.from([0x0f, 0x7d])]
    for (let at = bytes.indexOf(lzf); at >= 0; at = bytes.indexOf(lzf, at)) zstandard.copy(bytes, at)
    fs.writeFileSync(path, bytes)
    await expect(opened(path)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('is packed by filter 32015 (Zstandard), which is not read') as string,
      hint: expect.stringContaining('hdf5plugin') as string,
    })
  })

  it('of Keras in shards lists groups, which may lie in several: a group that is in none of them is missed', async () => {
    const shards = ['hdf5/sharded_00000.weights.h5', 'hdf5/sharded_00001.weights.h5']
    const path = copied('hdf5/sharded.weights.json', ...shards)('sharded.weights.json')
    expect((await opened(path)).tensors).toHaveLength(8)
    fs.writeFileSync(path, fs.readFileSync(path, 'utf8').replace('/layers/dense_1/', '/layers/dense_7/'))
    await expect(opened(path)).rejects.toThrow(/names 1 tensors in "sharded_00001.weights.h5" that it does not have/)
  })

  it('is damaged where a packed chunk is not what its checksum says', async () => {
    const path = copied('hdf5/layouts.h5')('layouts.h5')
    const file = await opened(path)
    const packed = file.tensors.find(({ name }) => name === 'packed')
    if (packed === undefined) throw new Error('no dataset "packed"')
    const bytes = fs.readFileSync(path)
    // zlib's header of the first chunk, and some of what follows it.
    const at = bytes.indexOf(Buffer.from([0x78, 0x5e]))
    fs.writeFileSync(path, bytes.fill(0x41, at + 40, at + 44))
    await expect(measureTensor(await file.dataOf(packed), 'F32', { hash: true, stats: false })).rejects.toThrow(
      /chunk at byte \d+ (cannot be unpacked|has the checksum)/,
    )
  })
})

describe("Orbax's folders", () => {
  it('are found by the step that they are an item of, and the weights in them by their keys', async () => {
    fs.cpSync(join(fixtures, 'orbax/ocdbt'), join(folder, '100/state'), { recursive: true })
    fs.writeFileSync(join(folder, '100/_CHECKPOINT_METADATA'), '{}')
    const { file } = weightsOf(await opened(join(folder, '100')))
    expect(file.path).toBe(join(folder, '100/state'))
    expect(file.tensors.map(({ name }) => name)).toEqual(['dense.bias', 'dense.kernel', 'scale'])
  })

  it.each([
    ['the manifest', 'manifest.ocdbt', /a manifest has the CRC-32C/],
    ['a node', 'd', /a node has the CRC-32C/],
  ])('are damaged where %s is not what its checksum says', async (_, name, message) => {
    const at = copied('orbax/ocdbt')('orbax/ocdbt')
    const [first] = fs.statSync(join(at, name)).isDirectory() ? fs.readdirSync(join(at, name)) : ['']
    flip(join(at, name, first ?? ''), 20)
    await expect(opened(at)).rejects.toThrow(message)
  })

  it('are damaged where a chunk was cut', async () => {
    const at = copied('orbax/packings')('orbax/packings')
    for (const name of ['gzip', 'blosc', 'none', 'zlib', 'bits']) {
      const path = join(at, name, '0.0')
      fs.truncateSync(path, fs.statSync(path).size - 9)
    }
    const file = await opened(at)
    for (const tensor of file.tensors.filter(({ name }) => name !== 'blosc-zlib')) {
      const values = file.dataOf(tensor).then((data) => measureTensor(data, 'F32', { hash: true, stats: false }))
      await expect(values, tensor.name).rejects.toMatchObject({ code: 'damaged' })
    }
  })
})

describe("flax's msgpack files", () => {
  it('have their weights under params, and what is not an array beside them', async () => {
    const whole = await opened(join(fixtures, 'flax/state.msgpack'))
    const { file, leftOut } = weightsOf(whole)
    expect(file.tensors.map(({ name }) => name)).toContain('Dense_0.kernel')
    expect(leftOut.map(({ path }) => path)).toEqual(['name', 'opt_state', 'step'])
    expect(weightsOf(whole, 'optimizer').path).toBe('opt_state')
  })

  it('are damaged where they end early, and refused where they hold no arrays', async () => {
    const path = copied('flax/state.msgpack')('state.msgpack')
    fs.truncateSync(path, 300)
    await expect(opened(path)).rejects.toThrow(/ends early: \d+ bytes are needed at byte \d+, and the file has 300/)
    fs.writeFileSync(path, Buffer.from('81a161a162', 'hex'))
    await expect(opened(path)).rejects.toMatchObject({ code: 'refused' })
  })

  it('are read up to some quarter of a million values, and more is said to be too much', async () => {
    const path = copied('flax/state.msgpack')('state.msgpack')
    const count = 400_000
    const head = Buffer.from('81a17add00000000', 'hex')
    head.writeUInt32BE(count, 4)
    fs.writeFileSync(path, Buffer.concat([head, Buffer.alloc(count, 0xc0)]))
    await expect(opened(path)).rejects.toThrow('more than 262144 values')
  })
})

describe("TensorFlow's checkpoints", () => {
  const files = ['tensorflow/objects.index', 'tensorflow/objects.data-00000-of-00001']
  const [index = '', data = ''] = files

  it('keep what is not a tensor as a value with a name', async () => {
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
