import * as fs from 'node:fs'
import { gzipSync } from 'node:zlib'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkHealth } from '../../../../src/core/checkpoints/health/index.js'
import { findPacked, loneFile, loneFolder, orLoneFolder } from '../../../../src/core/runs/opening/lone-weights.js'
import { makeZip } from '../../formats/archives/zip-bytes.js'
import { openRun } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { ReadStorage } from '../../../../src/core/storage/storage.js'

const storage = localStorage()
let folder = ''

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-lone-'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

const torchFile = fs.readFileSync(
  new URL('../../../fixtures/deepspeed/zero2/mp_rank_00_model_states.pt', import.meta.url).pathname,
)

function write(name: string, bytes: string | Uint8Array): string {
  const path = join(folder, name)
  fs.mkdirSync(join(path, '..'), { recursive: true })
  fs.writeFileSync(path, bytes)
  return path
}

it('a run of which all that was listed went before it was looked at, and others came, is no folder of weights', async () => {
  const run = join(folder, 'save')
  write('save/CKPT+1/CKPT.yaml', 'unixtime: 1.0\n')
  write('save/CKPT+1/model.ckpt', 'weights')
  let lists = 0
  // As a trainer that keeps the last one, whenever somebody has listed the run.
  const rotating: ReadStorage = {
    ...storage,
    list: async (paths) => {
      const listed = await storage.list(paths)
      if (paths.includes(run) && (lists += 1) === 1) fs.renameSync(join(run, 'CKPT+1'), join(run, 'CKPT+2'))
      return listed
    },
  }
  const found = await orLoneFolder(rotating, run, () => openRun(rotating, run))
  expect('checkpoints' in found && found.checkpoints.map(({ name }) => name)).toEqual(['CKPT+2'])
})

it('a file that is one long hole is left at once when it is asked for', async () => {
  const path = write('hole.safetensors', '')
  const text = JSON.stringify({ w: { dtype: 'U8', shape: [1 << 28], data_offsets: [0, 1 << 28] } })
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  fs.writeFileSync(path, Buffer.concat([length, Buffer.from(text)]))
  fs.truncateSync(path, 8 + text.length + (1 << 28))
  const lone = await loneFile(storage, path)
  const checkpoints = lone === null ? [] : [lone.checkpoint]
  const controller = new AbortController()
  setImmediate(() => controller.abort())
  const checked = checkHealth(storage, checkpoints, checkpoints, 'quick', { signal: controller.signal })
  await expect(checked).rejects.toMatchObject({ code: 'interrupted' })
})

async function gradeOf(path: string, level: 'quick' | 'deep' = 'deep'): Promise<readonly string[]> {
  const isFolder = fs.statSync(path).isDirectory()
  const lone = await (isFolder ? loneFolder(storage, path) : loneFile(storage, path))
  if (lone === null) return ['nothing']
  const [graded] = await checkHealth(storage, lone.run.checkpoints, [lone.checkpoint], level)
  const findings = graded?.health.findings ?? []
  return [graded?.health.grade ?? '', ...findings.map(({ file, reason }) => `${file ?? ''} ${reason}`.trim())]
}

/** One tensor, without a zero. */
function matrix(rows: number, columns = 64): Buffer {
  const bytes = Buffer.from(Float32Array.from({ length: columns * rows }, (_, at) => 1 + (at % 7) / 8).buffer)
  const header = Buffer.from(
    JSON.stringify({ w: { dtype: 'F32', shape: [rows, columns], data_offsets: [0, bytes.length] } }),
  )
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([length, header, bytes])
}

function safetensors(shapes: Record<string, number>, values = (at: number) => 1 + (at % 7)): Buffer {
  let at = 0
  const entries = Object.entries(shapes).map(([name, count]) => {
    const begin = at
    at += 4 * count
    return [name, { dtype: 'F32', shape: [count], data_offsets: [begin, at] }]
  })
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  const data = Buffer.from(Float32Array.from({ length: at / 4 }, (_, index) => values(index)).buffer)
  return Buffer.concat([length, header, data])
}

