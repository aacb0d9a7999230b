import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CkptError, StorageError } from '../../../../src/core/errors.js'
import { stage, type StageOptions } from '../../../../src/core/jobs/command/stage.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { userStorage } from '../../../../src/machine/user-storage.js'
import type { Storage } from '../../../../src/core/storage/storage.js'
import { checkpointAt, defaultFiles, filesBelow, makeRun } from '../../changes/disposal/runs.js'
import { faultyStorage, Stopped } from '../../../faulty-storage.js'

const storage = localStorage()
const kinds = ['hard', 'symbolic', 'copy'] as const

async function put(
  run: string,
  name: string,
  into: string,
  { through = storage, ...options }: Partial<Omit<StageOptions, 'through'>> & { through?: Storage } = {},
) {
  return stage(through, checkpointAt(run, name), into, { link: 'hard', wait: () => Promise.resolve(), ...options })
}

/** Every file below with its text, links read through. */
function textsBelow(folder: string): Record<string, string> {
  return Object.fromEntries(
    fs
      .readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(folder.length + 1), fs.readFileSync(path, 'utf8')]),
  )
}

async function failureOf(promise: Promise<unknown>): Promise<CkptError> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (error instanceof CkptError) return error
  throw new Error(`expected a CkptError, got ${String(error)}`)
}

