import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Checkpoint } from '../../../../src/core/checkpoint.js'
import { StorageError } from '../../../../src/core/errors.js'
import { fingerprint } from '../../../../src/core/changes/disposal/fingerprint.js'
import { bytesFreedBy } from '../../../../src/core/changes/disposal/freed-bytes.js'
import { readTrash, stateFolderOf } from '../../../../src/core/changes/state/index.js'
import { moveToTrash, restore } from '../../../../src/core/changes/trash/index.js'
import { isNeutralName, neutralName } from '../../../../src/core/changes/state/neutral-name.js'
import { removeCheckpoints, type RemoveOptions } from '../../../../src/core/changes/disposal/remove-checkpoints.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { Storage } from '../../../../src/core/storage/storage.js'
import { faultyStorage, movingBy, removingBy, Stopped } from '../../../faulty-storage.js'
import { checkpointAt, defaultFiles, filesBelow, makeCheckpoint, makeRun, temporaryDirectory } from './runs.js'

const storage = localStorage()
const noWait = () => Promise.resolve()
const isRoot = process.getuid?.() === 0

async function remove(
  run: string,
  checkpoints: readonly Checkpoint[],
  options: Partial<RemoveOptions> & { through?: Storage } = {},
) {
  const planned = options.planned ?? (await fingerprint(storage, checkpoints))
  return removeCheckpoints(options.through ?? storage, run, checkpoints, { wait: noWait, ...options, planned })
}

function named(run: string, ...names: string[]): Checkpoint[] {
  return names.map((name) => checkpointAt(run, name))
}

/** Bytes of the files below, holes left out. */
function dataBelow(path: string): number {
  const stats = fs.lstatSync(path)
  if (!stats.isDirectory()) return Math.min(stats.size, stats.blocks * 512)
  return fs.readdirSync(path).reduce((sum, name) => sum + dataBelow(join(path, name)), 0)
}

