import * as fs from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CkptError, StorageError } from '../../../../src/core/errors.js'
import {
  parseMetaValue,
  saveCheckpoint,
  toPyMeta,
  toPyValues,
  type FileToSave,
  type NewCheckpoint,
  type SaveOptions,
} from '../../../../src/core/changes/saving/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { Storage } from '../../../../src/core/storage/storage.js'
import { filesBelow, temporaryDirectory } from '../disposal/runs.js'
import { faultyStorage, Stopped } from '../../../faulty-storage.js'

const storage = localStorage()
const placements = ['copy', 'hard', 'move'] as const
const stamp = '2024-01-31+23-59-59'
const first = `CKPT+${stamp}+00`
const contents = { model: 'm'.repeat(5000), epoch: '3' }

interface Try extends Partial<SaveOptions> {
  readonly through?: Storage
  readonly name?: string
}

/** A place with files to save, and one run that is not there yet. */
function place(): { run: string; out: string; checkpoint: NewCheckpoint } {
  const folder = temporaryDirectory()
  const [run, out] = [join(folder, 'exp', 'save'), join(folder, 'out')]
  fs.mkdirSync(out)
  const files = new Map<string, FileToSave>()
  for (const [key, text] of Object.entries(contents)) {
    fs.writeFileSync(join(out, key), text)
    files.set(key, { kind: 'path', path: join(out, key) })
  }
  const meta = toPyMeta(toPyValues({ loss: 15.5, epoch: 3 }), { unixtime: 1706745599.5, endOfEpoch: true })
  return { run, out, checkpoint: { run, stamp, meta, files } }
}

async function save(checkpoint: NewCheckpoint, { through = storage, name, ...options }: Try = {}) {
  return saveCheckpoint(through, { ...checkpoint, name }, { wait: () => Promise.resolve(), ...options })
}

const saved = {
  'CKPT.yaml':
    '# yamllint disable\n# saved whole by ckpt\nend-of-epoch: true\nepoch: 3\nloss: 15.5\nunixtime: 1706745599.5\n',
  'epoch.ckpt': contents.epoch,
  'model.ckpt': contents.model,
}

async function failureOf(promise: Promise<unknown>): Promise<CkptError> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (error instanceof CkptError) return error
  throw new Error(`expected a CkptError, got ${String(error)}`)
}

describe.each(placements)('saving with placement %s', (placement) => {
  it('makes the run and the checkpoint as SpeechBrain lays it out, and nothing else', async () => {
    const { run, out, checkpoint } = place()
    const { name, path } = await save(checkpoint, { placement })
    expect([name, path]).toEqual([first, join(run, first)])
    expect(filesBelow(path)).toEqual(saved)
    expect(fs.readdirSync(dirname(run))).toEqual(['save'])
    expect(fs.readdirSync(run)).toEqual([first])
    expect(fs.readdirSync(out).sort()).toEqual(placement === 'move' ? [] : ['epoch', 'model'])
  })

  it('syncs every file and the folder before the rename, and the run after it', async () => {
    const { run, out, checkpoint } = place()
    const faulty = faultyStorage(storage)
    await save(checkpoint, { placement, through: faulty.storage })
    const { calls } = faulty
    const renames = calls.filter((call) => call.startsWith('rename'))
    expect(renames).toHaveLength(1)
    const at = calls.indexOf(renames[0] ?? '')
    const [, building = '', target] = /^rename (.*) -> (.*)$/.exec(renames[0] ?? '') ?? []
    expect(target).toBe(join(run, first))
    expect(building).toMatch(/\/exp\/\.ckpt\/save\/staging\/[a-z]{16}00\/[a-z]{16}0$/)
    for (const file of ['model.ckpt', 'epoch.ckpt']) {
      const made = calls.findIndex((call) => /^(hardLink|copyFile) /.test(call) && call.endsWith(join(building, file)))
      const synced = calls.indexOf(`syncFile ${join(building, file)}`)
      expect(made).toBeGreaterThan(-1)
      expect(synced).toBeGreaterThan(made)
      expect(synced).toBeLessThan(at)
    }
    const meta = join(building, 'CKPT.yaml')
    expect(calls.indexOf(`sync ${meta}`)).toBeGreaterThan(calls.indexOf(`write ${meta}`))
    expect(calls.indexOf(`syncDirectory ${building}`)).toBeGreaterThan(calls.indexOf(`sync ${meta}`))
    expect(calls.indexOf(`syncDirectory ${building}`)).toBeLessThan(at)
    expect(calls[at + 1]).toBe(`syncDirectory ${run}`)
    const unlinked = calls.findIndex((call) => call.startsWith(`unlink ${out}`))
    expect(unlinked > at).toBe(placement === 'move')
  })

  it('is whole or not there after a kill at any changing call, and can be done again', async () => {
    const calls = await countCalls(placement)
    for (let failAt = 1; failAt <= calls; failAt += 1) {
      const { run, out, checkpoint } = place()
      const faulty = faultyStorage(storage, { failAt, then: 'stops' })
      await expect(save(checkpoint, { placement, through: faulty.storage })).rejects.toThrow(Stopped)
      const there = fs.existsSync(run) ? fs.readdirSync(run) : []
      if (there.length > 0) {
        expect(there).toEqual([first])
        expect(filesBelow(join(run, first))).toEqual(saved)
        continue
      }
      // Nothing that was to be saved is lost.
      expect(filesBelow(out)).toEqual(contents)
      const again = await save(checkpoint, { placement })
      expect(filesBelow(again.path)).toEqual(saved)
      expect(fs.readdirSync(run)).toEqual([first])
    }
  })

  it.each(['ENOSPC', 'EIO', 'EACCES'])('is whole or not there when any changing call fails with %s', async (errno) => {
    const calls = await countCalls(placement)
    for (let failAt = 1; failAt <= calls; failAt += 1) {
      const { run, out, checkpoint } = place()
      const faulty = faultyStorage(storage, { failAt, errno })
      const outcome = await save(checkpoint, { placement, through: faulty.storage }).then(
        () => 'done' as const,
        (error: unknown) => error,
      )
      const there = fs.existsSync(run) ? fs.readdirSync(run) : []
      if (outcome === 'done') {
        expect(there).toEqual([first])
        expect(filesBelow(join(run, first))).toEqual(saved)
      } else {
        expect(outcome).toBeInstanceOf(CkptError)
        expect(there).toEqual([])
        expect(filesBelow(out)).toEqual(contents)
      }
    }
  })
})