/** The first bytes of what each program packs, and others. */
function packed(name: string): Buffer {
  const heads: Readonly<Record<string, string>> = {
    gzip: '1f8b08',
    bzip2: '425a6839314159265359',
    xz: 'fd377a585a00',
    zstd: '28b52ffd',
    lz4: '04224d18',
    zlib: '789c',
  }
  return Buffer.concat([Buffer.from(heads[name] ?? '', 'hex'), Buffer.alloc(900, 0xd5)])
}

const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n'

/** The magic number of torch's stream, and what follows it. */
const oldTorch = Buffer.concat([
  Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex'),
  Buffer.from('80024de9032e', 'hex'),
])

/** An empty dict, of protocol 4. */
const pickle = Buffer.from('8004950a000000000000007d948c01619447000000000000002e', 'hex')

function tar(members: Record<string, Uint8Array>): Buffer {
  const blocks = Object.entries(members).flatMap(([name, bytes]) => {
    const header = Buffer.alloc(512)
    header.write(name, 0)
    header.write('0000644\0', 100)
    header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124)
    header.write('        0', 148)
    header.write('ustar\x0000', 257)
    const sum = header.reduce((total, byte) => total + byte, 0)
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]
  })
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

/** Loading it runs `os.system('true')`. */
const runsShell = Buffer.from("cos\nsystem\n(S'true'\ntR.")

/** Written by Keras. */
const hdf5Of = (name: string) =>
  fs.readFileSync(new URL(`../../../fixtures/formats/hdf5/${name}.h5`, import.meta.url).pathname)
const hdf5 = hdf5Of('model.weights')
const behindUserBlock = hdf5Of('user-block')

/** ir_version 8, then a graph with one field. */
const onnx = Buffer.from([0x08, 0x08, 0x3a, 0x06, 0x12, 0x04, 0x67, 0x67, 0x67, 0x67])

/** A graph of one weight, which lies in another file (onnx.proto: GraphProto 5, TensorProto 13). */
function onnxBeside(location: string, offset: string, length: string): Buffer {
  const field = (number: number, content: Buffer) =>
    Buffer.concat([Buffer.from([8 * number + 2, content.length]), content])
  const entries = Object.entries({ location, offset, length }).map(([key, value]) =>
    field(13, Buffer.concat([field(1, Buffer.from(key)), field(2, Buffer.from(value))])),
  )
  return Buffer.concat([Buffer.from([0x08, 0x08]), field(7, field(5, Buffer.concat(entries)))])
}

