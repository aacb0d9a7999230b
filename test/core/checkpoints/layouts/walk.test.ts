import { chmodSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadRun, walkFrom, type WalkOptions } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { ReadStorage } from '../../../../src/core/storage/storage.js'
import { makeFolder, write } from './folders.js'

const meta = 'unixtime: 1.0\n'

function makeRuns(...runs: readonly string[]): string {
  return write(makeFolder(), Object.fromEntries(runs.map((run) => [`${run}/CKPT+1/CKPT.yaml`, meta])))
}

async function names(root: string, options?: WalkOptions, storage: ReadStorage = localStorage()): Promise<string[]> {
  const found: string[] = []
  for await (const { run } of walkFrom(storage, root, options)) found.push(relative(root, run.path))
  return found
}

describe('a walk for runs', () => {
  it('gives each run, what is above first, and none inside of a checkpoint', async () => {
    const root = makeRuns('b', 'a/save', 'a/save/CKPT+1/inner', 'a')
    expect(await names(root)).toEqual(['a', 'a/save', 'b'])
  })

  it('lists each folder once, those inside of checkpoints too', async () => {
    const root = makeRuns('a/save', 'b/save', 'c/d/e/save')
    const listed: string[] = []
    const local = localStorage()
    const counting: ReadStorage = {
      ...local,
      list: async (paths) => {
        listed.push(...paths)
        return local.list(paths)
      },
    }
    await names(root, {}, counting)
    expect(listed).toHaveLength(new Set(listed).size)
  })

  it('does not follow symbolic links to folders', async () => {
    const root = makeRuns('a')
    symlinkSync('a', join(root, 'link'))
    expect(await names(root)).toEqual(['a'])
  })

  it('goes into no cache in which a hub keeps what it downloaded, unless that is named itself', async () => {
    const snapshot = 'hf/models--org--name/snapshots/abc'
    const torch = ['cache/torch/hub/checkpoints', 'elsewhere/hub/checkpoints']
    const root = write(makeRuns(snapshot, 'models--mine', 'work/hub/checkpoints', 'b'), {
      'hf/models--org--name/blobs/abc': 'x',
      'hf/models--org--name/refs/main': 'abc',
      ...Object.fromEntries(torch.map((folder) => [`${folder}/CKPT+1/CKPT.yaml`, meta])),
      'elsewhere/hub/checkpoints/resnet18-5c106cde.pth': 'x',
    })
    expect(await names(root)).toEqual(['b', 'models--mine', 'work/hub/checkpoints'])
    expect(await names(join(root, snapshot))).toEqual([''])
    expect(
      (await loadRun(localStorage(), join(root, 'hf', 'models--org--name', 'snapshots'))).checkpoints,
    ).toHaveLength(1)
    await expect(loadRun(localStorage(), join(root, 'hf'))).rejects.toThrow('no checkpoints')
  })

  it('leaves out what a pattern of the command line excludes', async () => {
    const root = makeRuns('a/save', 'old/save', 'b/old/save', 'b/new/save')
    expect(await names(root, { exclude: ['/old'] })).toEqual(['a/save', 'b/new/save', 'b/old/save'])
    expect(await names(root, { exclude: ['old'] })).toEqual(['a/save', 'b/new/save'])
    expect(await names(root, { exclude: ['b/*', '!b/new'] })).toEqual(['a/save', 'b/new/save', 'old/save'])
  })

  it('reads .ckptignore in any folder; the nearer one decides', async () => {
    const root = makeRuns('a/x', 'a/y', 'b/x', 'b/y')
    write(root, { '.ckptignore': '# not these\nx/\n', 'b/.ckptignore': '!x/\ny\n' })
    expect(await names(root)).toEqual(['a/y', 'b/x'])
  })

  it('tells upper from lower case in patterns, as git does', async () => {
    const root = makeRuns('old', 'Old')
    expect(await names(root, { exclude: ['old'] })).toEqual(['Old'])
  })

  describe('with a .ckptignore above its root', () => {
    const above = (text: string, ...runs: readonly string[]) => {
      const root = write(makeRuns(...runs.map((run) => `exp/${run}`)), { '.ckptignore': text })
      return { root, exp: join(root, 'exp') }
    }

    it('leaves out what that leaves out, which a nearer one takes back', async () => {
      const { exp } = above('exp/paper-*\n!exp/paper-9\n', 'a', 'paper-1', 'paper-2', 'paper-9')
      expect(await names(exp)).toEqual(['a', 'paper-9'])
      write(exp, { '.ckptignore': '!paper-2\n' })
      expect(await names(exp)).toEqual(['a', 'paper-2', 'paper-9'])
    })

    it('looks at the root all the same where that was named', async () => {
      const { root, exp } = above('exp/paper-*\n', 'paper-1', 'paper-2/save')
      expect(await names(root)).toEqual([])
      expect(await names(join(exp, 'paper-1'))).toEqual([''])
      expect(await names(join(exp, 'paper-2'))).toEqual(['save'])
    })

    it('touches nothing where that cannot be read, and says so', async () => {
      const { root, exp } = above('x\n'.repeat(1001), 'a')
      const told: string[] = []
      const onUnreadable = (path: string, why: string) => void told.push(`${relative(root, path)} ${why}`)
      expect(await names(exp, { onUnreadable, isChanging: true })).toEqual([])
      expect(await names(exp, { onUnreadable })).toEqual(['a'])
      expect(new Set(told)).toEqual(new Set(['.ckptignore has 1001 patterns; at most 1000 are read']))
    })

    it('goes by no file of a stranger', async () => {
      const { exp } = above('*\n', 'a')
      const local = localStorage({ custody: { user: 1 } })
      const strangers: ReadStorage = {
        ...local,
        lstat: async (paths) => {
          const stats = await local.lstat(paths)
          return stats.map((stat) => (stat.ok ? { ok: true, value: { ...stat.value, owner: 4711 } } : stat))
        },
      }
      expect(await names(exp, {}, strangers)).toEqual(['a'])
    })
  })

  it('what a command line excludes no file takes back', async () => {
    const root = makeRuns('a/x', 'b/x', 'c/y')
    write(root, { '.ckptignore': '!x\ny\n', 'b/.ckptignore': '!x\n' })
    expect(await names(root, { exclude: ['x'] })).toEqual([])
    expect(await names(root, { exclude: ['!y'] })).toEqual(['a/x', 'b/x', 'c/y'])
  })

  it.each([
    ['1001 patterns', 'x\n'.repeat(1001), 'has 1001 patterns; at most 1000 are read'],
    [
      'a pattern of 1001 characters',
      `${'*'.repeat(1001)}\n`,
      'has a pattern of 1001 characters; at most 1000 are read',
    ],
    [
      'a pattern that names any folders again and again',
      `${'**/a/'.repeat(30)}b\n`,
      'has a pattern with 29 times ** between names; at most 2 are read',
    ],
    [
      '21 patterns that do so twice',
      'a/**/b/**/c\n'.repeat(21),
      'has 21 patterns with ** between names twice; at most 20 are read',
    ],
  ])('takes no .ckptignore with %s, and says so', async (_, text, reason) => {
    const root = write(makeRuns('x', 'y'), { '.ckptignore': text })
    const told: string[] = []
    const onUnreadable = (path: string, why: string) => void told.push(`${relative(root, path)} ${why}`)
    expect(await names(root, { onUnreadable })).toEqual(['x', 'y'])
    expect(told).toEqual([`.ckptignore ${reason}`])
  })

  it('leaves out single checkpoints that are ignored', async () => {
    const root = write(makeRuns('a'), { 'a/CKPT+2/CKPT.yaml': meta, '.ckptignore': 'CKPT+2\n' })
    for await (const { run } of walkFrom(localStorage(), root)) {
      expect(run.checkpoints.map(({ name }) => name)).toEqual(['CKPT+1'])
    }
  })

  it('goes on beyond a folder that cannot be listed, and tells it once', async () => {
    const root = makeRuns('a', 'b', 'c')
    const local = localStorage()
    const { StorageError } = await import('../../../../src/core/errors.js')
    const refusing: ReadStorage = {
      ...local,
      list: async (paths) => {
        const listed = await local.list(paths)
        return paths.map((path, index) => {
          const one = listed[index]
          if (path !== join(root, 'b') && one !== undefined) return one
          return { ok: false, error: new StorageError(path, 'EACCES', `${path}: permission denied`) }
        })
      },
    }
    const told: string[] = []
    const onUnreadable = (path: string, reason: string) => void told.push(`${relative(root, path)}: ${reason}`)
    expect(await names(root, { onUnreadable }, refusing)).toEqual(['a', 'c'])
    expect(told).toEqual(['b: permission denied'])
  })

  it('goes on beyond a folder that vanishes meanwhile, without a word', async () => {
    const root = makeRuns('a', 'b/c/save', 'd')
    const told: string[] = []
    const found: string[] = []
    for await (const { run } of walkFrom(localStorage(), root, { onUnreadable: (path) => told.push(path) })) {
      found.push(relative(root, run.path))
      rmSync(join(root, 'b'), { recursive: true, force: true })
    }
    expect(found).toEqual(['a', 'd'])
    expect(told).toEqual([])
  })

  it.skipIf(process.getuid?.() === 0)('tells a folder that may not be read', async () => {
    const root = makeRuns('a', 'b')
    chmodSync(join(root, 'b'), 0)
    const told: string[] = []
    expect(await names(root, { onUnreadable: (path) => told.push(relative(root, path)) })).toEqual(['a'])
    expect(told).toEqual(['b'])
    chmodSync(join(root, 'b'), 0o755)
  })

  it('tells how many folders, runs and checkpoints it has met', async () => {
    const root = makeRuns('a', 'b')
    mkdirSync(join(root, 'empty'))
    let last = {}
    await names(root, { onProgress: (count) => (last = count) })
    expect(last).toEqual({ folders: 4, runs: 2, checkpoints: 2 })
  })

  it('ends with "interrupted" when the signal says so', async () => {
    await expect(names(makeRuns('a'), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'interrupted' })
    const controller = new AbortController()
    setImmediate(() => controller.abort())
    const many = makeRuns(...Array.from({ length: 130 }, (_, index) => `run-${index}`))
    await expect(names(many, { signal: controller.signal })).rejects.toMatchObject({ code: 'interrupted' })
  })
})