it('tells a full disk by the run and the key, and never by the folder that is built in', async () => {
  const calls = await countCalls('copy')
  for (let failAt = 1; failAt <= calls; failAt += 1) {
    const { run, out, checkpoint } = place()
    const faulty = faultyStorage(storage, { failAt, errno: 'ENOSPC' })
    const error: unknown = await save(checkpoint, { placement: 'copy', through: faulty.storage }).catch(
      (thrown: unknown) => thrown,
    )
    if (!(error instanceof CkptError)) continue
    expect(error.message).toMatch(/ cannot be saved: .*; nothing was saved$/)
    expect(error.message.startsWith(`${run}: the `)).toBe(true)
    expect(error.message).not.toContain('.ckpt/')
    expect(error.hint).toContain(`ckpt prune ${run} --keep 1 --dry-run`)
    const isCopy = faulty.calls.at(failAt - 1)?.startsWith('copyFile') === true
    if (isCopy) expect(error.message).toMatch(`the file of key "`)
    if (isCopy) expect(error.message).toContain(`(${out}`)
  }
})

async function countCalls(placement: (typeof placements)[number]): Promise<number> {
  const faulty = faultyStorage(storage)
  await save(place().checkpoint, { placement, through: faulty.storage })
  expect(faulty.calls.length).toBeGreaterThan(20)
  return faulty.calls.length
}

describe('the name', () => {
  it('gets the next number where others of the same second are there', async () => {
    const { run, checkpoint } = place()
    const names = []
    for (let count = 0; count < 3; count += 1) names.push((await save(checkpoint)).name)
    expect(names).toEqual([first, `CKPT+${stamp}+01`, `CKPT+${stamp}+02`])
    expect(fs.readdirSync(run).sort()).toEqual(names)
  })

  it('is never shared by savers of the same second', async () => {
    const { run, checkpoint } = place()
    const names = await Promise.all(Array.from({ length: 12 }, async () => (await save(checkpoint)).name))
    expect(new Set(names).size).toBe(12)
    expect(fs.readdirSync(run).sort()).toEqual([...names].sort())
    for (const name of names) expect(filesBelow(join(run, name))).toEqual(saved)
  })

  it('is taken from another who was faster between the look and the rename', async () => {
    const { run, checkpoint } = place()
    const racing: Storage = {
      ...storage,
      rename: async (from, to) => {
        if (to.endsWith('+00')) fs.mkdirSync(join(to, 'theirs'), { recursive: true })
        await storage.rename(from, to)
      },
    }
    expect((await save(checkpoint, { through: racing })).name).toBe(`CKPT+${stamp}+01`)
    expect(fs.readdirSync(join(run, first))).toEqual(['theirs'])
  })

  it('that was chosen is never overwritten', async () => {
    const { run, out, checkpoint } = place()
    await save(checkpoint, { name: 'ep1' })
    const before = fs.statSync(join(run, 'CKPT+ep1')).ino
    expect((await failureOf(save(checkpoint, { name: 'ep1', placement: 'move' }))).code).toBe('refused')
    expect(fs.statSync(join(run, 'CKPT+ep1')).ino).toBe(before)
    expect(filesBelow(out)).toEqual(contents)
  })

  it.each(['', 'a/b', '../x', 'a\0b', 'x'.repeat(300)])('cannot be %j', async (name) => {
    const { run, checkpoint } = place()
    expect((await failureOf(save(checkpoint, { name }))).code).toBe('usage')
    expect(fs.existsSync(run)).toBe(false)
  })

  it.each(['', 'a/b', 'a\0b', 'x'.repeat(300)])('of a file cannot be made of the key %j', async (key) => {
    const { run, out, checkpoint } = place()
    const files = new Map<string, FileToSave>([[key, { kind: 'path', path: join(out, 'model') }]])
    expect((await failureOf(save({ ...checkpoint, files }))).code).toBe('usage')
    expect(fs.existsSync(run)).toBe(false)
  })
})