describe('removing checkpoints', () => {
  it('removes exactly those named and leaves everything else as it was', async () => {
    const run = makeRun(['CKPT+a', 'CKPT+b', 'CKPT+c'])
    fs.writeFileSync(join(run, 'label_encoder.txt'), 'x')
    const result = await remove(run, named(run, 'CKPT+a', 'CKPT+c'))
    expect(result.removed.map(({ name }) => name)).toEqual(['CKPT+a', 'CKPT+c'])
    expect(result).toMatchObject({ failed: [], leftovers: [], remaining: [], finished: { count: 0, freedBytes: 0 } })
    expect(fs.readdirSync(run).sort()).toEqual(['CKPT+b', 'label_encoder.txt'])
    expect(filesBelow(join(run, 'CKPT+b'))).toEqual(defaultFiles)
  })

  it('opens the way to the run and to where checkpoints wait once for all of them', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `CKPT+${index}`)
    const run = makeRun(names)
    const ways: string[] = []
    const passage: Storage['passage'] = (from, to) => {
      ways.push(from)
      return storage.passage(from, to)
    }
    const result = await remove(run, named(run, ...names), { through: { ...storage, passage } })
    expect(result.removed).toHaveLength(20)
    expect(ways).toEqual([run])
  })

  describe.each([
    ['in one folder', ['epoch_0.pt', 'epoch_0.yaml', 'epoch_0.opt']],
    ['in several folders', ['rank_0/epoch_0.pt', 'rank_1/deep/epoch_0.pt', 'rank_1/epoch_0.pt', 'epoch_0-marker']],
  ])('a group of files %s', (_, members) => {
    const [first = '', second = ''] = members
    const leftIn = (run: string) => Object.keys(filesBelow(run)).sort()

    function makeGroup(): { run: string; group: Checkpoint } {
      const run = makeRun([])
      for (const name of members) {
        fs.mkdirSync(dirname(join(run, name)), { recursive: true })
        fs.writeFileSync(join(run, name), name)
      }
      const paths = members.map((name) => ({ path: join(run, name), kind: 'file' as const }))
      return { run, group: checkpointAt(run, 'epoch_0.pt', { kind: 'group', members: paths }) }
    }

    it('goes as a whole, and nothing is left of it', async () => {
      const { run, group } = makeGroup()
      const result = await remove(run, [group])
      expect(result).toMatchObject({ failed: [], leftovers: [], removed: [{ name: 'epoch_0.pt' }] })
      expect(fs.readdirSync(join(run, '..'))).toEqual(['save'])
      expect(leftIn(run)).toEqual([])
    })

    it('stays as a whole where one file of it has changed', async () => {
      const { run, group } = makeGroup()
      const planned = await fingerprint(storage, [group])
      fs.appendFileSync(join(run, second), 'x')
      const result = await remove(run, [group], { planned })
      expect(result.failed.map(({ error }) => error.code)).toEqual(['refused'])
      expect(leftIn(run)).toEqual([...members].sort())
    })

    it('is whole or gone after the next removal, wherever the first was stopped or failed', async () => {
      for (const then of ['stops', 'goes on'] as const) {
        for (let failAt = 1; ; failAt += 1) {
          const { run, group } = makeGroup()
          const { storage: faulty, calls } = faultyStorage(storage, { failAt, then, errno: 'EIO' })
          const planned = await fingerprint(storage, [group])
          await remove(run, [group], { through: faulty, planned }).catch((error: unknown) => {
            expect(error).toBeInstanceOf(Stopped)
          })
          await remove(run, [])
          const left = leftIn(run)
          expect([0, members.length], `${then} at ${failAt}: ${left.join(' ')}`).toContain(left.length)
          for (const name of left) expect(fs.readFileSync(join(run, name), 'utf8')).toBe(name)
          expect(fs.readdirSync(join(run, '..'))).toEqual(['save'])
          if (calls.length < failAt) break
        }
      }
    })

    it('goes to the trash and comes back as a whole, or not at all where a name is in use', async () => {
      const { run, group } = makeGroup()
      const planned = await fingerprint(storage, [group])
      await moveToTrash(storage, run, [group], { planned, wait: noWait, now: 1, reasons: new Map() })
      expect(leftIn(run)).toEqual([])
      const state = await stateFolderOf(storage, run)
      const [entry] = (await readTrash(storage, state)).entries
      if (entry === undefined) throw new Error('nothing lies in the trash')
      fs.writeFileSync(join(run, first), 'anew')
      await expect(restore(storage, run, state, entry)).rejects.toThrow('there already')
      expect(leftIn(run)).toEqual([first])
      fs.unlinkSync(join(run, first))
      expect(await restore(storage, run, state, entry)).toBe(join(run, 'epoch_0.pt'))
      for (const name of members) expect(fs.readFileSync(join(run, name), 'utf8')).toBe(name)
      expect((await readTrash(storage, state)).entries).toEqual([])
    })
  })

  it('takes nothing of a group of which one folder has become a link', async () => {
    const [run, elsewhere] = [makeRun(['rank_0', 'rank_1'], { 'x.pt': 'x' }), join(temporaryDirectory(), 'moved')]
    const members = ['rank_0/x.pt', 'rank_1/x.pt'].map((name) => ({ path: join(run, name), kind: 'file' as const }))
    const group = checkpointAt(run, 'x.pt', { kind: 'group', members })
    const planned = await fingerprint(storage, [group])
    fs.renameSync(join(run, 'rank_1'), elsewhere)
    fs.symlinkSync(elsewhere, join(run, 'rank_1'))
    expect(await remove(run, [group], { planned })).toMatchObject({ failed: [{ error: { code: 'refused' } }] })
    expect([filesBelow(elsewhere), filesBelow(join(run, 'rank_0'))]).toEqual([{ 'x.pt': 'x' }, { 'x.pt': 'x' }])
  })

  it('leaves no state folder behind', async () => {
    const run = makeRun(['CKPT+a'])
    await remove(run, named(run, 'CKPT+a'))
    expect(fs.readdirSync(join(run, '..'))).toEqual(['save'])
  })

  it('keeps a state folder that holds something else', async () => {
    const run = makeRun(['CKPT+a'])
    fs.mkdirSync(join(run, '../.ckpt/save'), { recursive: true })
    fs.writeFileSync(join(run, '../.ckpt/save/pins.json'), '{}')
    await remove(run, named(run, 'CKPT+a'))
    expect(filesBelow(join(run, '../.ckpt'))).toEqual({ 'save/pins.json': '{}' })
  })

  it('renames into the state folder and makes that durable before any byte goes', async () => {
    const run = makeRun(['CKPT+a', 'CKPT+b'])
    const faulty = faultyStorage(storage)
    await remove(run, named(run, 'CKPT+a', 'CKPT+b'), { through: faulty.storage })
    const verbs = faulty.calls.map((call) => call.split(' ')[0] ?? '')
    const lastSync = verbs.lastIndexOf('syncDirectory')
    expect(verbs.slice(0, lastSync + 1)).toEqual([
      ...Array<string>(4).fill('makeDirectory'),
      ...Array<string>(2).fill('rename'),
      ...Array<string>(2).fill('syncDirectory'),
    ])
    expect(verbs.indexOf('unlink')).toBeGreaterThan(lastSync)
    const deleting = join(run, '../.ckpt/save/deleting/')
    for (const call of faulty.calls.filter((text) => text.startsWith('rename'))) {
      const to = call.split(' -> ')[1] ?? ''
      expect(to.startsWith(deleting)).toBe(true)
      // A folder that nobody else can enter, and the name that it waits under there.
      expect(to.slice(deleting.length).split('/').map(isNeutralName)).toEqual([true, true])
    }
  })

  it('uses the state folder that is named instead', async () => {
    const run = makeRun(['CKPT+a'])
    const stateDirectory = join(run, '../elsewhere')
    const faulty = faultyStorage(storage)
    await remove(run, named(run, 'CKPT+a'), { through: faulty.storage, stateDirectory })
    const made = faulty.calls.filter((call) => call.startsWith('makeDirectory')).map((call) => call.slice(14))
    // One folder a run: many runs are called `save`.
    expect(made[0]).toBe(stateDirectory)
    expect(made[1]?.slice(stateDirectory.length)).toMatch(/^\/save-[0-9a-f]{12}$/)
    expect(made[2]).toBe(`${made[1]}/deleting`)
    expect(fs.readdirSync(join(run, '..'))).toEqual(['save'])
  })

  it('hides it beside where the state folder cannot be made', async () => {
    const run = makeRun(['CKPT+a', 'CKPT+b'])
    fs.writeFileSync(join(run, '../.ckpt'), 'a file is in the way')
    const faulty = faultyStorage(storage)
    const result = await remove(run, named(run, 'CKPT+a'), { through: faulty.storage })
    expect(result.removed).toHaveLength(1)
    expect(fs.readdirSync(run)).toEqual(['CKPT+b'])
    const to = faulty.calls.find((call) => call.startsWith('rename'))?.split(' -> ')[1] ?? ''
    expect(to.slice(run.length + 1)).toMatch(/^\.[a-z]{16}0\/[a-z]{16}0$/)
  })

  it('hides it beside where the state folder is a link to somewhere else', async () => {
    const run = makeRun(['CKPT+a'])
    const outside = join(run, '../outside')
    fs.mkdirSync(outside)
    fs.symlinkSync(outside, join(run, '../.ckpt'))
    const result = await remove(run, named(run, 'CKPT+a'))
    expect(result.removed).toHaveLength(1)
    expect(fs.readdirSync(outside)).toEqual([])
  })

  it('hides it beside where the state folder is on another file system or the disk is full', async () => {
    for (const errno of ['EXDEV', 'ENOSPC', 'EDQUOT']) {
      const run = makeRun(['CKPT+a', 'CKPT+b'])
      const faulty = faultyStorage(storage, { failAt: 5, errno })
      const result = await remove(run, named(run, 'CKPT+a', 'CKPT+b'), { through: faulty.storage })
      expect(faulty.calls[4]).toMatch(/^rename .*deleting/)
      expect(result.removed).toHaveLength(2)
      expect(result.failed).toEqual([])
      expect(fs.readdirSync(run)).toEqual([])
    }
  })

  it('makes the state folder again when another ckpt has taken the empty one away', async () => {
    const run = makeRun(['CKPT+a'])
    const taking = movingBy(storage, async (from, to, expected) => {
      if (fs.readdirSync(join(to, '..')).length === 0 && !taken) {
        taken = true
        fs.rmSync(join(run, '../.ckpt'), { recursive: true })
      }
      return storage.move(from, to, expected)
    })
    let taken = false
    const result = await remove(run, named(run, 'CKPT+a'), { through: taking })
    expect(result.failed).toEqual([])
    expect(fs.readdirSync(join(run, '..'))).toEqual(['save'])
  })
})