describe('a file of weights by itself', () => {
  it.each([
    ['m.safetensors', safetensors({ a: 300 })],
    ['m.pt', torchFile],
    ['m.nemo', tar({ 'model_config.yaml': Buffer.from('a: 1\n'), 'model_weights.ckpt': torchFile })],
    ['packed.nemo', gzipSync(tar({ 'model_weights.ckpt': torchFile }))],
    ['m.weights.h5', hdf5],
    ['behind-user-block.h5', behindUserBlock],
    ['m.onnx', onnx],
    ['m.pt.gz', gzipSync(torchFile)],
  ])('that is whole is whole: %s', async (name, bytes) => {
    expect(await gradeOf(write(name, bytes))).toEqual(['whole'])
  })

  it.each([
    ['cut.safetensors', safetensors({ a: 300 }).subarray(0, 900), /900|1200/],
    ['cut.pt', torchFile.subarray(0, 3000), /3000 of at least/],
    ['cut.nemo', tar({ 'model_weights.ckpt': torchFile }).subarray(0, 4000), /4000 bytes, and "model_weights\.ckpt"/],
    ['inner.nemo', tar({ 'model_weights.ckpt': torchFile.subarray(0, 3000) }), /its "model_weights\.ckpt": killed/],
    ['endless.nemo', tar({ 'model_weights.ckpt': torchFile }).subarray(0, -1024), /without the zeros that end it/],
    ['packed.nemo', gzipSync(tar({ 'model_weights.ckpt': torchFile })).subarray(0, -60), /gzip: ends early/],
    [
      'upwards.nemo',
      tar({ 'model_weights.ckpt': torchFile, '../../x': Buffer.from('a') }),
      /its "\.\.\/\.\.\/x": .*outside/,
    ],
    [
      'packed.nemo',
      gzipSync(tar({ 'model_weights.ckpt': torchFile.subarray(0, 3000) })),
      /its "model_weights\.ckpt": killed/,
    ],
    [
      'packed.nemo',
      gzipSync(tar({ 'tokenizer.pkl': runsShell })),
      /its "tokenizer\.pkl": unsafe: its pickle calls .*system/,
    ],
    [
      'packed.NEMO',
      gzipSync(tar({ 'a.yaml': Buffer.from('a: 1\n'), '/etc/x': Buffer.from('a') })),
      /its "\/etc\/x": .*outside/,
    ],
    [
      'packed.nemo',
      gzipSync(tar({ 'model_weights.ckpt': torchFile }).subarray(0, 4000)),
      /tar: ends early, \d+ of \d+ bytes/,
    ],
    ['packed.nemo', gzipSync('model_config.yaml'), /what is packed is not a tar archive/],
    ['cut.h5', hdf5.subarray(0, -90), /ends early: \d+ of \d+ bytes, as its HDF5 superblock says/],
    ['cut.h5', behindUserBlock.subarray(0, -90), /ends early: \d+ of \d+ bytes, .* \(from byte 512 on\)/],
    ['cut.onnx', onnx.subarray(0, 8), /field 7 ends at byte 10, and what holds it at byte 8/],
    ['page.bin', '<!DOCTYPE html><html></html>', /an HTML page/],
    ['lfs.pt', pointer, /a Git LFS pointer to a file of 12 bytes/],
    ['error.safetensors', '{"error": "not found"}', /a JSON document that begins/],
    ['line.safetensors', 'Entry not found', /text that begins "Entry not found"/],
    ['gzip.pt', gzipSync(torchFile), /compressed with gzip/],
    ['page.pt.gz', gzipSync('<html><body>404</body></html>'), /what is packed: this is an HTML page/],
    ['error.safetensors.gz', gzipSync('{"error": "not found"}'), /what is packed: this is a JSON document/],
    ...['gzip', 'bzip2', 'xz', 'zstd', 'lz4'].map((name): [string, Buffer, RegExp] => [
      `${name}.pth`,
      packed(name),
      new RegExp(`compressed with ${name}: unpack it`),
    ]),
    ['lfs.pkl', pointer, /a Git LFS pointer/],
    ['page.pickle', '<!DOCTYPE html><html></html>', /an HTML page/],
    ['line.pkl', 'Entry not found', /text that begins "Entry not found"/],
    ['error.pkl', '{"error": "not found"}', /a JSON document that begins/],
    ['zeros.pkl', new Uint8Array(5000), /all zero/],
    ['lfs', pointer, /a Git LFS pointer/],
    ['0123abcd', '<html><body>Access denied</body></html>', /an HTML page/],
    ['zeros', new Uint8Array(5000), /all zero/],
    ['other.gguf', torchFile, /does not begin as a GGUF file/],
    ['other.npz', hdf5, /does not begin as an archive of NumPy arrays/],
    ['other.npy', torchFile, /does not begin as a NumPy array/],
    ['other.keras', safetensors({ a: 300 }), /does not begin as a Keras archive/],
    ['hdf5.safetensors', hdf5, /an HDF5 file, and not safetensors/],
    ['old.safetensors', oldTorch, /what torch\.save wrote before 1\.6, and not safetensors/],
    ['pickle.safetensors', pickle, /a Python pickle, and not safetensors/],
    ['zip.safetensors', torchFile, /a zip archive, as torch\.save writes them, and not safetensors/],
    ['zeros.bin', new Uint8Array(5000), /all zero/],
  ])('that is not is reported with the cause: %s', async (name, bytes, reason) => {
    const [grade, ...findings] = await gradeOf(write(name, bytes))
    expect(grade).toBe('corrupt')
    expect(findings.join()).toMatch(reason)
  })

  it.each([
    [8000, []],
    [7999, ['its weights take 8000 bytes of "m.data", which ends early: it has 7999']],
    [null, ['its weights lie in "m.data", which is not there']],
  ])('is whole with the file that an ONNX model has its weights in: %s bytes', async (bytes, findings) => {
    if (bytes !== null) write('m.data', new Uint8Array(bytes))
    const [grade, ...told] = await gradeOf(write('m.onnx', onnxBeside('m.data', '4096', '3904')))
    expect(told).toEqual(findings)
    expect(grade).toBe({ 8000: 'whole', 7999: 'corrupt' }[bytes ?? 0] ?? 'partial')
  })

  it('is no model with weights that lie outside of its folder', async () => {
    const [grade, told] = await gradeOf(write('m.onnx', onnxBeside('../../etc/passwd', '0', '1')))
    expect([grade, told]).toEqual(['corrupt', expect.stringContaining('outside of its folder')])
  })

  it('that is packed with gzip, as its name says, is named as such', async () => {
    const packed = async (path: string) => {
      const lone = await loneFile(storage, path)
      return lone === null ? ['nothing'] : findPacked(storage, lone.checkpoint)
    }
    const path = write('m.safetensors.gz', gzipSync(safetensors({ a: 300 })))
    expect(await packed(path)).toEqual([path])
    expect(await packed(write('m.safetensors', safetensors({ a: 300 })))).toEqual([])
  })

  it.each(['m.safetensors.part', 'm.safetensors.incomplete', 'm.safetensors.crdownload'])(
    'that is still fetched is unfinished: %s',
    async (name) => {
      expect((await gradeOf(write(name, safetensors({ a: 300 }).subarray(0, 600))))[0]).toBe('unfinished')
    },
  )

  it('whose second half is zero, from amid a tensor on, is reported with the place', async () => {
    const zeros = safetensors({ a: 300, b: 300 }, (at) => (at < 250 ? 1.5 : 0))
    const [grade, finding = ''] = await gradeOf(write('m.safetensors', zeros), 'quick')
    expect([grade, finding]).toEqual(['corrupt', expect.stringMatching(/^bytes \d+ to \d+, its end, are all zero/)])
  })

  it('of NumPy or GGUF that ends in zeros from amid an array on, with a sector, is reported with the place', async () => {
    const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (4096,), }"
    const array = Buffer.alloc(128 + 4 * 4096)
    array.write('\x93NUMPY\x01\x00', 0, 'latin1')
    array.writeUInt16LE(118, 8)
    array.write(`${header.padEnd(117)}\n`, 10, 'latin1')
    for (let at = 128; at < 8192; at += 4) array.writeFloatLE(1.5, at)
    const name = Buffer.from('blk.0.w')
    const head = Buffer.alloc(24 + 8 + name.length + 4 + 8 + 4 + 8)
    head.write('GGUF')
    head.writeUInt32LE(3, 4)
    head.writeBigUInt64LE(1n, 8)
    head.writeBigUInt64LE(BigInt(name.length), 24)
    name.copy(head, 32)
    head.writeUInt32LE(1, 32 + name.length)
    head.writeBigUInt64LE(4096n, 36 + name.length)
    const gguf = Buffer.concat([head, Buffer.alloc((32 - (head.length % 32)) % 32), Buffer.alloc(4 * 4096)])
    for (let at = gguf.length - 4 * 4096; at < 8192; at += 4) gguf.writeFloatLE(1.5, at)
    for (const [file, bytes] of [
      ['m.npy', array],
      ['m.gguf', gguf],
    ] as const) {
      const [grade, finding = ''] = await gradeOf(write(file, bytes), 'quick')
      expect([file, grade, finding]).toEqual([
        file,
        'corrupt',
        expect.stringMatching(/^bytes 8192 to \d+, its end, are all zero/),
      ])
    }
  })

  it.each([
    ['a row', 8 + 4 * 64 * 20 + 4 * 40],
    ['a number', 8 + 4 * 64 * 20 + 3],
  ])('whose last matrix is zero from amid %s on is reported with the byte', async (_, cut) => {
    const begin = JSON.stringify({ w: { dtype: 'F32', shape: [64, 64], data_offsets: [0, 16384] } }).length
    const bytes = matrix(64)
    bytes.fill(0, begin + cut)
    const [grade, finding = ''] = await gradeOf(write('m.safetensors', bytes), 'quick')
    expect([grade, finding]).toEqual(['corrupt', expect.stringContaining(`to ${bytes.length}, its end, are all zero`)])
    const from = Number(/^bytes (\d+) to/.exec(finding)?.[1])
    expect(begin + cut - from).toBeGreaterThanOrEqual(0)
    expect(begin + cut - from).toBeLessThan(4)
  })

  it('with rows, or the ends of rows, that are not used yet is whole', async () => {
    const rows = matrix(64)
    rows.fill(0, rows.length - 4 * 64 * 30)
    expect(await gradeOf(write('rows.safetensors', rows))).toEqual(['whole'])
    const columns = matrix(2, 1024)
    for (const end of [1, 2])
      columns.fill(0, columns.length - 4 * (1024 * end - 300), columns.length - 4 * 1024 * (end - 1))
    expect(await gradeOf(write('columns.safetensors', columns))).toEqual(['whole'])
  })

  it('that joblib packed is whole; what only other programs unpack is not looked into, as is told', async () => {
    const told: string[] = []
    const heard = localStorage({ custody: { warn: (text) => told.push(text) } })
    for (const packing of ['zlib', 'gzip', 'xz'] as const) {
      const lone = await loneFile(heard, write(`m-${packing}.joblib`, packed(packing)))
      const checked = lone === null ? [] : await checkHealth(heard, lone.run.checkpoints, [lone.checkpoint], 'quick')
      expect(checked[0]?.health.grade).toBe('whole')
    }
    expect(told).toEqual([
      expect.stringMatching(/m-xz\.joblib is compressed with xz, as joblib and pandas do, and was not looked into/),
    ])
  })

  it('with tensors that are zero from their first value is whole', async () => {
    const zeros = safetensors({ a: 300, b: 300 }, (at) => (at < 300 ? 1.5 : 0))
    expect(await gradeOf(write('m.safetensors', zeros))).toEqual(['whole'])
  })

  it('that is packed is looked into within bounds, and what was not is told', async () => {
    /** A zip as torch writes them, with something in its midst that torch does not write. */
    const numbers = Buffer.alloc(12 << 20)
    const long = makeZip([
      { name: 'a/data.pkl', data: Buffer.from('N.') },
      { name: 'a/data/0', data: numbers },
      { name: 'a/extra.pkl', data: runsShell },
      { name: 'a/data/1', data: numbers },
    ])
    const inner = tar({ 'inner.tar': tar({ 'tokenizer.pkl': runsShell }), 'a.nemo': gzipSync(tar({ x: runsShell })) })
    const of = async (name: string, bytes: Uint8Array) => {
      const told: string[] = []
      const heard = localStorage({ custody: { warn: (text) => told.push(text) } })
      const lone = await loneFile(heard, write(name, bytes))
      const checked = lone === null ? [] : await checkHealth(heard, lone.run.checkpoints, [lone.checkpoint], 'quick')
      return [checked[0]?.health.grade, ...told.map((text) => text.slice(folder.length + 1))]
    }
    expect(await of('a.nemo', gzipSync(tar({ 'weights.ckpt': long })))).toEqual([
      'whole',
      `a.nemo is packed, and its "weights.ckpt" of ${long.length} bytes was not looked into as a whole`,
    ])
    expect(await of('b.nemo', gzipSync(inner))).toEqual([
      'whole',
      'b.nemo holds the archive "inner.tar", which was not looked into',
      'b.nemo holds the archive "a.nemo", which was not looked into',
    ])
    expect(await of('d.nemo', gzipSync(tar({ a: Buffer.alloc(100 << 20) })))).toEqual([
      'whole',
      expect.stringMatching(/^d\.nemo is packed, and no more than the first \d+ bytes in it were looked into$/),
    ])
    const large = Buffer.concat([gzipSync(tar({ a: runsShell })), randomBytes(17 << 20)])
    expect(await of('e.nemo', large)).toEqual([
      'whole',
      'e.nemo is packed, and was not looked into; to unpack it: ckpt verify --deep',
    ])
  })

  it.each(['pt', 'pth', 'ckpt', 'pkl', 'joblib', 'pdparams', 'msgpack'])(
    'is corrupt where no program saves such bytes as .%s',
    async (suffix) => {
      // As noise: no byte of it begins a pickle, text, or what is packed.
      const noise = Buffer.concat([Buffer.from([0xc1, 0x07, 0xee]), randomBytes(5000)])
      const [grade, finding] = await gradeOf(write(`model.${suffix}`, noise), 'quick')
      expect([grade, finding]).toEqual(['corrupt', expect.stringMatching(/^does not begin as /)])
    },
  )

  it('is corrupt as noise under the names that transformers gives to what torch saves, and may be anything as .bin', async () => {
    const noise = Buffer.concat([Buffer.from([0xc1, 0x07, 0xee]), randomBytes(5000)])
    expect(await gradeOf(write('vectors.bin', noise))).toEqual(['whole'])
    for (const name of ['pytorch_model.bin', 'pytorch_model-00001-of-00002.bin', 'adapter_model.bin']) {
      expect((await gradeOf(write(name, noise)))[0]).toBe('corrupt')
    }
  })

  it('is whole as a pickle of any protocol, a table of TensorFlow, a checkpoint of MindSpore and an array of msgpack', async () => {
    const dumped = [
      // pickle.dumps({'a': [1, 2.5]}, protocol) of protocols 0, 1 and 4.
      '286470300a56610a70310a286c70320a49310a6146322e350a61732e',
      '7d710058010000006171015d7102284b0147400400000000000065732e',
      '80049517000000000000007d948c0161945d94284b0147400400000000000065732e',
    ].map((hex) => Buffer.from(hex, 'hex'))
    for (const [protocol, bytes] of dumped.entries()) {
      // Of protocol 0 it is text, and looks like a note.
      for (const suffix of protocol === 0 ? ['pkl'] : ['pt', 'ckpt', 'pkl']) {
        const [grade] = await gradeOf(write(`p${protocol}.${suffix}`, bytes))
        expect([protocol, suffix, grade]).toEqual([protocol, suffix, 'whole'])
      }
    }
    const table = Buffer.concat([randomBytes(100), Buffer.from('57fb808b247547db', 'hex')])
    table[0] = 0xc1
    expect(await gradeOf(write('model.ckpt', table))).toEqual(['whole'])
    const mindspore = Buffer.from([0x0a, 0x14, 0x0a, 0x06, ...Buffer.from('weight'), 0x12, 0x0a, ...randomBytes(10)])
    expect(await gradeOf(write('lenet.ckpt', mindspore))).toEqual(['whole'])
    expect(await gradeOf(write('list.msgpack', Uint8Array.of(0x92, 1, 2)))).toEqual(['whole'])
  })

  it('is none where neither its name nor its bytes say so', async () => {
    expect(await gradeOf(write('notes.txt', 'text'))).toEqual(['nothing'])
    expect(await gradeOf(write('LICENSE', 'text'))).toEqual(['nothing'])
    expect(await gradeOf(write('index.html', '<html></html>'))).toEqual(['nothing'])
  })
})