describe.each(kinds)('staging with --link %s', (link) => {
  it('puts the whole checkpoint under its own name into a folder that it makes', async () => {
    const run = makeRun(['CKPT+a', 'CKPT+b'])
    const into = join(run, '../../new-run/deep/save')
    const staged = await put(run, 'CKPT+a', join(dirname(run), 'new/deep/save'), { link })
    expect(staged).toEqual({ path: join(dirname(run), 'new/deep/save/CKPT+a'), beside: [] })
    expect(textsBelow(staged.path)).toEqual(defaultFiles)
    expect(fs.readdirSync(dirname(staged.path))).toEqual(['CKPT+a'])
    expect(fs.readdirSync(join(dirname(run), 'new/deep'))).toEqual(['save'])
    expect(fs.existsSync(into)).toBe(false)
  })

  it('keeps times, of folders too, to the microsecond', async () => {
    const run = makeRun(['CKPT+a'])
    for (const name of ['deep/er/optimizer.ckpt', 'deep/er', 'deep', 'model.ckpt', '.']) {
      fs.utimesSync(join(run, 'CKPT+a', name), 1e9 + name.length, 1e9 + name.length + 0.123456)
    }
    const { path } = await put(run, 'CKPT+a', join(run, '../new'), { link })
    for (const name of ['deep/er/optimizer.ckpt', 'deep/er', 'deep', 'model.ckpt', '.']) {
      expect(fs.statSync(join(path, name)).mtimeMs).toBeCloseTo((1e9 + name.length + 0.123456) * 1000, 2)
    }
  })

  it('keeps a private folder private', async () => {
    const run = makeRun(['CKPT+a'])
    fs.chmodSync(join(run, 'CKPT+a'), 0o700)
    fs.chmodSync(join(run, 'CKPT+a/model.ckpt'), 0o600)
    const { path } = await put(run, 'CKPT+a', join(run, '../new'), { link })
    expect(fs.statSync(path).mode & 0o777).toBe(0o700)
    expect(fs.statSync(join(path, 'model.ckpt')).mode & 0o777).toBe(0o600)
  })

  it('never overwrites, and changes nothing when the name is taken', async () => {
    const run = makeRun(['CKPT+a'])
    const taken: Record<string, (path: string) => void> = {
      folder: (path) => fs.mkdirSync(path),
      file: (path) => fs.writeFileSync(path, 'mine'),
      'dangling link': (path) => fs.symlinkSync('nowhere', path),
    }
    for (const [what, make] of Object.entries(taken)) {
      const into = join(run, '..', what)
      fs.mkdirSync(into)
      make(join(into, 'CKPT+a'))
      const before = fs.lstatSync(join(into, 'CKPT+a'))
      const error = await failureOf(put(run, 'CKPT+a', into, { link }))
      expect(error.code).toBe('refused')
      expect(fs.lstatSync(join(into, 'CKPT+a')).ino).toBe(before.ino)
      expect(fs.readdirSync(into)).toEqual(['CKPT+a'])
    }
  })

  it('says what else is in the folder', async () => {
    const run = makeRun(['CKPT+a', 'CKPT+b'])
    const into = join(run, '../new')
    await put(run, 'CKPT+b', into, { link })
    expect((await put(run, 'CKPT+a', into, { link })).beside).toEqual(['CKPT+b'])
  })

  it('takes a checkpoint that is one file, and does not replace one', async () => {
    const run = makeRun([])
    fs.writeFileSync(join(run, 'epoch=3.ckpt'), 'weights')
    const { path } = await put(run, 'epoch=3.ckpt', join(run, '../new'), { link })
    expect(textsBelow(dirname(path))).toEqual({ 'epoch=3.ckpt': 'weights' })
    expect((await failureOf(put(run, 'epoch=3.ckpt', join(run, '../new'), { link }))).code).toBe('refused')
  })

  it('does not take a name that another has just taken', async () => {
    for (const kind of ['folder', 'file']) {
      const run = makeRun(kind === 'folder' ? ['x'] : [])
      if (kind === 'file') fs.writeFileSync(join(run, 'x'), 'weights')
      const racing: Storage = {
        ...storage,
        syncDirectory: async (path) => {
          await storage.syncDirectory(path)
          const target = join(run, '../new/x')
          if (fs.existsSync(target)) return
          if (kind === 'file') fs.writeFileSync(target, 'theirs')
          else fs.mkdirSync(join(target, 'theirs'), { recursive: true })
        },
      }
      expect((await failureOf(put(run, 'x', join(run, '../new'), { link, through: racing }))).code).toBe('refused')
      expect(fs.readdirSync(join(run, '../new'))).toEqual(['x'])
      if (kind === 'file') expect(fs.readFileSync(join(run, '../new/x'), 'utf8')).toBe('theirs')
      else expect(fs.readdirSync(join(run, '../new/x'))).toEqual(['theirs'])
    }
  })

  it('builds it where no framework looks, makes it durable, then renames', async () => {
    const run = makeRun(['CKPT+a'])
    const into = join(dirname(run), 'new')
    const faulty = faultyStorage(storage)
    await put(run, 'CKPT+a', into, { link, through: faulty.storage })
    const renames = faulty.calls.filter((call) => call.startsWith('rename'))
    expect(renames).toHaveLength(1)
    const at = faulty.calls.indexOf(renames[0] ?? '')
    expect(renames[0]).toMatch(/^rename .*\/\.ckpt\/new\/staging\/[a-z]{16}00\/[a-z]{16}0 -> .*\/new\/CKPT\+a$/)
    expect(faulty.calls.slice(0, at).filter((call) => call.includes(` ${into}/`))).toEqual([])
    const synced = faulty.calls.slice(0, at).filter((call) => call.startsWith('sync'))
    expect(synced.length).toBe(link === 'copy' ? 8 : 5)
    expect(faulty.calls[at + 1]).toBe(`syncDirectory ${into}`)
  })

  it('leaves nothing behind at a stop by the signal', async () => {
    const run = makeRun(['CKPT+a'])
    const stop = new AbortController()
    const options = { link, signal: stop.signal, onProgress: () => stop.abort() }
    expect((await failureOf(put(run, 'CKPT+a', join(run, '../new/save'), options))).code).toBe('interrupted')
    expect(fs.readdirSync(join(run, '..'))).toEqual(['save'])
  })

  it('is whole or not there at a kill at any changing call, and can be done again', async () => {
    const counting = faultyStorage(storage)
    const first = makeRun(['CKPT+a'])
    await put(first, 'CKPT+a', join(first, '../new/save'), { link, through: counting.storage })
    expect(counting.calls.length).toBeGreaterThan(15)
    for (let failAt = 1; failAt <= counting.calls.length; failAt += 1) {
      const run = makeRun(['CKPT+a'])
      const into = join(run, '../new/save')
      const faulty = faultyStorage(storage, { failAt, then: 'stops' })
      await expect(put(run, 'CKPT+a', into, { link, through: faulty.storage })).rejects.toThrow(Stopped)
      const there = fs.existsSync(into) ? fs.readdirSync(into) : []
      if (there.length > 0) {
        expect(there).toEqual(['CKPT+a'])
        expect(textsBelow(join(into, 'CKPT+a'))).toEqual(defaultFiles)
      } else {
        const { path } = await put(run, 'CKPT+a', into, { link })
        expect(textsBelow(path)).toEqual(defaultFiles)
      }
    }
  })

  it('leaves nothing behind when any changing call fails', async () => {
    const counting = faultyStorage(storage)
    const first = makeRun(['CKPT+a'])
    await put(first, 'CKPT+a', join(first, '../new/save'), { link, through: counting.storage })
    for (const errno of ['ENOSPC', 'EIO', 'EACCES']) {
      for (let failAt = 1; failAt <= counting.calls.length; failAt += 1) {
        const run = makeRun(['CKPT+a'])
        const into = join(run, '../new/save')
        const faulty = faultyStorage(storage, { failAt, errno })
        const outcome = await put(run, 'CKPT+a', into, { link, through: faulty.storage }).then(
          () => 'done' as const,
          (error: unknown) => error,
        )
        if (outcome === 'done') expect(textsBelow(join(into, 'CKPT+a'))).toEqual(defaultFiles)
        else {
          expect(outcome).toBeInstanceOf(CkptError)
          expect(fs.existsSync(join(into, 'CKPT+a'))).toBe(false)
        }
        expect(filesBelow(join(run, 'CKPT+a'))).toEqual(defaultFiles)
      }
    }
  })
})

