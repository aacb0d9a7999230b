/** Whoever can write beside a run puts into its state folder what they like: nothing outside of it is touched. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { UntrustedError } from '../../../../src/core/errors.js'
import { Journal } from '../../../../src/core/changes/journal/index.js'
import {
  acquireLock,
  neutralName,
  readDemotions,
  readPins,
  readTrash,
  stateFolderOf,
  withLock,
  writePins,
} from '../../../../src/core/changes/state/index.js'
import type { Run } from '../../../../src/core/checkpoint.js'
import { pin as pinIt, pinsOf, unpin } from '../../../../src/core/runs/index.js'
import { pinnedPaths } from '../../../../src/core/runs/pruning/prune.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { Storage } from '../../../../src/core/storage/storage.js'
import { checkpointAt, makeRun, temporaryDirectory } from '../disposal/runs.js'
import { lockOptions, machine, owner } from './machine.js'

const user = process.geteuid?.() ?? 0
const isRoot = user === 0
const stranger = 65534

interface Scene {
  readonly run: string
  /** `.ckpt/save`, which is not there yet. */
  readonly state: string
  readonly stateHome: string
  readonly storage: Storage
  readonly warnings: string[]
  /** A folder of the user's with a file in it, outside of the run. */
  readonly mine: string
}

function scene(): Scene {
  const run = makeRun(['CKPT+a'])
  const home = temporaryDirectory()
  const stateHome = join(home, '.local', 'state')
  const warnings: string[] = []
  const storage = localStorage({ custody: { user, stateHome, warn: (text) => warnings.push(text) } })
  const mine = temporaryDirectory()
  fs.writeFileSync(join(mine, 'thesis'), 'precious')
  return { run, state: join(dirname(run), '.ckpt', 'save'), stateHome, storage, warnings, mine }
}

function makeFifo(path: string): void {
  execFileSync('mkfifo', [path])
}

const pin = { name: 'CKPT+a', note: '', time: 1, goneTold: false }