describe('a folder of a model', () => {
  const index = JSON.stringify({ weight_map: { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' } }) // prettier-ignore

  it('of torch.distributed.checkpoint of which nothing but the metadata is left lacks its data', async () => {
    const at = join(folder, 'step-1')
    fs.mkdirSync(at)
    fs.copyFileSync(
      new URL('../../../fixtures/dcp/metadata-of-four-ranks', import.meta.url).pathname,
      join(at, '.metadata'),
    )
    const [grade, ...findings] = await gradeOf(at)
    expect(grade).toBe('partial')
    expect(findings.join()).toContain('__0_0.distcp')
  })

  it('with its index and all shards is whole, and so is the index', async () => {
    write('hub/config.json', '{}')
    write('hub/model-00001-of-00002.safetensors', safetensors({ a: 3 }))
    write('hub/model-00002-of-00002.safetensors', safetensors({ b: 3 }))
    const path = write('hub/model.safetensors.index.json', index)
    expect(await gradeOf(join(folder, 'hub'))).toEqual(['whole'])
    expect(await gradeOf(path)).toEqual(['whole'])
  })

  it('without a shard is partial, and so is the index', async () => {
    write('hub/model-00001-of-00002.safetensors', safetensors({ a: 3 }))
    const path = write('hub/model.safetensors.index.json', index)
    for (const named of [join(folder, 'hub'), path]) {
      const [grade, ...findings] = await gradeOf(named)
      expect([basename(named), grade]).toEqual([basename(named), 'partial'])
      expect(findings.join()).toContain('model-00002-of-00002.safetensors not there')
    }
  })

  it('with the index of its other form, of which nothing was fetched, is whole', async () => {
    write('hub/model-00001-of-00002.safetensors', safetensors({ a: 3 }))
    write('hub/model-00002-of-00002.safetensors', safetensors({ b: 3 }))
    write('hub/model.safetensors.index.json', index)
    const other = index.replaceAll(/model-(\d+)-of-(\d+)\.safetensors/g, 'pytorch_model-$1-of-$2.bin')
    write('hub/pytorch_model.bin.index.json', other)
    expect(await gradeOf(join(folder, 'hub'))).toEqual(['whole'])
    fs.rmSync(join(folder, 'hub/model-00002-of-00002.safetensors'))
    expect((await gradeOf(join(folder, 'hub')))[0]).toBe('partial')
  })

  it('of the parts of several processes needs no index, and lacks a process whose number is left out', async () => {
    const name = (process: number, file: number) => `parts/shard-0000${process}-model-0000${file}-of-00002.safetensors`
    for (const [process, file] of [[1, 1], [2, 1], [2, 2], [3, 1]] as const) write(name(process, file), safetensors({ a: 3 })) // prettier-ignore
    expect(await gradeOf(join(folder, 'parts'))).toEqual(['whole'])
    fs.rmSync(join(folder, name(2, 1)))
    fs.rmSync(join(folder, name(2, 2)))
    const [grade, finding] = await gradeOf(join(folder, 'parts'))
    expect([grade, finding]).toEqual(['partial', expect.stringContaining('shard-00002-model-00001')])
  })

  it('is partial where none of its shards is there, whatever is there of its own form, of a later one and of another variant', async () => {
    write('hub/model.safetensors.index.json', index)
    write('hub/pytorch_model.bin', torchFile)
    write('hub/model.fp16.safetensors', safetensors({ a: 3 }))
    write('hub/model-00001-of-00003.safetensors', safetensors({ a: 3 }))
    expect((await gradeOf(join(folder, 'hub')))[0]).toBe('partial')
    write('hub/model.safetensors', safetensors({ a: 3 }))
    expect((await gradeOf(join(folder, 'hub')))[0]).toBe('partial')
  })

  it('names the pointer that lies in place of its weights, in a folder within too', async () => {
    write('pipe/model_index.json', '{}')
    write('pipe/unet/diffusion_pytorch_model.safetensors', 'version https://git-lfs.github.com/spec/v1\nsize 3\n')
    expect((await gradeOf(join(folder, 'pipe'))).join()).toMatch(/corrupt,unet\/.*a Git LFS pointer/)
  })

  it('is none without weights', async () => {
    write('notes/a.txt', 'x')
    expect(await gradeOf(join(folder, 'notes'))).toEqual(['nothing'])
  })
})
