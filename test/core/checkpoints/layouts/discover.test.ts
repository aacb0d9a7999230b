import { chmodSync, copyFileSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { CkptError, StorageError } from '../../../../src/core/errors.js'
import { findRuns, loadCheckpoint, loadRun, loadRunAt } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { foldersIn } from '../../../../src/core/checkpoints/layouts/walk.js'
import { copyFixture, counting, fixtures, makeFolder, write } from './folders.js'

const storage = localStorage()
const meta = 'unixtime: 1.0\n'

async function failure(promise: Promise<unknown>): Promise<CkptError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof CkptError) return error
  throw new Error('no CkptError', { cause: error })
}

describe('weights that a script saved itself', () => {
  const stateDict = fileURLToPath(new URL('../../../fixtures/torch/torch1/legacy_state_dict.pt', import.meta.url))

  it.each(['hf_trainer', 'lightning', 'torch_imagenet'])(
    'are not a checkpoint beside those of a framework, without a step or an epoch: %s',
    async (name) => {
      const { path } = await loadRun(storage, copyFixture(`frameworks/${name}/run`))
      const before = (await loadRun(storage, path)).checkpoints.map((one) => one.name)
      copyFileSync(stateDict, join(path, 'final.pt'))
      expect((await loadRun(storage, path)).checkpoints.map((one) => one.name)).toEqual(before)
    },
  )

  it('are one where there are no others', async () => {
    const root = makeFolder()
    copyFileSync(stateDict, join(root, 'final.pt'))
    expect((await loadRun(storage, root)).checkpoints.map(({ name }) => name)).toEqual(['final.pt'])
  })
})

it('the folders of the kernel are not searched for runs', () => {
  const entries = ['data', 'proc', 'sys', 'dev'].map((name) => ({ name, kind: 'directory' as const }))
  expect(foldersIn({ path: '/', entries })).toEqual(['/data'])
  expect(foldersIn({ path: '/data', entries })).toHaveLength(4)
})