describe('the state folder', () => {
  const distrusted: Readonly<Record<string, readonly [says: RegExp, make: (path: string, mine: string) => void]>> = {
    'is a link': [/symbolic link/, (path, mine) => fs.symlinkSync(mine, path)],
    'is a pipe': [/neither folder nor file/, (path) => makeFifo(path)],
    'may be changed by everyone': [
      /can be changed by everyone \(mode 777\)/,
      (path) => {
        fs.mkdirSync(path)
        fs.chmodSync(path, 0o777)
      },
    ],
  }
  for (const [what, [says, make]] of Object.entries(distrusted)) {
    it.each(['.ckpt', '.ckpt/save'])(
      `that ${what} is not used, at %s: one of the user's own is, and that is told`,
      async (at) => {
        const { run, storage, warnings, stateHome, mine } = scene()
        const path = join(dirname(run), at)
        fs.mkdirSync(dirname(path), { recursive: true })
        make(path, mine)
        const state = await stateFolderOf(storage, run)
        expect(dirname(state.path)).toBe(join(stateHome, 'ckpt'))
        await writePins(storage, state, [pin])
        expect([...(await readPins(storage, await stateFolderOf(storage, run))).keys()]).toEqual(['CKPT+a'])
        expect(warnings.join('\n')).toMatch(says)
        expect(warnings).toHaveLength(1)
        expect(fs.readdirSync(mine)).toEqual(['thesis'])
        expect(fs.statSync(stateHome).mode & 0o777).toBe(0o700)
      },
    )
  }

  it('that is trusted no more still keeps what is pinned there, and that is told', async () => {
    const { run, state, storage, warnings } = scene()
    const place = { path: run } as Run
    await writePins(storage, await stateFolderOf(storage, run), [pin])
    fs.chmodSync(dirname(state), 0o777)
    expect([...(await pinsOf(storage, place, {})).keys()]).toEqual(['CKPT+a'])
    expect(warnings.join('\n')).toMatch(/can be changed by everyone[^]*the pins there \(1\) protect too/)
    await writePins(storage, await stateFolderOf(storage, run), [{ ...pin, name: 'CKPT+b' }])
    expect([...(await pinsOf(storage, place, {})).keys()].sort()).toEqual(['CKPT+a', 'CKPT+b'])
    fs.chmodSync(dirname(state), 0o755)
    expect([...(await pinsOf(storage, place, {})).keys()].sort()).toEqual(['CKPT+a', 'CKPT+b'])
  })

  it('that is not trusted may hold entries that are not pins: they are reported, and hide none of the others', async () => {
    const { run, state, storage, warnings } = scene()
    fs.mkdirSync(state, { recursive: true })
    fs.writeFileSync(join(state, 'pins.json'), `{"pins": [{"name": "../x"}, {"name": "CKPT+a"}]}`)
    fs.chmodSync(dirname(state), 0o777)
    expect([...(await pinsOf(storage, { path: run }, {})).keys()]).toEqual(['CKPT+a'])
    expect(warnings.join('\n')).toMatch(/pins\.json/)
  })

  it.each(['0', '1', '-1e12', '1e999', '"never"', 'null', '{}', 'true'])(
    'may hold a pin that ends at %s, before it was made or never: it protects all the same, and that is told',
    async (until) => {
      const { run, state, storage, warnings } = scene()
      fs.mkdirSync(state, { recursive: true })
      fs.writeFileSync(join(state, 'pins.json'), `{"pins": [{"name": "CKPT+a", "time": 5, "until": ${until}}]}`)
      const there = { path: run, checkpoints: [checkpointAt(run, 'CKPT+a')] } as Run
      expect([...(await pinnedPaths(storage, there, { now: 1e9 })).keys()]).toEqual([join(run, 'CKPT+a')])
      expect(warnings.join('\n')).toContain('the pin of CKPT+a ends before it was made, or never')
    },
  )

  it('may hold several pins of one checkpoint: the one that lasts longest counts, in both folders of state', async () => {
    const { run, state, storage, stateHome } = scene()
    const there = { path: run, checkpoints: [checkpointAt(run, 'CKPT+a')] } as Run
    const ended = { ...pin, until: 2 }
    fs.mkdirSync(state, { recursive: true })
    fs.writeFileSync(join(state, 'pins.json'), JSON.stringify({ pins: [pin, ended] }))
    expect((await pinnedPaths(storage, there, { now: 1e9 })).size).toBe(1)
    fs.chmodSync(dirname(state), 0o777)
    await writePins(storage, await stateFolderOf(storage, run), [pin])
    fs.chmodSync(dirname(state), 0o755)
    fs.writeFileSync(join(state, 'pins.json'), JSON.stringify({ pins: [ended] }))
    expect((await pinnedPaths(storage, there, { now: 1e9 })).size).toBe(1)
    fs.rmSync(stateHome, { recursive: true })
    expect((await pinnedPaths(storage, there, { now: 1e9 })).size).toBe(0)
  })

  const hidden: Readonly<Record<string, (state: string, mine: string) => void>> = {
    'a pipe as pins': (state) => makeFifo(join(state, 'pins.json')),
    'a link as pins': (state) => fs.symlinkSync('/dev/zero', join(state, 'pins.json')),
    'half a text as pins': (state) => fs.writeFileSync(join(state, 'pins.json'), '{"pins": [{"name": "CKPT'),
    'another text as pins': (state) => fs.writeFileSync(join(state, 'pins.json'), '{"pins": {}}'),
    'a link in its place': (state, mine) => {
      fs.rmdirSync(state)
      fs.symlinkSync(mine, state)
    },
  }
  it.each(Object.entries(hidden))(
    'that is not trusted may hide pins: nobody knows then what may go (%s), nothing waits, and another folder can be named',
    async (_, make) => {
      const { run, state, storage, mine } = scene()
      fs.mkdirSync(state, { recursive: true })
      make(state, mine)
      fs.chmodSync(dirname(state), 0o777)
      const place = { path: run }
      await expect(pinsOf(storage, place, {})).rejects.toMatchObject({
        code: 'refused',
        hint: expect.stringContaining('--state DIR') as string,
      })
      expect((await pinsOf(storage, place, { stateDirectory: join(mine, 'state') })).size).toBe(0)
      const unpinned = unpin(storage, run, ['CKPT+a'], lockOptions(machine(owner())))
      await expect(unpinned).rejects.toMatchObject({ code: 'refused' })
    },
  )

  it('gives pins back wherever they protect, and tells where it may not take them', async () => {
    const { run, state, storage, stateHome } = scene()
    const options = lockOptions(machine(owner()))
    await pinIt(storage, run, { names: ['CKPT+a'], note: '' }, options)
    fs.chmodSync(dirname(state), 0o777)
    await pinIt(storage, run, { names: ['CKPT+a'], note: '' }, options)
    const refused = unpin(storage, run, ['CKPT+a'], options)
    await expect(refused).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining(state) as string })
    expect((await pinsOf(storage, { path: run }, {})).size).toBe(1)
    fs.chmodSync(dirname(state), 0o755)
    // In the one beside the run, and in the user's own.
    await unpin(storage, run, ['CKPT+a'], options)
    expect((await pinsOf(storage, { path: run }, {})).size).toBe(0)
    expect([fs.existsSync(join(state, 'pins.json')), fs.existsSync(join(stateHome, 'ckpt'))]).toEqual([false, false])
  })

  it.runIf(isRoot)('of a stranger is not used', async () => {
    const { run, state, storage, warnings, stateHome } = scene()
    fs.mkdirSync(state, { recursive: true })
    fs.chownSync(state, stranger, stranger)
    expect((await stateFolderOf(storage, run)).path.startsWith(stateHome)).toBe(true)
    expect(warnings[0]).toContain(`belongs to user ${stranger}`)
  })

  it.runIf(isRoot)(
    'of the owner of the run is used, and so is one that everyone may write to with the sticky bit',
    async () => {
      const { run, state, storage, warnings } = scene()
      fs.mkdirSync(state, { recursive: true })
      fs.chmodSync(dirname(state), 0o1777)
      fs.chownSync(run, stranger, stranger)
      fs.chownSync(state, stranger, stranger)
      expect((await stateFolderOf(storage, run)).path).toBe(state)
      expect(warnings).toEqual([])
    },
  )

  it('that the user names may be a link, and is refused where it may be changed by everyone', async () => {
    const { run, storage, mine } = scene()
    const named = join(temporaryDirectory(), 'state')
    fs.symlinkSync(mine, named)
    await writePins(storage, await stateFolderOf(storage, run, named), [pin])
    expect(fs.readdirSync(mine)).toHaveLength(2)
    fs.chmodSync(mine, 0o777)
    const again = writePins(storage, await stateFolderOf(storage, run, named), [])
    await expect(again).rejects.toThrow(UntrustedError)
  })

  it('is made so that only its owner and group may change it, whatever the umask', async () => {
    const { run, state, storage } = scene()
    const before = process.umask(0)
    try {
      await writePins(storage, await stateFolderOf(storage, run), [pin])
    } finally {
      process.umask(before)
    }
    expect(fs.statSync(dirname(state)).mode & 0o777).toBe(0o775)
    expect(fs.statSync(state).mode & 0o777).toBe(0o775)
    expect(fs.statSync(join(state, 'pins.json')).mode & 0o777).toBe(0o664)
  })
})