describe('files', () => {
  it('with hard links share the bytes, without do not', async () => {
    const { out, checkpoint } = place()
    const inode = (path: string) => fs.lstatSync(path).ino
    const linked = await save(checkpoint, { placement: 'hard' })
    const copied = await save(checkpoint)
    expect(inode(join(linked.path, 'model.ckpt'))).toBe(inode(join(out, 'model')))
    expect(inode(join(copied.path, 'model.ckpt'))).not.toBe(inode(join(out, 'model')))
  })

  it('that are symbolic links are saved with what they lead to', async () => {
    for (const placement of placements) {
      const { out, checkpoint } = place()
      fs.renameSync(join(out, 'model'), join(out, 'real'))
      fs.symlinkSync('real', join(out, 'model'))
      const { path } = await save(checkpoint, { placement })
      expect(fs.lstatSync(join(path, 'model.ckpt')).isFile()).toBe(true)
      expect(filesBelow(path)).toEqual(saved)
      expect(fs.readFileSync(join(out, 'real'), 'utf8')).toBe(contents.model)
    }
  })

  it('moved from another file system are copied, and lose their names when the checkpoint is there', async () => {
    const { run, out, checkpoint } = place()
    const across: Storage = {
      ...storage,
      hardLink: async (_, path) => {
        throw new StorageError(path, 'EXDEV', 'two file systems')
      },
    }
    expect((await failureOf(save(checkpoint, { placement: 'hard', through: across }))).code).toBe('usage')
    expect(fs.existsSync(run)).toBe(false)
    const { path } = await save(checkpoint, { placement: 'move', through: across })
    expect(filesBelow(path)).toEqual(saved)
    expect(fs.readdirSync(out)).toEqual([])
  })

  it('that cannot lose their old names are reported, and the checkpoint is there', async () => {
    const { out, checkpoint } = place()
    const stuck: Storage = {
      ...storage,
      unlink: async (path) => {
        if (dirname(path) === out) throw new StorageError(path, 'EACCES', `${path}: permission denied`)
        await storage.unlink(path)
      },
    }
    const { path, unmoved } = await save(checkpoint, { placement: 'move', through: stuck })
    expect(filesBelow(path)).toEqual(saved)
    expect(unmoved.map(({ message }) => basename(message.split(':')[0] ?? ''))).toEqual(['model', 'epoch'])
  })

  it('that change meanwhile are refused, and nothing is saved', async () => {
    for (const placement of placements) {
      const { run, out, checkpoint } = place()
      const changing: Storage = {
        ...storage,
        syncFile: async (path) => {
          await storage.syncFile(path)
          if (path.endsWith('model.ckpt')) fs.appendFileSync(join(out, 'model'), 'more')
        },
      }
      expect((await failureOf(save(checkpoint, { placement, through: changing }))).code).toBe('refused')
      expect(fs.existsSync(run)).toBe(false)
      expect(fs.readdirSync(out).sort()).toEqual(['epoch', 'model'])
    }
  })

  it('that are empty, folders or not there are refused before anything is made', async () => {
    const { run, out, checkpoint } = place()
    fs.writeFileSync(join(out, 'empty'), '')
    const codes: string[] = []
    for (const path of [join(out, 'empty'), out, join(out, 'nothing')]) {
      const files = new Map<string, FileToSave>([['x', { kind: 'path', path }]])
      codes.push((await failureOf(save({ ...checkpoint, files }))).code)
    }
    expect(codes).toEqual(['refused', 'usage', 'not-found'])
    expect(fs.existsSync(dirname(run))).toBe(false)
  })

  it('come as bytes too, but not as none', async () => {
    const { run, checkpoint } = place()
    async function* bytes(...parts: string[]) {
      for (const part of parts) yield new TextEncoder().encode(part)
    }
    const withBytes = (...parts: string[]) =>
      save({ ...checkpoint, files: new Map([['x', { kind: 'bytes', bytes: bytes(...parts), title: 'x' }]]) })
    expect((await failureOf(withBytes())).code).toBe('refused')
    expect(fs.existsSync(run)).toBe(false)
    expect(fs.readFileSync(join((await withBytes('a', 'bc')).path, 'x.ckpt'), 'utf8')).toBe('abc')
  })

  it('stop at the signal, and nothing stays', async () => {
    const { run, out, checkpoint } = place()
    const stop = new AbortController()
    const options = { placement: 'move', signal: stop.signal, onProgress: () => stop.abort() } as const
    expect((await failureOf(save(checkpoint, options))).code).toBe('interrupted')
    expect(fs.existsSync(dirname(run))).toBe(false)
    expect(filesBelow(out)).toEqual(contents)
  })
})

