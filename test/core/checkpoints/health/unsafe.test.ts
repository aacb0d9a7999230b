/** A file that would run something when Python loads it is not a checkpoint to resume from. */
import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { deflateSync, gzipSync } from 'node:zlib'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inspectFile } from '../../../../src/core/checkpoints/health/inspect.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeZip } from '../../formats/archives/zip-bytes.js'

const storage = localStorage()
const fixtures = new URL('../../../fixtures/torch/', import.meta.url).pathname
let folder = ''

beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-unsafe-'))
})
afterAll(() => {
  fs.rmSync(folder, { recursive: true })
})

async function reasonsFor(fixture: string): Promise<string[]> {
  return reasonsForBytes('model.ckpt', fs.readFileSync(join(fixtures, fixture)))
}

async function reasonsForBytes(name: string, bytes: Uint8Array, by = storage): Promise<string[]> {
  const path = join(folder, name)
  fs.writeFileSync(path, bytes)
  const [stat] = await storage.stat([path])
  const file = { name, path, isLink: false, stat: stat?.ok === true ? stat.value : null }
  const around = {
    commonSize: async () => null,
    commonKind: async () => null,
    endInZeros: async () => null,
    isParameter: true,
    isNeverEmpty: false,
    isAlone: false,
  }
  const { findings } = await inspectFile(by, file, around, { level: 'quick' })
  return findings.map(({ grade, reason }) => `${grade}: ${reason}`)
}

describe('a pickle that calls what no checkpoint needs', () => {
  it.each([
    ['torch2/hostile_os_system.pt', 'os.system'],
    ['torch2/hostile_legacy_os_system.pt', 'system'],
    ['torch2/hostile_getattr.pt', 'os.path'],
    ['torch2/hostile_torch_load.pt', 'torch.load'],
    ['torch1/evil.pt', 'posix.system'],
  ])('%s is corrupt, and the call is named', async (fixture, call) => {
    const [reason] = await reasonsFor(fixture)
    expect(reason).toMatch(/^corrupt: unsafe: its pickle (?:calls|hands) /)
    expect(reason).toContain(call)
  })

  it.each(['torch2/python_values.pt', 'torch2/module_custom.pt', 'torch2/legacy_module.pt', 'torch1/optimizer.pt'])(
    '%s is whole',
    async (fixture) => {
      expect(await reasonsFor(fixture)).toEqual([])
    },
  )
})

describe('tensors in a bare pickle, each a stream of its own that torch.storage._load_from_bytes loads', () => {
  it.each(['4', '2'])('are whole in protocol %s, for loading them runs nothing', async (protocol) => {
    const bytes = fs.readFileSync(join(fixtures, `bare/tensors-in-a-pickle-of-protocol-${protocol}.pkl`))
    expect(await reasonsForBytes('replay.pkl', bytes)).toEqual([])
  })

  it('are corrupt where such a stream would run something', async () => {
    const [reason] = await reasonsForBytes(
      'replay.pkl',
      fs.readFileSync(join(fixtures, 'bare/hostile-stream-in-a-pickle.pkl')),
    )
    expect(reason).toMatch(/^corrupt: unsafe: its pickle calls torch.storage._load_from_bytes/)
  })
})