describe('the three ways', () => {
  it('hard shares the bytes, symbolic points to them, copy has its own', async () => {
    const run = makeRun(['CKPT+a'])
    const original = join(run, 'CKPT+a/model.ckpt')
    const file = async (link: StageOptions['link']) =>
      join((await put(run, 'CKPT+a', join(run, '..', link), { link })).path, 'model.ckpt')
    expect(fs.lstatSync(await file('hard')).ino).toBe(fs.statSync(original).ino)
    expect(fs.readlinkSync(await file('symbolic'))).toBe(original)
    const copy = await file('copy')
    expect(fs.lstatSync(copy).isFile()).toBe(true)
    expect(fs.lstatSync(copy).ino).not.toBe(fs.statSync(original).ino)
  })

  it('symbolic makes real folders, so that removing the new one cannot reach the old', async () => {
    const run = makeRun(['CKPT+a'])
    const { path } = await put(run, 'CKPT+a', join(run, '../new'), { link: 'symbolic' })
    expect(fs.lstatSync(path).isDirectory()).toBe(true)
    fs.rmSync(path, { recursive: true })
    expect(filesBelow(join(run, 'CKPT+a'))).toEqual(defaultFiles)
  })

  it('hard across file systems is a mistake of usage with the way out', async () => {
    const run = makeRun(['CKPT+a'])
    const across: Storage = {
      ...storage,
      hardLink: async (_, path) => {
        throw new StorageError(path, 'EXDEV', 'two file systems')
      },
    }
    const error = await failureOf(put(run, 'CKPT+a', join(run, '../new'), { through: across }))
    expect(error.code).toBe('usage')
    expect(error.hint).toMatch('--link copy')
    expect(fs.readdirSync(join(run, '..'))).toEqual(['save'])
  })

  it('hard where the system makes none says so with the way out', async () => {
    const run = makeRun(['CKPT+a'])
    const faulty: Storage = {
      ...storage,
      hardLink: async (_, path) => {
        throw new StorageError(path, 'EPERM', 'no')
      },
    }
    const error = await failureOf(put(run, 'CKPT+a', join(run, '../new'), { through: faulty }))
    expect(error.code).toBe('system')
    expect(error.hint).toMatch('--link copy')
  })

  it('builds beside, hidden, where the state folder cannot be made', async () => {
    const run = makeRun(['CKPT+a'])
    fs.mkdirSync(join(run, '../jobs'))
    fs.writeFileSync(join(run, '../jobs/.ckpt'), 'in the way')
    const { path, beside } = await put(run, 'CKPT+a', join(run, '../jobs/new'))
    expect(textsBelow(path)).toEqual(defaultFiles)
    expect(beside).toEqual([])
    expect(fs.readdirSync(dirname(path))).toEqual(['CKPT+a'])
  })
})