it('cleans up what a killed save left an hour ago', async () => {
  const { run, checkpoint } = place()
  const staging = join(dirname(run), '.ckpt/save/staging')
  const faulty = faultyStorage(storage, { failAt: 12, then: 'stops' })
  await expect(save(checkpoint, { through: faulty.storage })).rejects.toThrow(Stopped)
  const [box = ''] = fs.readdirSync(staging)
  const old = Date.now() / 1000 - 7200
  for (const path of [...fs.readdirSync(join(staging, box), { recursive: true }).map(String), '']) {
    fs.utimesSync(join(staging, box, path), old, old)
  }
  await save(checkpoint)
  expect(fs.readdirSync(dirname(run))).toEqual(['save'])
})

describe('a value typed in a shell', () => {
  it.each([
    ['15.5', 15.5],
    ['3', 3n],
    ['true', true],
    ['null', null],
    ['', null],
    ['full', 'full'],
    ['"3"', '3'],
    ["'it''s'", "it's"],
    ['"', '"'],
    ['1e-4', 1e-4],
    ['-1.5E+3', -1500],
    ['nan', NaN],
    ['-inf', -Infinity],
    ['=', '='],
    ['2024-13-45', '2024-13-45'],
    ['a: b', 'a: b'],
  ])('%j is %s', async (text, value) => {
    expect(await parseMetaValue(text)).toEqual(value)
  })
})

describe('the meta', () => {
  it('holds what JavaScript gives as Python reads it', () => {
    const values = toPyValues({
      whole: 3,
      part: 0.5,
      minus: -0,
      large: 2 ** 60,
      date: new Date('2024-01-02T03:04:05.678Z'),
      list: [1, 'a', null],
      map: new Map([['__proto__', 1]]),
      left: undefined,
    })
    expect([...values]).toMatchObject([
      ['whole', 3n],
      ['part', 0.5],
      ['minus', -0],
      ['large', 2 ** 60],
      ['date', { kind: 'datetime', hour: 3, microsecond: 678000, offset: 0 }],
      ['list', { kind: 'list', items: [1n, 'a', null] }],
      ['map', { kind: 'dict', pairs: [['__proto__', 1n]] }],
    ])
    const meta = toPyMeta(values, { unixtime: 1, endOfEpoch: false })
    expect(meta.pairs.map(([key]) => key).slice(0, 2)).toEqual(['unixtime', 'end-of-epoch'])
  })

  it('may say the time itself, but only as a number', () => {
    const facts = { unixtime: 1, endOfEpoch: true }
    expect(toPyMeta(toPyValues({ unixtime: 5.5 }), facts).pairs).toContainEqual(['unixtime', 5.5])
    expect(() => toPyMeta(toPyValues({ unixtime: 'now' }), facts)).toThrow(CkptError)
    expect(() => toPyMeta(toPyValues({ unixtime: NaN }), facts)).toThrow(CkptError)
    expect(() => toPyMeta(toPyValues({ 'end-of-epoch': 1 }), facts)).toThrow(CkptError)
  })

  it('that holds itself is refused', () => {
    const cyclic: unknown[] = []
    cyclic.push(cyclic)
    expect(() => toPyValues({ cyclic: cyclic as never })).toThrow(CkptError)
  })
})