/** What no loader needs a zip for: pickle.load and torch.load take these bytes as they are. */
describe('a bare pickle', () => {
  const runs = {
    'of protocol 0': Buffer.from("cposix\nsystem\n(S'id'\ntR."),
    'of protocol 0, an instance': Buffer.from("(S'id'\niposix\nsystem\n."),
    'of protocol 0, behind a long text': Buffer.from(`S'${'x'.repeat(2000)}'\n0cposix\nsystem\n(S'id'\ntR.`),
    'of protocol 2': Buffer.from('\x80\x02cposix\nsystem\nX\x02\0\0\0id\x85R.', 'latin1'),
    'of protocol 4': Buffer.from('\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.', 'latin1'),
    'that breaks off behind the call': Buffer.from('\x80\x02cposix\nsystem\nX\x02\0\0\0id\x85R\xff.', 'latin1'),
    'in front of much else': Buffer.concat([
      Buffer.from('\x80\x02cposix\nsystem\nX\x02\0\0\0id\x85R0B', 'latin1'),
      Buffer.from([0, 0, 80, 0]),
      Buffer.alloc(80 << 16),
      Buffer.from('.'),
    ]),
  }

  describe.each(Object.entries(runs))('%s', (_, bytes) => {
    it.each(['model.ckpt', 'model.pt', 'model.bin', 'replay.pkl', 'model'])(
      'that would run something is corrupt as %s',
      async (name) => {
        expect((await reasonsForBytes(name, bytes)).join()).toMatch(/^corrupt: unsafe: its pickle calls posix.system/)
      },
    )
  })

  it.each([
    ['replay.pkl', Buffer.from('\x80\x04]\x94(K\x01K\x02e.', 'latin1')],
    ['counter.ckpt', Buffer.from('12')],
    ['notes.ckpt', Buffer.from('cat\ndog\nend\n')],
    ['config.yaml', Buffer.from('cposix\nsystem\n')],
    ['model.bin', Buffer.from([0x80, 0xff, 0x00, 0x17])],
  ])('that runs nothing, or what is none, is whole: %s', async (name, bytes) => {
    expect(await reasonsForBytes(name, bytes)).toEqual([])
  })
})

/** As numpy.save writes them: a header of 128 bytes, then a pickle where the elements are objects. */
function npy(header: string, data: Uint8Array): Buffer {
  const start = Buffer.from('\x93NUMPY\x01\0\x76\0', 'latin1')
  return Buffer.concat([start, Buffer.from(`${header.padEnd(117)}\n`, 'latin1'), data])
}
const header = (descr: string) => `{'descr': ${descr}, 'fortran_order': False, 'shape': (2,), }`

const evil = Buffer.from('\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.', 'latin1')
const list = Buffer.from('\x80\x04]\x94(K\x01K\x02e.', 'latin1')

describe('an array of objects, which numpy.load(allow_pickle=True) takes for a pickle', () => {
  const headers = {
    'as numpy writes it': header("'|O'"),
    'with the long name of objects': header("'object'"),
    'of records with objects': header("[('a', '<i4'), ('b', '|O')]"),
    'that says its type twice': "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'descr': '|O'}",
    'that hides its type behind an escape': "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), '\\x64escr': 'O'}",
    'that puts its type together': "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'de' 'scr': 'O'}",
  }

  describe.each(Object.entries(headers))('%s', (_, text) => {
    it('that would run something is corrupt', async () => {
      expect(await reasonsForBytes('a.npy', npy(text, evil))).toEqual([
        'corrupt: unsafe: its pickle calls posix.system, which loading it with Python would run',
      ])
    })

    it.each(['stored', 'deflated'] as const)('is corrupt in an archive as well, %s', async (method) => {
      const bytes = makeZip([
        { name: 'x.npy', data: npy(header("'<f4'"), new Uint8Array(8)) },
        { name: 'a.npy', data: npy(text, evil), deflate: method === 'deflated' },
      ])
      expect((await reasonsForBytes('a.npz', bytes)).join()).toMatch(
        /unsafe: the pickle in its "a.npy" calls posix\.system/,
      )
    })

    it('that runs nothing is whole', async () => {
      expect(await reasonsForBytes('a.npy', npy(text, list))).toEqual([])
    })
  })

  it.each(["'<f4'", "'<U2'", "'<M8[ns]'"])('is none where the elements are %s, whatever their bytes', async (descr) => {
    expect(await reasonsForBytes('a.npy', npy(header(descr), evil))).toEqual([])
  })
})

describe('a pickle in an archive that is not what torch.load reads', () => {
  it.each(['b/data.pkl', 'a/extra.pickle', 'replay'])('is corrupt where it would run something: %s', async (name) => {
    const bytes = makeZip([
      { name: 'a/data.pkl', data: list },
      { name: 'a/data/0', data: evil },
      { name, data: evil },
    ])
    expect((await reasonsForBytes('m.pt', bytes)).join()).toContain(
      `unsafe: the pickle in its "${name}" calls posix.system`,
    )
  })

  it('is whole where it runs nothing, and numbers are never looked at', async () => {
    const bytes = makeZip([
      { name: 'a/data.pkl', data: list },
      { name: 'a/data/0', data: evil },
      { name: 'b/data.pkl', data: list },
      { name: 'a/version', data: Buffer.from('3\n') },
    ])
    expect(await reasonsForBytes('m.pt', bytes)).toEqual([])
  })
})