describe('what is no longer as planned', () => {
  const changes: Record<string, { change: (path: string) => void; says: RegExp }> = {
    'a file that grew': {
      change: (path) => fs.appendFileSync(join(path, 'model.ckpt'), 'more'),
      says: /model\.ckpt had 5000 bytes and has 5004/,
    },
    'meta written again': {
      change: (path) => fs.utimesSync(join(path, 'CKPT.yaml'), 9e8, 9e8),
      says: /CKPT\.yaml was written to/,
    },
    'a new file': { change: (path) => fs.writeFileSync(join(path, 'extra'), ''), says: /extra is new/ },
    'a file in a deep folder gone': {
      change: (path) => fs.rmSync(join(path, 'deep/er/optimizer.ckpt')),
      says: /deep\/er\/optimizer\.ckpt is gone/,
    },
    'a file replaced': {
      change: (path) => {
        fs.writeFileSync(join(path, 'new'), 'loss: 2\n')
        fs.renameSync(join(path, 'new'), join(path, 'CKPT.yaml'))
      },
      says: /CKPT\.yaml was replaced/,
    },
    'a file in its place': {
      change: (path) => {
        fs.rmSync(path, { recursive: true })
        fs.writeFileSync(path, '')
      },
      says: /was a directory and is a file/,
    },
  }
  for (const [what, { change, says }] of Object.entries(changes)) {
    it(`stays and is reported: ${what}`, async () => {
      const run = makeRun(['CKPT+a', 'CKPT+b'])
      const checkpoints = named(run, 'CKPT+a', 'CKPT+b')
      const planned = await fingerprint(storage, checkpoints)
      change(join(run, 'CKPT+a'))
      const result = await remove(run, checkpoints, { planned })
      expect(result.removed.map(({ name }) => name)).toEqual(['CKPT+b'])
      expect(result.failed.map(({ name }) => name)).toEqual(['CKPT+a'])
      expect(result.failed[0]?.error.message).toMatch(says)
      expect(result.failed[0]?.error.code).toBe('refused')
      expect(fs.existsSync(join(run, 'CKPT+a'))).toBe(true)
    })
  }

  it('stays when it was rebuilt from the same bytes under the same name', async () => {
    const run = makeRun(['CKPT+a'])
    const planned = await fingerprint(storage, named(run, 'CKPT+a'))
    fs.renameSync(join(run, 'CKPT+a'), join(run, 'kept'))
    makeCheckpoint(run, 'CKPT+a')
    const result = await remove(run, named(run, 'CKPT+a'), { planned })
    expect(result.removed).toEqual([])
    expect(filesBelow(join(run, 'CKPT+a'))).toEqual(defaultFiles)
  })

  it('is put back when it was replaced between the look and the rename', async () => {
    const run = makeRun(['CKPT+a'])
    const racing = movingBy(storage, async (from, to, expected) => {
      if (to.includes('deleting')) {
        fs.renameSync(from, join(run, 'older'))
        makeCheckpoint(run, 'CKPT+a', { 'CKPT.yaml': 'newer' })
      }
      return storage.move(from, to, expected)
    })
    const result = await remove(run, named(run, 'CKPT+a'), { through: racing })
    expect(result.removed).toEqual([])
    expect(result.failed[0]?.error.message).toMatch(/replaced/)
    expect(filesBelow(join(run, 'CKPT+a'))).toEqual({ 'CKPT.yaml': 'newer' })
  })

  it('that has gone meanwhile counts as removed, and so does what somebody else is just removing', async () => {
    const run = makeRun(['CKPT+a', 'CKPT+b'])
    const checkpoints = named(run, 'CKPT+a', 'CKPT+b')
    const planned = await fingerprint(storage, checkpoints)
    fs.rmSync(join(run, 'CKPT+a'), { recursive: true })
    const result = await remove(run, checkpoints, { planned })
    expect(result.failed).toEqual([])
    expect(result.removed.map(({ name }) => name).sort()).toEqual(['CKPT+a', 'CKPT+b'])
    expect(fs.readdirSync(run)).toEqual([])
    const other = makeRun(['CKPT+a'])
    const again = named(other, 'CKPT+a')
    const print = await fingerprint(storage, again)
    const [first = ''] = fs.readdirSync(join(other, 'CKPT+a'))
    fs.rmSync(join(other, 'CKPT+a', first), { recursive: true })
    const rest = async () => fs.rmSync(join(other, 'CKPT+a'), { recursive: true, force: true })
    const half = await remove(other, again, { planned: print, wait: rest })
    expect([half.failed, half.removed.length]).toEqual([[], 1])
  })

  it('is refused when it was never planned', async () => {
    const run = makeRun(['CKPT+a'])
    const result = await remove(run, named(run, 'CKPT+a'), { planned: new Map() })
    expect(result.failed[0]?.error.code).toBe('refused')
    expect(filesBelow(join(run, 'CKPT+a'))).toEqual(defaultFiles)
  })

  it('is refused when it does not lie in the run', async () => {
    const run = makeRun(['CKPT+a'])
    const other = makeRun(['CKPT+x'])
    fs.symlinkSync(other, join(run, 'link'))
    const paths = [run, join(run, '..'), join(other, 'CKPT+x'), join(run, 'link/CKPT+x')]
    const checkpoints = paths.map((path, index) => checkpointAt(run, `n${index}`, { path }))
    const result = await remove(run, checkpoints)
    expect(result.failed.map(({ error }) => error.code)).toEqual(Array(4).fill('refused'))
    expect(filesBelow(join(other, 'CKPT+x'))).toEqual(defaultFiles)
    expect(filesBelow(join(run, 'CKPT+a'))).toEqual(defaultFiles)
  })
})

