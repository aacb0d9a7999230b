/** A file that would run something when Python loads it is not a checkpoint to resume from. */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inspectFile } from '../../../../src/core/checkpoints/health/inspect.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeZip } from '../../formats/zip-bytes.js'

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

async function reasonsForBytes(name: string, bytes: Uint8Array): Promise<string[]> {
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
  const { findings } = await inspectFile(storage, file, around, { level: 'quick' })
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