/** Each runs `posix.system('id')` when Python loads it (held against CPython 3.11): what comes first broke this reader. */
describe('a pickle that begins with what only Python reads', () => {
  const protocol = '\x80\x04'
  const call = '\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.'
  const ofBytes = '\x96\x02\0\0\0\0\0\0\0ab'
  const made = (text: string) => `cbuiltins\nstr\n(\x8c${String.fromCharCode(text.length)}${text}tR`
  const begins: readonly (readonly [string, string])[] = [
    ['more values than are kept', `(${'}'.repeat(1_500_000)}1`],
    ['more opcodes than are read', 'N0'.repeat(3_000_000)],
    ['deeper lists than are built', `${']'.repeat(30_000)}${'a'.repeat(29_999)}0`],
    ['an integer in base 16', 'I0x10\n0'],
    ['an integer with underscores', 'I1_0\n0'],
    ['a long integer in base 16', 'L0x10L\n0'],
    ['a line with NUL in it', 'I7\0 and more\n0'],
    ['an infinity spelled out', 'F+infinity\n0'],
    ['a memo index with underscores', 'Np1_0\n0'],
    ['bytes that are made read-only', 'C\x01a\x980'],
    ['something appended to a bytearray', `${ofBytes}K\x05a0`],
    ['something set in a bytearray', `${ofBytes}K\0K\x05s0`],
    ['something set in a list', ']NaK\0Ns0'],
    ['no state for a dict', '}Nb0'],
    ['an empty state and no slots for a number', 'K\x01}N\x86b0'],
    ['nothing appended to nothing', 'N(e0'],
    ['nothing set in a tuple', ')(u0'],
    ['nothing added to a text', '\x8c\x01a(\x900'],
    ['a name that a call gives', `${made('posix')}${made('system')}\x93\x8c\x02id\x85R0`],
    ['a name of 20,000 characters', `\x8c\x02osX\x20\x4e\0\0${'path.os.'.repeat(2500)}\x93\x8c\x02id\x85R0`],
  ]

  it.each(begins)('%s is corrupt: alone, without a head, and in an archive', async (_, begin) => {
    const bare = Buffer.from(`${begin}${call}`, 'latin1')
    const headed = Buffer.from(`${protocol}${begin}${call}`, 'latin1')
    for (const [name, bytes] of [
      ['state.pkl', headed],
      ['optimizer.pt', bare],
      ['model.pt', makeZip([{ name: 'a/data.pkl', data: headed }])],
      ['packed.pt', makeZip([{ name: 'a/data.pkl', data: headed, deflate: true }])],
      ['arrays.npz', makeZip([{ name: 'a.npy', data: npy(header("'|O'"), headed) }])],
    ] as const) {
      expect([name, (await reasonsForBytes(name, bytes)).join()]).toEqual([
        name,
        expect.stringMatching(/^corrupt: unsafe: .*(?:calls posix\.system|cannot be followed to its end)/),
      ])
    }
  })

  it('is whole where it runs nothing', async () => {
    for (const [name, begin] of begins) {
      if (/a call gives|than are|characters/.test(name)) continue
      const bytes = Buffer.from(`${protocol}${begin}N.`, 'latin1')
      expect([name, await reasonsForBytes('state.pkl', bytes)]).toEqual([name, []])
    }
  })
})

describe('what comes behind a form that this reader does not follow', () => {
  const call = "cposix\nsystem\n(S'id'\ntR."
  const added = "ccopyreg\nadd_extension\n(S'posix'\nS'system'\nI77\ntR0\x82\x4d(S'id'\ntR."
  const storage = "((S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI1\ntQI0\nF1.0\ns0"

  it.each([
    ['a name that the pickle itself gave a number', 'model.pt', Buffer.from(added, 'latin1')],
    ['a number set in a storage', 'storage.pt', makeZip([{ name: 'a/data.pkl', data: Buffer.from(storage + call) }])],
  ])('is a finding in a pickle without a head too: %s', async (_, name, bytes) => {
    expect((await reasonsForBytes(name, bytes)).join()).toMatch(/^corrupt: unsafe: /)
  })
})