describe('links', () => {
  it('inside a checkpoint are never followed', async () => {
    const run = makeRun(['CKPT+a', 'CKPT+b'])
    const precious = temporaryDirectory()
    fs.writeFileSync(join(precious, 'month-of-training.pt'), 'precious')
    fs.symlinkSync(precious, join(run, 'CKPT+a', 'shared'))
    fs.symlinkSync(join(precious, 'month-of-training.pt'), join(run, 'CKPT+a', 'model2.ckpt'))
    fs.symlinkSync('../CKPT+b', join(run, 'CKPT+a', 'base'))
    const result = await remove(run, named(run, 'CKPT+a'))
    expect(result.failed).toEqual([])
    expect(fs.readdirSync(run)).toEqual(['CKPT+b'])
    expect(filesBelow(precious)).toEqual({ 'month-of-training.pt': 'precious' })
    expect(filesBelow(join(run, 'CKPT+b'))).toEqual(defaultFiles)
  })

  it('that are checkpoints go alone', async () => {
    const run = makeRun(['CKPT+b'])
    fs.symlinkSync('CKPT+b', join(run, 'CKPT+last'))
    const result = await remove(run, named(run, 'CKPT+last'))
    expect(result.removed).toHaveLength(1)
    expect(result.freedBytes).toBe(0)
    expect(fs.readdirSync(run)).toEqual(['CKPT+b'])
    expect(filesBelow(join(run, 'CKPT+b'))).toEqual(defaultFiles)
  })

  it('of a run that is named through a link: the state lies beside where the bytes are', async () => {
    const run = makeRun(['CKPT+a'])
    const home = temporaryDirectory()
    fs.symlinkSync(run, join(home, 'run'))
    const faulty = faultyStorage(storage)
    const result = await remove(join(home, 'run'), named(join(home, 'run'), 'CKPT+a'), { through: faulty.storage })
    expect(result.failed).toEqual([])
    expect(faulty.calls[0]).toBe(`makeDirectory ${join(run, '../.ckpt')}`)
  })
})