describe('what lies in the state folder', () => {
  const records: Readonly<Record<string, (path: string, mine: string) => void>> = {
    'a link': (path, mine) => fs.symlinkSync(join(mine, 'thesis'), path),
    'a link to nothing': (path, mine) => fs.symlinkSync(join(mine, 'new'), path),
    'a named pipe': (path) => makeFifo(path),
    'a folder': (path) => fs.mkdirSync(path),
    'changed by everyone': (path) => {
      fs.writeFileSync(path, '{}')
      fs.chmodSync(path, 0o666)
    },
    ...(isRoot && {
      "a stranger's": (path) => {
        fs.writeFileSync(path, '{}')
        fs.chownSync(path, stranger, stranger)
      },
      'a device': (path) => execFileSync('mknod', [path, 'c', '1', '3']),
    }),
  }
  for (const [what, make] of Object.entries(records)) {
    it(`is refused as a journal when it is ${what}: at once, and nothing is written`, async () => {
      const { run, state, storage, mine } = scene()
      fs.mkdirSync(state, { recursive: true })
      make(join(state, 'journal.jsonl'), mine)
      await expect(Journal.open(storage, await stateFolderOf(storage, run), () => undefined)).rejects.toThrow(
        UntrustedError,
      )
      const append = storage.append(join(state, 'journal.jsonl'), Buffer.from('x\n'))
      await expect(append).rejects.toThrow(UntrustedError)
      await expect(storage.amend(join(state, 'journal.jsonl'))).rejects.toThrow(UntrustedError)
      expect(fs.readdirSync(mine)).toEqual(['thesis'])
      expect(fs.readFileSync(join(mine, 'thesis'), 'utf8')).toBe('precious')
    })

    it(`is refused as pins when it is ${what}`, async () => {
      const { run, state, storage, mine } = scene()
      fs.mkdirSync(state, { recursive: true })
      make(join(state, 'pins.json'), mine)
      await expect(readPins(storage, await stateFolderOf(storage, run))).rejects.toThrow(UntrustedError)
    })
  }

  it('is read as a journal that has a second name, and not added to: the file under that name is another', async () => {
    const { run, state, storage, mine } = scene()
    fs.mkdirSync(state, { recursive: true })
    fs.linkSync(join(mine, 'thesis'), join(state, 'journal.jsonl'))
    const failures: Error[] = []
    const journal = await Journal.open(storage, await stateFolderOf(storage, run), (error) => failures.push(error))
    await journal.add({ what: 'requeue', time: 1, job: { scheduler: 'slurm', id: '1', restarts: 0 } })
    expect(failures.map(({ message }) => message).join()).toMatch(/journal\.jsonl has 2 names \(hard links\)/)
    await expect(storage.amend(join(state, 'journal.jsonl'))).rejects.toThrow(/has 2 names/)
    expect(fs.readFileSync(join(mine, 'thesis'), 'utf8')).toBe('precious')
  })

  it('may be hundreds of records that are none: ten are reported, and how many there are more', async () => {
    const { run, state, storage, warnings } = scene()
    for (const folder of ['demoted', 'trash']) {
      fs.mkdirSync(join(state, folder), { recursive: true })
      for (let index = 0; index < 500; index += 1) {
        const id = neutralName(String(index))
        fs.writeFileSync(join(state, folder, `${id}.json`), '{"name": "../x"}')
        if (folder === 'trash') fs.writeFileSync(join(state, folder, id), '')
      }
    }
    const folder = await stateFolderOf(storage, run)
    expect((await readDemotions(storage, folder)).size).toBe(0)
    expect((await readTrash(storage, folder)).unknown).toHaveLength(500)
    expect(warnings).toHaveLength(22)
    expect(warnings.at(-1)).toBe(`${join(state, 'trash')}: the same of 490 more there`)
  })

  it('is refused as a trash when it is a link', async () => {
    const { run, state, storage, mine } = scene()
    fs.mkdirSync(state, { recursive: true })
    fs.symlinkSync(mine, join(state, 'trash'))
    await expect(readTrash(storage, await stateFolderOf(storage, run))).rejects.toThrow(/symbolic link/)
  })

  it.each(['lock-x', 'lock-00000000-0000-4000-8000-000000000000', 'job-x'])(
    'is not a lock when it is a link called %s: nothing behind it goes',
    async (name) => {
      const { run, state, storage, mine } = scene()
      fs.mkdirSync(state, { recursive: true })
      fs.writeFileSync(join(mine, 'owner.json'), '{}')
      fs.symlinkSync(mine, join(state, name))
      await withLock(storage, await stateFolderOf(storage, run), lockOptions(machine(owner())), () => Promise.resolve())
      expect(fs.readdirSync(mine).sort()).toEqual(['owner.json', 'thesis'])
    },
  )

  const closed: Readonly<Record<string, readonly [says: RegExp, make: (lock: string) => void]>> = {
    'everyone may change it': [/can be changed by everyone/, (lock) => fs.chmodSync(lock, 0o777)],
    ...(isRoot
      ? { "it is a stranger's": [/belongs to user 65534/, (lock: string) => fs.chownSync(lock, stranger, stranger)] }
      : { 'it is closed': [/permission denied/i, (lock: string) => fs.chmodSync(lock, 0)] }),
  }
  it.each(Object.entries(closed))(
    'is a lock of somebody where %s: that is told at once, and it is put aside after two minutes of silence',
    async (_, [says, make]) => {
      const { run, state, storage } = scene()
      const lock = join(state, 'lock')
      fs.mkdirSync(lock, { recursive: true })
      fs.writeFileSync(join(lock, 'owner.json'), JSON.stringify({ owner: owner({ host: 'there' }) }))
      make(lock)
      const options = lockOptions(machine(owner()), { patience: 0 })
      const folder = await stateFolderOf(storage, run)
      await expect(acquireLock(storage, folder, options)).rejects.toMatchObject({
        code: 'refused',
        message: expect.stringMatching(says) as string,
      })
      const then = Date.now() / 1000 - 200
      fs.utimesSync(lock, then, then)
      await (await acquireLock(storage, folder, options)).release()
      expect(fs.existsSync(lock)).toBe(false)
      expect(fs.readdirSync(state)).toHaveLength(1)
      if (!isRoot) fs.chmodSync(join(state, fs.readdirSync(state)[0] ?? ''), 0o700)
    },
  )

  it('is a dead lock of which the name is taken that it would be put aside under: it is put aside all the same', async () => {
    const { run, state, storage } = scene()
    const token = '00000000-0000-4000-8000-000000000000'
    for (const name of ['lock', `lock-${token}-dead`]) {
      fs.mkdirSync(join(state, name), { recursive: true })
      fs.writeFileSync(join(state, name, 'owner.json'), JSON.stringify({ token, owner: owner({ pid: 7 }) }))
    }
    fs.writeFileSync(join(state, `lock-${token}-dead`, 'notes'), '')
    const folder = await stateFolderOf(storage, run)
    await (await acquireLock(storage, folder, lockOptions(machine(owner()), { patience: 0 }))).release()
    expect(fs.existsSync(join(state, 'lock'))).toBe(false)
    expect(
      fs.readdirSync(state, { recursive: true, encoding: 'utf8' }).map((path) => path.split('/').at(-1)),
    ).toContain('notes')
  })

  it('loses only what ckpt itself puts there: a dead lock with a file of somebody else stays', async () => {
    const { run, state, storage } = scene()
    const dead = join(state, 'lock-00000000-0000-4000-8000-000000000000')
    fs.mkdirSync(dead, { recursive: true })
    for (const name of ['owner.json', 'beat-notes', 'thesis']) fs.writeFileSync(join(dead, name), '{}')
    await withLock(storage, await stateFolderOf(storage, run), lockOptions(machine(owner())), () => Promise.resolve())
    const left = fs.readdirSync(state, { recursive: true, encoding: 'utf8' }).map((path) => path.split('/').at(-1))
    expect(left).toEqual(expect.arrayContaining(['beat-notes', 'thesis']))
    expect(left).not.toContain('owner.json')
  })

  it.each(['x/../../../../there', '../there', '', 'AAAAAAAA-0000-4000-8000-000000000000'])(
    'is not a token when it is %j: the dead lock is taken over, and nothing gets that name',
    async (token) => {
      const { run, state, storage } = scene()
      const place = join(dirname(run), 'there')
      const lock = join(state, 'lock')
      fs.mkdirSync(lock, { recursive: true })
      const dead = { ...owner({ pid: 7, host: 'elsewhere' }) }
      fs.writeFileSync(join(lock, 'owner.json'), JSON.stringify({ version: 1, token, time: 0, owner: dead }))
      fs.writeFileSync(join(lock, 'config'), 'run = evil')
      const then = Date.now() / 1000 - 3600
      for (const name of fs.readdirSync(lock)) fs.utimesSync(join(lock, name), then, then)
      fs.utimesSync(lock, then, then)
      const taken = await acquireLock(storage, await stateFolderOf(storage, run), lockOptions(machine(owner())))
      await taken.release()
      expect(fs.existsSync(place)).toBe(false)
      expect(fs.readdirSync(join(dirname(run))).sort()).toEqual(['.ckpt', 'save'])
    },
  )

  it.runIf(isRoot)('is made by the superuser as its owner would have made it', async () => {
    const { run, state } = scene()
    fs.chownSync(run, stranger, stranger)
    const { userStorage } = await import('../../../../src/machine/user-storage.js')
    const storage = userStorage(() => undefined)
    await writePins(storage, await stateFolderOf(storage, run), [pin])
    expect(fs.statSync(dirname(state)).uid).toBe(0)
    expect(fs.statSync(state).uid).toBe(stranger)
    expect(fs.statSync(join(state, 'pins.json')).uid).toBe(stranger)
    expect(process.geteuid?.()).toBe(0)
  })
})