/** As joblib 1.5 dumps them (protocol 4, and each array's bytes behind its wrapper). */
describe('what joblib dumped', () => {
  const call = '\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R'
  const state = (code: string, size: string, flags: string) => `(K\x03\x8c\x01<NNN${size}J\xff\xff\xff\xffK${flags}t`
  const wrapper = (code: string, size = 'J\xff\xff\xff\xff', flags = '\0') =>
    '\x8c\x13joblib.numpy_pickle\x8c\x11NumpyArrayWrapper\x93)\x81}(\x8c\x05shapeK\x03\x85\x8c\x05dtype' +
    `cnumpy\ndtype\n\x8c\x02${code}\x89\x88\x87R${state(code, size, flags)}b` +
    '\x8c\x1bnumpy_array_alignment_bytesK\x10ub'
  const numbers = `\x02\xff\xff${'N\xff\x93.('.padEnd(24, '\x82')}`
  const dump = (...parts: string[]) => Buffer.from(`\x80\x04](${parts.join('')}e.`, 'latin1')

  it('is whole where it calls nothing, whatever bytes its arrays have', async () => {
    const bytes = dump(
      wrapper('f8'),
      numbers,
      wrapper('O8', undefined, '\x3f'),
      '\x80\x04](NNNe.',
      wrapper('U1', 'K\x04'),
      '\0',
      'a\0\0\0'.repeat(3),
    )
    expect(await reasonsForBytes('scaler.pkl', bytes)).toEqual([])
  })

  it('is whole where a pickle of its own has numbers for other things than the one around it', async () => {
    // joblib.dump({'a': a, 'b': [a, a], 'c': numpy.arange(3)}, …, protocol=2), a = numpy.array([None, {}], dtype=object)
    const encoded = [
      'gAJ9cQAoWAEAAABhcQFjam9ibGliLm51bXB5X3BpY2tsZQpOdW1weUFycmF5V3JhcHBlcgpxAimBcQN9cQQoWAgAAABzdWJjbGFz',
      'c3EFY251bXB5Cm5kYXJyYXkKcQZYBQAAAHNoYXBlcQdLAoVxCFgFAAAAb3JkZXJxCVgBAAAAQ3EKWAUAAABkdHlwZXELY251bXB5',
      'CmR0eXBlCnEMWAIAAABPOHENiYiHcQ5ScQ8oSwNYAQAAAHxxEE5OTkr/////Sv////9LP3RxEWJYCgAAAGFsbG93X21tYXBxEolY',
      'GwAAAG51bXB5X2FycmF5X2FsaWdubWVudF9ieXRlc3ETSxB1YoAFlY0AAAAAAAAAjBZudW1weS5fY29yZS5tdWx0aWFycmF5lIwM',
      'X3JlY29uc3RydWN0lJOUjAVudW1weZSMB25kYXJyYXmUk5RLAIWUQwFilIeUUpQoSwFLAoWUaAOMBWR0eXBllJOUjAJPOJSJiIeU',
      'UpQoSwOMAXyUTk5OSv////9K/////0s/dJRiiV2UKE59lGV0lGIuWAEAAABicRRdcRUoaAIpgXEWfXEXKGgFaAZoB0sChXEYaAlo',
      'CmgLaA9oEoloE0sQdWKABZWNAAAAAAAAAIwWbnVtcHkuX2NvcmUubXVsdGlhcnJheZSMDF9yZWNvbnN0cnVjdJSTlIwFbnVtcHmU',
      'jAduZGFycmF5lJOUSwCFlEMBYpSHlFKUKEsBSwKFlGgDjAVkdHlwZZSTlIwCTziUiYiHlFKUKEsDjAF8lE5OTkr/////Sv////9L',
      'P3SUYoldlChOfZRldJRiLmgCKYFxGX1xGihoBWgGaAdLAoVxG2gJaApoC2gPaBKJaBNLEHVigAWVjQAAAAAAAACMFm51bXB5Ll9j',
      'b3JlLm11bHRpYXJyYXmUjAxfcmVjb25zdHJ1Y3SUk5SMBW51bXB5lIwHbmRhcnJheZSTlEsAhZRDAWKUh5RSlChLAUsChZRoA4wF',
      'ZHR5cGWUk5SMAk84lImIh5RSlChLA4wBfJROTk5K/////0r/////Sz90lGKJXZQoTn2UZXSUYi5lWAEAAABjcRxoAimBcR19cR4o',
      'aAVoBmgHSwOFcR9oCWgKaAtoDFgCAAAAaThxIImIh3EhUnEiKEsDWAEAAAA8cSNOTk5K/////0r/////SwB0cSRiaBKIaBNLEHVi',
      'C///////////////AAAAAAAAAAABAAAAAAAAAAIAAAAAAAAAdS4=',
    ].join('')
    expect(await reasonsForBytes('scaler.pkl', Buffer.from(encoded, 'base64'))).toEqual([])
  })

  it.each([
    ['behind an array', dump(wrapper('f8'), numbers, call)],
    ['behind one of text', dump(wrapper('U1', 'K\x04'), '\0', 'a\0\0\0'.repeat(3), call)],
    ['in an array of objects', dump(wrapper('O8', undefined, '\x3f'), `\x80\x04](${call}e.`)],
    ['behind one', dump(wrapper('O8', undefined, '\x3f'), '\x80\x04](NNNe.', call)],
    ['behind one whose length cannot be told', dump(wrapper('Q8'), numbers, call)],
    ['behind more than the head', dump('N'.repeat(600), wrapper('f8'), numbers, call)],
  ])('is corrupt where it calls something %s', async (_, bytes) => {
    expect((await reasonsForBytes('scaler.pkl', bytes)).join()).toMatch(/^corrupt: unsafe: /)
  })
})