describe('loadRun', () => {
  it('takes the folder itself, or the only run below it', async () => {
    const root = write(makeFolder(), { 'exp/results/save/CKPT+a/CKPT.yaml': meta, 'exp/log.txt': '' })
    const run = join(root, 'exp/results/save')
    for (const path of [run, `${run}/`, join(root, 'exp'), root]) expect((await loadRun(storage, path)).path).toBe(run)
  })

  it('searches nothing where the run itself is named, as a plan does', async () => {
    const root = write(makeFolder(), { 'save/CKPT+a/CKPT.yaml': meta })
    expect((await loadRunAt(storage, join(root, 'save'))).checkpoints.map(({ name }) => name)).toEqual(['CKPT+a'])
    expect((await failure(loadRunAt(storage, root))).message).toBe(`no checkpoints in ${root}`)
    await expect(loadRunAt(storage, join(root, 'save/CKPT+a'))).rejects.toThrow('is a checkpoint, not a run')
    await expect(loadRunAt(storage, '/')).rejects.toThrow('no checkpoints in /')
  })

  it('lists several runs below', async () => {
    const root = write(makeFolder(), { 'a/CKPT+1/CKPT.yaml': meta, 'b/CKPT+1/CKPT.yaml': meta })
    const error = await failure(loadRun(storage, root))
    expect(error).toMatchObject({ code: 'refused' })
    expect(error.message).toContain(`${join(root, 'a')} (1 checkpoint)`)
    expect(error.message).toContain(join(root, 'b'))
    expect(error).toMatchObject({ root })
  })

  it('ends its search where a hundred runs are found, and does not read the others', async () => {
    const metas = Array.from({ length: 120 }, (_, index) => [`${100 + index}/CKPT+1/CKPT.yaml`, meta])
    const root = write(makeFolder(), Object.fromEntries(metas) as Record<string, string>)
    const { storage: counted, counts } = counting(storage)
    const { message } = await failure(loadRun(counted, root))
    expect(message).toMatch(/^at least 100 runs lie below .*\n {2}and more$/s)
    expect(counts.read).toBe(100)
  })

  it('gives up where more folders lie below than the asker waits for', async () => {
    const root = write(makeFolder(), { 'a/x': '', 'b/x': '', 'c/d/CKPT+1/CKPT.yaml': meta })
    expect((await loadRun(storage, root, { mostFolders: 6 })).checkpoints).toHaveLength(1)
    expect(await failure(loadRun(storage, root, { mostFolders: 4 }))).toMatchObject({
      code: 'usage',
      message: `more than 4 folders lie below ${root}`,
    })
  })

  it('finds nothing in links, in folders of tools and in what begins with a dot', async () => {
    const outside = write(makeFolder(), { 'CKPT+1/CKPT.yaml': meta })
    const root = write(makeFolder(), {
      'node_modules/x/CKPT+1/CKPT.yaml': meta,
      '.ckpt/run/CKPT+1/CKPT.yaml': meta,
      'empty/file': '',
    })
    symlinkSync(outside, join(root, 'link'))
    const error = await failure(loadRun(storage, root))
    expect(error).toMatchObject({ code: 'not-found', exitStatus: 3 })
    expect(error.hint).toContain('ckpt layouts')
  })

  it('says of a checkpoint that it is one, and names its run', async () => {
    const run = join(fixtures, 'nutshell')
    const error = await failure(loadRun(storage, join(run, 'CKPT+epoch01')))
    expect(error).toMatchObject({ code: 'not-found', hint: `its run is ${run}` })
    expect(error.message).toMatch(/is a checkpoint, not a run/)
  })

  it('tells a file, a dangling link and a missing folder apart', async () => {
    const root = write(makeFolder(), { file: 'x' })
    symlinkSync('nowhere', join(root, 'link'))
    const of = async (name: string) => failure(loadRun(storage, join(root, name)))
    expect(await of('file')).toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/is a file, not a folder/) as string,
    })
    expect(await of('link')).toMatchObject({ code: 'not-found', message: expect.stringMatching(/dangles/) as string })
    const missing = await of('no/such/folder')
    expect(missing).toMatchObject({ code: 'not-found', message: expect.stringMatching(/no such folder/) as string })
    expect(missing.hint).toContain(root)
  })

  it('passes on what the system says of a folder that cannot be read', async () => {
    const root = write(makeFolder(), { 'CKPT+a/CKPT.yaml': meta })
    const refusing = {
      ...storage,
      list: async (paths: readonly string[]) =>
        paths.map((path) => ({
          ok: false as const,
          error: new StorageError(path, 'EACCES', `${path}: permission denied`),
        })),
    }
    const error = await failure(loadRun(refusing, root))
    expect(error).toMatchObject({ code: 'system', exitStatus: 1, errno: 'EACCES' })
    expect(error.message).toBe(`${root} could not be read: permission denied`)
  })

  it('lists a checkpoint whose folder cannot be read as unreadable, and the others as they are', async () => {
    const root = write(makeFolder(), { 'CKPT+a/CKPT.yaml': meta, 'CKPT+b/CKPT.yaml': meta })
    const refusing = {
      ...storage,
      list: async (paths: readonly string[]) => {
        const results = await storage.list(paths)
        return results.map((result, index) => {
          const path = paths[index] ?? ''
          if (!path.endsWith('CKPT+a')) return result
          return { ok: false as const, error: new StorageError(path, 'EACCES', `${path}: permission denied`) }
        })
      },
    }
    const { checkpoints } = await loadRun(refusing, root)
    expect(checkpoints.map(({ name, health }) => [name, health.grade])).toEqual([
      ['CKPT+a', 'unreadable'],
      ['CKPT+b', 'unchecked'],
    ])
    expect(checkpoints[0]?.health.findings).toEqual([{ grade: 'unreadable', reason: 'permission denied' }])
  })

  it('lists them also where none of them can be read, under names that say what they are', async () => {
    const root = write(makeFolder(), {
      'checkpoint-100/trainer_state.json': '{}',
      'checkpoint-200/trainer_state.json': '{}',
      'notes/x': '',
    })
    const refusing = {
      ...storage,
      list: async (paths: readonly string[]) =>
        (await storage.list(paths)).map((result, index) => {
          const path = paths[index] ?? ''
          if (path === root) return result
          return { ok: false as const, error: new StorageError(path, 'EACCES', `${path}: permission denied`) }
        }),
    }
    const { checkpoints } = await loadRun(refusing, root)
    expect(checkpoints.map(({ name, health }) => `${name} ${health.grade}`)).toEqual([
      'checkpoint-100 unreadable',
      'checkpoint-200 unreadable',
    ])
  })

  it.skipIf(process.getuid?.() === 0)('says so of a real unreadable folder', async () => {
    const root = write(makeFolder(), { 'locked/x': '' })
    chmodSync(join(root, 'locked'), 0)
    expect(await failure(loadRun(storage, join(root, 'locked')))).toMatchObject({ code: 'system' })
    chmodSync(join(root, 'locked'), 0o700)
  })
})