describe('checkpoints that are files', () => {
  it('go as directories do', async () => {
    const run = makeRun([])
    fs.writeFileSync(join(run, 'epoch=3.ckpt'), 'x'.repeat(9000))
    fs.writeFileSync(join(run, 'epoch=4.ckpt'), 'y')
    const result = await remove(run, [checkpointAt(run, 'epoch=3.ckpt', { kind: 'file' })])
    expect(result.removed).toHaveLength(1)
    expect(fs.readdirSync(run)).toEqual(['epoch=4.ckpt'])
  })

  it('go from the folders that a name with / makes', async () => {
    const run = makeRun([])
    fs.mkdirSync(join(run, 'val'))
    fs.writeFileSync(join(run, 'val/loss=0.1.ckpt'), 'x')
    const result = await remove(run, [checkpointAt(run, 'val/loss=0.1.ckpt', { kind: 'file' })])
    expect(result.failed).toEqual([])
    expect(fs.readdirSync(join(run, 'val'))).toEqual([])
  })
})

describe('freed bytes', () => {
  it('are the sizes of the files that go, and the estimate says the same', async () => {
    const run = makeRun(['CKPT+a', 'CKPT+b'])
    const checkpoints = named(run, 'CKPT+a', 'CKPT+b')
    const expected = dataBelow(join(run, 'CKPT+a')) + dataBelow(join(run, 'CKPT+b'))
    expect(expected).toBeGreaterThan(0)
    expect(await bytesFreedBy(storage, checkpoints)).toBe(expected)
    expect((await remove(run, checkpoints)).freedBytes).toBe(expected)
  })

  it('do not count the holes of a sparse file', async () => {
    const run = makeRun(['CKPT+a'])
    fs.truncateSync(join(run, 'CKPT+a/model.ckpt'), 1 << 30)
    const estimate = await bytesFreedBy(storage, named(run, 'CKPT+a'))
    expect(estimate).toBeLessThan(1 << 20)
    expect((await remove(run, named(run, 'CKPT+a'))).freedBytes).toBe(estimate)
  })

  it('count a file with several names once, and only when its last name goes', async () => {
    const run = makeRun([])
    const size = 1 << 20
    fs.writeFileSync(join(run, 'last.pth'), 'x'.repeat(size))
    fs.linkSync(join(run, 'last.pth'), join(run, 'best.pth'))
    fs.linkSync(join(run, 'last.pth'), join(run, 'checkpoint-9.pth'))
    const file = (name: string) => checkpointAt(run, name, { kind: 'file' })
    const two = [file('last.pth'), file('best.pth')]
    expect(await bytesFreedBy(storage, two)).toBe(0)
    expect(await bytesFreedBy(storage, [...two, file('checkpoint-9.pth')])).toBeGreaterThanOrEqual(size)
    expect((await remove(run, two)).freedBytes).toBe(0)
    expect((await remove(run, [file('checkpoint-9.pth')])).freedBytes).toBeGreaterThanOrEqual(size)
  })

  it('count two names within one checkpoint once', async () => {
    const run = makeRun(['CKPT+a'])
    fs.linkSync(join(run, 'CKPT+a/model.ckpt'), join(run, 'CKPT+a/ema.ckpt'))
    const estimate = await bytesFreedBy(storage, named(run, 'CKPT+a'))
    expect(estimate).toBe(dataBelow(join(run, 'CKPT+a')) - dataBelow(join(run, 'CKPT+a/ema.ckpt')))
    expect((await remove(run, named(run, 'CKPT+a'))).freedBytes).toBe(estimate)
  })
})