/** joblib.load unpacks by the first bytes alone; pandas.read_pickle by the name. */
describe('a pickle that is packed as a whole', () => {
  const calls = Buffer.from('\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.', 'latin1')
  const packings = {
    gzip: gzipSync,
    zlib: deflateSync,
    'zlib without packing': (all: Buffer) => deflateSync(all, { level: 0 }),
  }
  const names = ['scaler.joblib', 'scaler.pkl.gz', 'scaler.joblib.z', 'model.bin', 'model.ckpt', 'scaler', 'scaler.txt']

  it.each(Object.entries(packings))('by %s is corrupt where it calls something, whatever its name', async (_, pack) => {
    for (const name of names) {
      expect((await reasonsForBytes(name, pack(calls))).join()).toMatch(
        /^corrupt: unsafe: the pickle packed in it calls posix\.system/,
      )
    }
  })

  it('is corrupt where the call lies behind much else, or before a break', async () => {
    const far = Buffer.concat([
      Buffer.from('\x80\x04(', 'latin1'),
      Buffer.alloc(1 << 20, 'N'),
      Buffer.from('1'),
      calls.subarray(2),
    ])
    expect((await reasonsForBytes('a.joblib', gzipSync(far))).join()).toMatch(/^corrupt: unsafe: the pickle packed/)
    const long = deflateSync(Buffer.concat([calls, randomBytes(1 << 16)]))
    const broken = Buffer.concat([long.subarray(0, -4), Buffer.from('none')])
    expect((await reasonsForBytes('b.joblib', broken)).join()).toMatch(/^corrupt: unsafe: the pickle packed/)
  })

  it.each([
    ['is cut', deflateSync(Buffer.from('\x80\x04N.', 'latin1')).subarray(0, -2), 'zlib: ends early'],
    [
      'goes on in another piece',
      Buffer.concat([deflateSync(Buffer.from('\x80\x04N.', 'latin1')), deflateSync(calls)]),
      'zlib: \\d+ bytes follow what unpacks to 4',
    ],
  ])('is corrupt where it %s', async (_, bytes, reason) => {
    expect((await reasonsForBytes('a.joblib', bytes)).join()).toMatch(new RegExp(`^corrupt: ${reason}`))
  })

  it('is whole where it calls nothing, and so is what is packed and no pickle', async () => {
    expect(await reasonsForBytes('a.joblib', gzipSync(Buffer.from('\x80\x04]N\x61.', 'latin1')))).toEqual([])
    expect(await reasonsForBytes('a.csv.gz', gzipSync('step,loss\n1,0.5\n'))).toEqual([])
    expect(
      await reasonsForBytes('model.ckpt', Buffer.concat([Buffer.from('789c0102', 'hex'), Buffer.alloc(600, 7)])),
    ).toEqual([])
  })

  /** The beginnings of what Python's bz2, lzma and lz4 write. */
  const notUnpacked = {
    bzip2: Buffer.from('425a6839314159265359', 'hex'),
    xz: Buffer.from('fd377a585a000004e6d6b446', 'hex'),
    lzma: Buffer.from('5d00008000ffffffffffffffff00', 'hex'),
    lz4: Buffer.from('04224d186440a7', 'hex'),
  }

  async function toldOf(name: string, bytes: Uint8Array): Promise<string[]> {
    const told: string[] = []
    const heard = localStorage({ custody: { warn: (text) => told.push(text) } })
    expect(await reasonsForBytes(name, bytes, heard)).toEqual([])
    return told
  }

  it.each(Object.entries(notUnpacked))('with %s, which is not unpacked here, is told of', async (packing, bytes) => {
    for (const name of ['scaler.joblib', 'optimizer.pt', 'scaler', 'other.dat', `scaler.pkl.${packing}`]) {
      expect(await toldOf(name, bytes)).toEqual([
        `${join(folder, name)} is compressed with ${packing}, as joblib and pandas do, and was not looked into`,
      ])
    }
    for (const name of ['train.log.xz', 'metrics.csv.bz2', '0.12.3']) expect(await toldOf(name, bytes)).toEqual([])
  })

  it('with zstd is told of where pandas goes by its name: Zarr packs parts of arrays so', async () => {
    const bytes = Buffer.from('28b52ffd0458', 'hex')
    for (const name of ['a.pkl', 'a.pkl.zst', 'a.zstd']) expect(await toldOf(name, bytes)).toHaveLength(1)
    for (const name of ['d41d8cd98f00b204e9800998ecf8427e', '0.0', 'a.txt.zst', 'model.bin'])
      expect(await toldOf(name, bytes)).toEqual([])
  })

  it('is not taken for what begins as lzma might: a number, a header of safetensors', async () => {
    for (const head of ['5d00000000000000', '5d000003007b22777b', '5d000080000000000000000100'])
      expect(await toldOf('counts.dat', Buffer.concat([Buffer.from(head, 'hex'), Buffer.alloc(99, 0xfe)]))).toEqual([])
  })

  it('costs no more than its file is worth', async () => {
    const told: string[] = []
    const heard = localStorage({ custody: { warn: (text) => told.push(text) } })
    const long = Buffer.alloc(40 << 20, 'N0')
    long.write('\x80\x04', 'latin1')
    expect(await reasonsForBytes('a.joblib', deflateSync(long), heard)).toEqual([])
    expect(told.join()).toMatch(/holds a packed pickle, of which 8\d{6} bytes were looked into/)
  })
})

describe('a pickle that is longer than is looked into', () => {
  const long = (tail: Buffer) =>
    Buffer.concat([Buffer.from('\x80\x04B\0\0\0\x012', 'latin1'), Buffer.alloc((1 << 24) - 1), Buffer.from('0'), tail])

  it('is told of with how much of it was', async () => {
    const told: string[] = []
    const heard = localStorage({ custody: { warn: (text) => told.push(text) } })
    const bytes = makeZip([{ name: 'a/data.pkl', data: long(Buffer.from('N.')) }])
    expect(await reasonsForBytes('model.pt', bytes, heard)).toEqual([])
    expect(told).toEqual([
      `${join(folder, 'model.pt')} holds a pickle of ${(1 << 24) + 10} bytes, of which ${1 << 24} were looked into for what loading it would run`,
    ])
  })

  it('costs no more than its file is worth where it is packed', async () => {
    const data = Buffer.alloc(30 << 20, ']')
    data.write('\x80\x04(', 'latin1')
    const bytes = makeZip([{ name: 'a/data.pkl', data, deflate: true }])
    expect((await reasonsForBytes('model.pt', bytes)).join()).toMatch(/what it builds takes more than 40\d+ bytes$/)
  })
})