describe('findRuns', () => {
  it('finds runs in runs, sorted, and none inside of a checkpoint', async () => {
    const root = write(makeFolder(), {
      'b/CKPT+1/CKPT.yaml': meta,
      'b/CKPT+1/CKPT+2/CKPT.yaml': meta,
      'b/sub/CKPT+3/CKPT.yaml': meta,
      'a/checkpoint-1/trainer_state.json': '{}',
      'a/run-0/checkpoint-2/trainer_state.json': '{}',
    })
    mkdirSync(join(root, 'c'))
    const runs = await findRuns(storage, root)
    expect(runs.map((run) => run.path.slice(root.length))).toEqual(['/a', '/a/run-0', '/b', '/b/sub'])
  })

  it('finds no run in an empty folder', async () => {
    expect(await findRuns(storage, makeFolder())).toEqual([])
  })
})

describe('loadCheckpoint', () => {
  it('finds files that only together are a checkpoint by the path that they share', async () => {
    const run = write(makeFolder(), { 'ckpt-4.index': 'x', 'ckpt-4.data-00000-of-00001': 'x' })
    const { checkpoint } = await loadCheckpoint(storage, join(run, 'ckpt-4'), '/')
    expect(checkpoint).toMatchObject({ name: 'ckpt-4', layout: 'tensorflow' })
  })

  const root = write(makeFolder(), {
    'exp/save/CKPT+a/CKPT.yaml': meta,
    'exp/save/CKPT+a/model.ckpt': 'x',
    'exp/save/CKPT+b/CKPT.yaml': meta,
  })
  const save = join(root, 'exp/save')
  symlinkSync('CKPT+b', join(save, 'latest'))
  symlinkSync('nowhere', join(save, 'dangling'))

  it.each([
    ['a path from the folder', 'exp/save/CKPT+a', root, 'CKPT+a'],
    ['an absolute path', join(save, 'CKPT+a'), '/', 'CKPT+a'],
    ['a path with a slash at its end', `${save}/CKPT+a/`, '/', 'CKPT+a'],
    ['a name in the run', 'CKPT+b', save, 'CKPT+b'],
    ['a name in the run below', 'CKPT+b', root, 'CKPT+b'],
    ['the folder itself', '.', join(save, 'CKPT+a'), 'CKPT+a'],
    ['a link to a checkpoint', 'latest', save, 'CKPT+b'],
  ])('takes %s', async (_, argument, base, name) => {
    const { checkpoint, run } = await loadCheckpoint(storage, argument, base)
    expect(checkpoint.name).toBe(name)
    expect(run).toMatchObject({ path: save })
    expect(run.checkpoints).toHaveLength(2)
  })

  it('says what is there instead', async () => {
    const of = async (argument: string) => failure(loadCheckpoint(storage, argument, save))
    expect((await of('CKPT+c')).message).toMatch(/nothing there, and no checkpoint of .*save has that name/)
    expect((await of('CKPT+c')).hint).toMatch(/^did you mean CKPT\+[ab]\? see the names: ckpt list/)
    // A whole path is answered with one, and no run is searched for that it does not name.
    expect((await of(join(save, 'CKPT+c'))).hint).toMatch(/^did you mean \/.*\/CKPT\+[ab]\? see the names: ckpt list/)
    const below = await failure(loadCheckpoint(storage, join(root, 'exp/CKPT+b'), makeFolder()))
    expect(below.hint).toContain(`did you mean ${join(save, 'CKPT+b')}?`)
    expect((await failure(loadCheckpoint(storage, 'exp', root))).hint).toBe(
      `it holds checkpoints: name one of them, or ${join(root, 'exp')}/latest; see the names: ckpt list ${save}`,
    )
    expect((await of('CKPT+a/model.ckpt')).hint).toContain(join(save, 'CKPT+a'))
    expect((await of('dangling')).message).toMatch(/dangles/)
    expect(await of('..')).toMatchObject({ code: 'not-found' })
    expect((await failure(loadCheckpoint(storage, 'epx', root))).hint).toContain(`did you mean ${join(root, 'exp')}?`)
  })

  it('names what a word for a checkpoint is for, where a run is wanted', async () => {
    expect((await failure(loadRun(storage, join(save, 'bst')))).hint).toBe(
      `did you mean one checkpoint of ${save}? its path: ckpt find best ${save}; what it holds: ckpt show ${save}/best`,
    )
  })
})