describe('links in a checkpoint', () => {
  it('that lead within it stay so; those that lead out become what was asked for', async () => {
    const run = makeRun(['CKPT+a'])
    fs.writeFileSync(join(run, 'blob'), 'shared')
    fs.symlinkSync('../../blob', join(run, 'CKPT+a/deep/out.ckpt'))
    fs.symlinkSync('../model.ckpt', join(run, 'CKPT+a/deep/in.ckpt'))
    for (const link of kinds) {
      const { path } = await put(run, 'CKPT+a', join(run, '..', link), { link })
      expect(fs.readlinkSync(join(path, 'deep/in.ckpt'))).toBe('../model.ckpt')
      expect(fs.readFileSync(join(path, 'deep/out.ckpt'), 'utf8')).toBe('shared')
      expect(fs.lstatSync(join(path, 'deep/out.ckpt')).isSymbolicLink()).toBe(link === 'symbolic')
    }
  })

  it('that lead nowhere are damage', async () => {
    const run = makeRun(['CKPT+a'])
    fs.symlinkSync('gone', join(run, 'CKPT+a/model2.ckpt'))
    const error = await failureOf(put(run, 'CKPT+a', join(run, '../new')))
    expect(error.code).toBe('damaged')
    expect(error.message).toMatch('model2.ckpt')
  })

  it('a checkpoint that is a link itself is taken with what it leads to', async () => {
    const run = makeRun(['CKPT+a'])
    fs.renameSync(join(run, 'CKPT+a'), join(run, '../big'))
    fs.symlinkSync('../big', join(run, 'CKPT+a'))
    const { path } = await put(run, 'CKPT+a', join(run, '../new'))
    expect(fs.lstatSync(path).isDirectory()).toBe(true)
    expect(filesBelow(path)).toEqual(defaultFiles)
  })
})

describe('what killed builds left', () => {
  it('goes with the next one when nobody has written to it for an hour', async () => {
    const run = makeRun(['CKPT+a'])
    const staging = join(run, '../.ckpt/new/staging')
    for (const [name, age] of [
      ['bcdfghjlmnpqrstv00', 7200],
      ['vbcdfghjlmnpqrst00', 60],
    ] as const) {
      fs.mkdirSync(join(staging, name, 'half'), { recursive: true })
      const then = Date.now() / 1000 - age
      fs.utimesSync(join(staging, name, 'half'), then, then)
      fs.utimesSync(join(staging, name), then, then)
    }
    await put(run, 'CKPT+a', join(run, '../new'))
    expect(fs.readdirSync(staging)).toEqual(['vbcdfghjlmnpqrst00'])
  })
})

it('refuses to stage into the checkpoint itself', async () => {
  const run = makeRun(['CKPT+a'])
  expect((await failureOf(put(run, 'CKPT+a', join(run, 'CKPT+a/save')))).code).toBe('usage')
  expect(filesBelow(join(run, 'CKPT+a'))).toEqual(defaultFiles)
})

describe.runIf(process.geteuid?.() === 0)('staging what somebody else has saved, as the superuser', () => {
  const nobody = 65_534

  /** A run of nobody's, and a folder of the superuser's with a file in it that everybody may list and nobody read. */
  function strangers() {
    const run = makeRun(['CKPT+a'])
    const mine = join(dirname(run), 'mine')
    fs.mkdirSync(mine)
    fs.writeFileSync(join(mine, 'secret'), 'secret', { mode: 0o600 })
    for (const path of [run, join(run, 'CKPT+a')]) fs.chownSync(path, nobody, nobody)
    const link = (target: string, name: string) => {
      fs.symlinkSync(target, join(run, name))
      fs.lchownSync(join(run, name), nobody, nobody)
    }
    return { run, mine, link, into: join(dirname(run), 'into') }
  }

  it.each(['hard', 'copy'] as const)('takes by no link what that one could not read (--link %s)', async (link) => {
    const storage = userStorage(() => undefined)
    const one = strangers()
    one.link(join(one.mine, 'secret'), 'CKPT+a/vocab.txt')
    one.link(one.mine, 'CKPT+b')
    for (const name of ['CKPT+a', 'CKPT+b']) {
      const failure = await failureOf(put(one.run, name, one.into, { link, through: storage }))
      expect(failure).toMatchObject({ errno: 'EACCES' })
    }
    expect(fs.existsSync(one.into)).toBe(false)
    expect(fs.statSync(join(one.mine, 'secret')).nlink).toBe(1)
  })
})