describe('what is in use or refused by the system', () => {
  it('is tried again after a wait', async () => {
    for (const errno of ['EBUSY', 'ENOTEMPTY']) {
      const run = makeRun(['CKPT+a'])
      const waits: number[] = []
      let refusals = 3
      const busy = removingBy(storage, {
        removeDirectory: async (path) => {
          if (path.endsWith('er') && refusals > 0) {
            refusals -= 1
            throw new StorageError(path, errno, `${path}: ${errno}`)
          }
          await storage.removeDirectory(path)
        },
      })
      const wait = async (milliseconds: number) => void waits.push(milliseconds)
      const result = await remove(run, named(run, 'CKPT+a'), { through: busy, wait })
      expect(waits).toEqual([20, 80, 250])
      expect(result.leftovers).toEqual([])
    }
  })

  it('is looked through again for files that NFS keeps for who has them open', async () => {
    const run = makeRun(['CKPT+a'])
    const nfs = removingBy(storage, {
      unlink: async (path) => {
        if (path.endsWith('model.ckpt')) fs.renameSync(path, join(path, '../.nfs0001'))
        else await storage.unlink(path)
      },
    })
    const result = await remove(run, named(run, 'CKPT+a'), { through: nfs })
    expect(result).toMatchObject({ failed: [], leftovers: [] })
    expect(fs.readdirSync(join(run, '..'))).toEqual(['save'])
  })

  it('is reported with its path, does not keep the rest from going, and is finished by the next removal', async () => {
    const run = makeRun(['CKPT+a', 'CKPT+b', 'CKPT+c'])
    const busy = removingBy(storage, {
      unlink: async (path) => {
        if (path.endsWith('optimizer.ckpt')) throw new StorageError(path, 'EBUSY', `${path}: EBUSY`)
        await storage.unlink(path)
      },
    })
    const first = await remove(run, named(run, 'CKPT+a', 'CKPT+b'), { through: busy })
    expect(first.removed).toHaveLength(2)
    expect(first.leftovers.map(({ path }) => path.endsWith('/deep/er/optimizer.ckpt'))).toEqual([true, true])
    expect(fs.readdirSync(run)).toEqual(['CKPT+c'])
    const left = dataBelow(join(run, '../.ckpt/save/deleting'))
    const second = await remove(run, [])
    expect(second.finished).toEqual({ count: 1, freedBytes: left })
    expect(second.freedBytes).toBe(0)
    expect(fs.readdirSync(join(run, '..'))).toEqual(['save'])
  })

  it('gets its name back when nothing of it could be removed', async () => {
    const run = makeRun(['CKPT+a'])
    const refusing = removingBy(storage, {
      unlink: async (path) => {
        throw new StorageError(path, 'EACCES', `${path}: permission denied`)
      },
    })
    const result = await remove(run, named(run, 'CKPT+a'), { through: refusing })
    expect(result.removed).toEqual([])
    expect(result.failed[0]?.error.message).toMatch(`${run}/CKPT+a/`)
    expect(filesBelow(join(run, 'CKPT+a'))).toEqual(defaultFiles)
  })

  it('is reported under its own path when it cannot even leave its name', async () => {
    const run = makeRun(['CKPT+a'])
    const busy = movingBy(storage, async (_, to) => {
      throw new StorageError(to, 'EBUSY', `${to}: EBUSY`)
    })
    const waits: number[] = []
    const wait = async (milliseconds: number) => void waits.push(milliseconds)
    const result = await remove(run, named(run, 'CKPT+a'), { through: busy, wait })
    expect(waits).toEqual([20, 80, 250, 750])
    expect(result.failed[0]?.error).toMatchObject({ errno: 'EBUSY', path: join(run, 'CKPT+a') })
    expect(filesBelow(join(run, 'CKPT+a'))).toEqual(defaultFiles)
  })

  it('leaves its name at the second try when it was in use for a moment', async () => {
    const run = makeRun(['CKPT+a'])
    const faulty = faultyStorage(storage, { failAt: 5, errno: 'EBUSY' })
    const result = await remove(run, named(run, 'CKPT+a'), { through: faulty.storage })
    expect(faulty.calls.slice(4, 6)).toEqual([faulty.calls[4], faulty.calls[4]])
    expect(result).toMatchObject({ failed: [], leftovers: [] })
    expect(fs.readdirSync(run)).toEqual([])
  })

  it.skipIf(isRoot)('stays whole in a run that may not be written to', async () => {
    const run = makeRun(['CKPT+a'])
    fs.chmodSync(run, 0o555)
    const result = await remove(run, named(run, 'CKPT+a'))
    fs.chmodSync(run, 0o755)
    expect(result.failed.map(({ error }) => error.code)).toEqual(['system'])
    expect(filesBelow(join(run, 'CKPT+a'))).toEqual(defaultFiles)
  })

  it('finishes only neutral names, and beside checkpoints only hidden ones', async () => {
    const run = makeRun(['CKPT+a'])
    const name = neutralName('x')
    makeCheckpoint(run, name)
    makeCheckpoint(run, `.${name}`)
    makeCheckpoint(run, '.hidden')
    fs.mkdirSync(join(run, '../.ckpt/save/deleting'), { recursive: true })
    makeCheckpoint(join(run, '../.ckpt/save/deleting'), name)
    makeCheckpoint(join(run, '../.ckpt/save/deleting'), 'notes')
    const result = await remove(run, [])
    expect(result.finished.count).toBe(2)
    expect(fs.readdirSync(run).sort()).toEqual(['.hidden', 'CKPT+a', name].sort())
    expect(fs.readdirSync(join(run, '../.ckpt/save/deleting'))).toEqual(['notes'])
  })
})

describe('a stop', () => {
  it('by the signal leaves the rest under its names', async () => {
    const run = makeRun(['CKPT+a', 'CKPT+b', 'CKPT+c'])
    const stop = new AbortController()
    const result = await remove(run, named(run, 'CKPT+a', 'CKPT+b', 'CKPT+c'), {
      signal: stop.signal,
      onProgress: () => stop.abort(),
    })
    expect(result.removed.map(({ name }) => name)).toEqual(['CKPT+a'])
    expect(result.remaining.map(({ name }) => name)).toEqual(['CKPT+b', 'CKPT+c'])
    expect(result.leftovers).toEqual([])
    expect(Object.keys(filesBelow(run))).toHaveLength(6)
    expect(fs.readdirSync(join(run, '..'))).toEqual(['save'])
  })

  it('before the first leaves all', async () => {
    const run = makeRun(['CKPT+a'])
    const result = await remove(run, named(run, 'CKPT+a'), { signal: AbortSignal.abort() })
    expect(result.remaining).toHaveLength(1)
    expect(filesBelow(join(run, 'CKPT+a'))).toEqual(defaultFiles)
  })

  const names = ['CKPT+a', 'CKPT+b', 'CKPT+c']

  async function countCalls(): Promise<number> {
    const run = makeRun(names)
    const counting = faultyStorage(storage)
    await remove(run, named(run, 'CKPT+a', 'CKPT+b'), { through: counting.storage })
    return counting.calls.length
  }

  function expectWholeOrGone(run: string): void {
    for (const name of fs.readdirSync(run).filter((entry) => entry.startsWith('CKPT'))) {
      expect(filesBelow(join(run, name))).toEqual(defaultFiles)
    }
    expect(fs.readdirSync(run)).toContain('CKPT+c')
  }

  it('at any changing call leaves each checkpoint whole or gone, and the next removal finishes', async () => {
    const count = await countCalls()
    expect(count).toBeGreaterThan(20)
    for (let failAt = 1; failAt <= count; failAt += 1) {
      const run = makeRun(names)
      const faulty = faultyStorage(storage, { failAt, then: 'stops' })
      await expect(remove(run, named(run, 'CKPT+a', 'CKPT+b'), { through: faulty.storage })).rejects.toThrow(Stopped)
      expectWholeOrGone(run)
      const still = fs.readdirSync(run).filter((name) => /^CKPT\+[ab]$/.test(name))
      await remove(run, named(run, ...still))
      expect(fs.readdirSync(run)).toEqual(['CKPT+c'])
      expect(fs.readdirSync(join(run, '..'))).toEqual(['save'])
    }
  })

  for (const errno of ['EIO', 'ENOSPC', 'EACCES']) {
    it(`by ${errno} at any changing call leaves each whole or gone, told as it is`, async () => {
      const count = await countCalls()
      for (let failAt = 1; failAt <= count; failAt += 1) {
        const run = makeRun(names)
        const faulty = faultyStorage(storage, { failAt, errno })
        const result = await remove(run, named(run, 'CKPT+a', 'CKPT+b'), { through: faulty.storage })
        expectWholeOrGone(run)
        expect(result.removed.map(({ name }) => name).filter((name) => fs.existsSync(join(run, name)))).toEqual([])
        expect(result.failed.map(({ name }) => name).filter((name) => !fs.existsSync(join(run, name)))).toEqual([])
        expect(result.removed.length + result.failed.length).toBe(2)
        for (const { path } of result.leftovers) expect(fs.existsSync(path)).toBe(true)
        const left = fs.existsSync(join(run, '../.ckpt')) ? Object.keys(filesBelow(join(run, '../.ckpt'))) : []
        if (result.leftovers.length === 0) expect(left).toEqual([])
      }
    })
  }
})

describe('neutral names', () => {
  it('match no pattern that a framework scans for', () => {
    const patterns = [/checkpoint/i, /ckpt/i, /step/, /epoch/, /iter_/, /^\d+$/, /_\d+$/, /\.(ckpt|pt|pth|yaml|json)$/]
    for (let seed = 0; seed < 2000; seed += 1) {
      const name = neutralName(String(seed))
      expect(isNeutralName(name)).toBe(true)
      expect(patterns.filter((pattern) => pattern.test(name) || pattern.test(`.${name}`))).toEqual([])
    }
  })

  it('have one number for Accelerate to read, the smallest', () => {
    expect(neutralName('x').match(/[0-9]+/g)).toEqual(['0'])
  })
})
