import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, readFileSync, rmSync, symlinkSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findLeftovers, loadRun, measure } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { counting, fixtures, makeFolder, write } from './folders.js'

const storage = localStorage()
const meta = '# yamllint disable\nWER: 12.5\nend-of-epoch: true\nepoch: 3\nunixtime: 1700000000.5\n'

async function scan(root: string) {
  return (await loadRun(storage, root)).checkpoints
}

describe('SpeechBrain checkpoints', () => {
  it('are read from what the library wrote, with meta, parameter files and time', async () => {
    const run = join(fixtures, 'asr_run')
    const checkpoints = await scan(run)
    expect(checkpoints).toHaveLength(10)
    const [first] = checkpoints
    expect(first).toMatchObject({
      name: 'CKPT+2026-11-22+20-46-49+00',
      path: join(run, 'CKPT+2026-11-22+20-46-49+00'),
      run,
      layout: 'speechbrain',
      kind: 'directory',
      step: 100,
      epoch: 1,
      unixtime: 1795380409.0004656,
      size: null,
      modified: null,
      health: { level: 'none', grade: 'unchecked', findings: [] },
    })
    expect(first?.meta.get('WER')).toBe(40)
    expect(first?.files.map((file) => file.key)).toEqual(['counter', 'lm', 'model', 'optimizer', 'scheduler'])
  })

  it('whose meta would run code when Python loads it are damaged, and nothing is run', async () => {
    const unsafe = {
      'x: !!python/object/apply:os.system ["touch pwned"]\n': 'line 1, column 36: unsafe: a tag calls os.system',
      'x: !!python/object/new:subprocess.Popen [[id]]\n': 'unsafe: a tag calls subprocess.Popen',
      'x: !!python/object/apply:eval ["1"]\n': 'unsafe: a tag calls eval',
      "x: !!python/object/apply:functools.partial [!!python/name:os.system '', id]\n":
        'unsafe: a tag hands os.system to functools.partial',
    }
    for (const [text, reason] of Object.entries(unsafe)) {
      const [checkpoint] = await scan(write(makeFolder(), { 'CKPT+1/CKPT.yaml': text + meta }))
      expect(checkpoint?.health.findings).toEqual([
        { grade: 'corrupt', file: 'CKPT.yaml', reason: expect.stringContaining(reason) as string },
      ])
    }
  })

  it('may name functions, and hold objects of any class that does no harm', async () => {
    const harmless =
      "a: !!python/name:os.system ''\nb: !!python/object/apply:pathlib.PosixPath [/, tmp]\n" +
      'c: !!python/object:__main__.Config {x: 1}\nd: !!python/object/apply:torch.device [cpu]\n'
    const [checkpoint] = await scan(write(makeFolder(), { 'CKPT+1/CKPT.yaml': harmless + meta }))
    expect(checkpoint).toMatchObject({ unixtime: 1700000000.5, health: { grade: 'unchecked' } })
  })

  it('are exactly the folders that begin with CKPT and have a CKPT.yaml', async () => {
    const root = write(makeFolder(), {
      'CKPT+a/CKPT.yaml': meta,
      'CKPT/CKPT.yaml': meta,
      'CKPT+no-meta/model.ckpt': 'x',
      'other/CKPT.yaml': meta,
      'ckpt+b/CKPT.yaml': meta,
      'CKPT.log': 'text',
      'CKPT+empty/.keep': '',
    })
    expect((await scan(root)).map((checkpoint) => checkpoint.name)).toEqual(['CKPT', 'CKPT+a'])
  })

  it('may be links to folders; a link to nothing or to a file is none, nor is a dangling CKPT.yaml', async () => {
    const root = write(makeFolder(), { 'CKPT+a/CKPT.yaml': meta, file: 'x' })
    symlinkSync('CKPT+a', join(root, 'CKPT+link'))
    symlinkSync('nowhere', join(root, 'CKPT+dangling'))
    symlinkSync('file', join(root, 'CKPT+file'))
    mkdirSync(join(root, 'CKPT+hollow'))
    symlinkSync('nowhere', join(root, 'CKPT+hollow/CKPT.yaml'))
    expect((await scan(root)).map((checkpoint) => checkpoint.name)).toEqual(['CKPT+a', 'CKPT+link'])
  })

  it('have as parameter files what has .ckpt for its last suffix', async () => {
    const root = write(makeFolder(), {
      'CKPT+a/CKPT.yaml': meta,
      'CKPT+a/model.ckpt': '',
      'CKPT+a/a.b.ckpt': '',
      'CKPT+a/.ckpt': '',
      'CKPT+a/model.ckpt.bak': '',
      'CKPT+a/__proto__.ckpt': '',
    })
    expect((await scan(root))[0]?.files.map((file) => file.key)).toEqual(['__proto__', 'a.b', 'model'])
  })

  it('keep names that hold newlines, escape codes and other scripts as they are', async () => {
    const names = ['CKPT+\u001b[31mred', 'CKPT+line\nbreak', 'CKPT+検証']
    const root = write(makeFolder(), Object.fromEntries(names.map((name) => [`${name}/CKPT.yaml`, meta])))
    expect((await scan(root)).map((checkpoint) => checkpoint.name)).toEqual(names)
  })

  it('with a meta that is empty, binary, huge or no YAML are damaged alone, each with its reason', async () => {
    const root = write(makeFolder(), {
      'CKPT+1/CKPT.yaml': '',
      'CKPT+2/CKPT.yaml': Buffer.from([0, 1, 2, 255]),
      'CKPT+3/CKPT.yaml': Buffer.alloc((8 << 20) + 1, 'a'),
      'CKPT+4/CKPT.yaml': 'a: 1\nb: [1, 2\nc: 3\n',
      'CKPT+5/CKPT.yaml': meta,
    })
    mkdirSync(join(root, 'CKPT+6/CKPT.yaml'), { recursive: true })
    const reasons = (await scan(root)).map(({ health: { findings } }) => findings.map((one) => one.reason).join())
    expect(reasons).toHaveLength(6)
    expect(reasons[0]).toMatch(/0 bytes/)
    expect(reasons[1]).toMatch(/byte 0/)
    expect(reasons[2]).toBe('8388609 bytes, and at most 8388608 are read here')
    expect(reasons[3]).toMatch(/line \d/)
    expect(reasons[4]).toBe('')
    expect(reasons[5]).not.toBe('')
  })

  it('are not damaged by a meta without unixtime and end-of-epoch', async () => {
    const root = write(makeFolder(), { 'CKPT+a/CKPT.yaml': 'loss: 1.5\n' })
    expect((await scan(root))[0]).toMatchObject({ unixtime: null, step: null, health: { grade: 'unchecked' } })
  })

  it('whose meta was cut and is YAML still are corrupt, where the others show what a whole one has', async () => {
    const [whole, cut] = ['loss: 1.5\nunixtime: 1.0\n', 'loss: 1.']
    const grades = async (...metas: string[]) => {
      const files = metas.map((text, index): [string, string] => [`CKPT+${index}/CKPT.yaml`, text])
      return (await scan(write(makeFolder(), Object.fromEntries(files)))).map(({ health }) => health.grade)
    }
    expect(await grades(whole, cut, whole)).toEqual(['unchecked', 'corrupt', 'unchecked'])
    expect(await grades(whole, cut)).toEqual(['unchecked', 'unchecked'])
    expect(await grades(whole, cut, cut)).toEqual(['unchecked', 'unchecked', 'unchecked'])
    expect(await grades(whole, 'loss: 1.\n', whole)).toEqual(['unchecked', 'unchecked', 'unchecked'])
    expect(await grades('unixtime: 1.0', 'unixtime: 1.0', whole)).toEqual(['unchecked', 'unchecked', 'unchecked'])
  })

  it('whose last line has no end, where those of the others have, were cut: half a number is a number', async () => {
    const root = write(makeFolder(), {
      'CKPT+a/CKPT.yaml': 'unixtime: 1700000000.5\n',
      'CKPT+b/CKPT.yaml': 'unixtime: 1700',
      'CKPT+c/CKPT.yaml': 'unixtime: 1700000100.5\n',
      'CKPT+d/CKPT.yaml': 'unixtime: 17000002',
      'CKPT+e/CKPT.yaml': 'unixtime: 1700000300.5\n',
    })
    const reasons = (await scan(root)).map(({ health }) => health.findings.map(({ reason }) => reason))
    const told = (bytes: number) => [
      `ends early: ${bytes} bytes, the last line without its end, which each of 3 other checkpoints has`,
    ]
    expect(reasons).toEqual([[], told(14), [], told(18), []])
  })

  it('are corrupt with a unixtime that is not a number, by which nothing can be sorted', async () => {
    const times = ['yesterday', '[1, 2]', '{a: 1}', 'true']
    const files = times.map((text, index): [string, string] => [`CKPT+${index}/CKPT.yaml`, `unixtime: ${text}\n`])
    const found = await scan(write(makeFolder(), Object.fromEntries(files)))
    expect(found.map(({ health }) => health.findings[0]?.reason)).toEqual(
      ['"yesterday"', 'a list', 'a mapping', 'true'].map((what) => `unixtime is not a number, but ${what}`),
    )
  })

  it('whose meta is not a file are corrupt, and nothing is read from it', async () => {
    const root = write(makeFolder(), { 'CKPT+a/CKPT.yaml': meta, 'CKPT+b/model.ckpt': 'x', 'CKPT+c/model.ckpt': 'x' })
    execFileSync('mkfifo', [join(root, 'CKPT+b/CKPT.yaml')])
    symlinkSync('/dev/zero', join(root, 'CKPT+c/CKPT.yaml'))
    const found = await scan(root)
    expect(found.map(({ health }) => health.findings)).toEqual([
      [],
      ...[1, 2].map(() => [
        { grade: 'corrupt', file: 'CKPT.yaml', reason: 'not a file, but a pipe, a socket or a device' },
      ]),
    ])
  })

  it('with a CKPT.yaml that leads nowhere are leftovers', async () => {
    const root = write(makeFolder(), { 'CKPT+a/CKPT.yaml': meta, 'CKPT+b/model.ckpt': 'x' })
    symlinkSync('nowhere', join(root, 'CKPT+b/CKPT.yaml'))
    const leftovers = await findLeftovers(storage, await loadRun(storage, root))
    expect(leftovers.map(({ name }) => name)).toEqual(['CKPT+b'])
  })

  it('that vanish between the listing and the read are left out', async () => {
    const root = write(makeFolder(), { 'CKPT+a/CKPT.yaml': meta, 'CKPT+b/CKPT.yaml': meta, 'CKPT+c/CKPT.yaml': meta })
    const vanishing = {
      ...storage,
      list: async (paths: readonly string[]) => {
        if (paths.includes(join(root, 'CKPT+a'))) rmSync(join(root, 'CKPT+a'), { recursive: true })
        return storage.list(paths)
      },
      read: async (paths: readonly string[], limit: number) => {
        rmSync(join(root, 'CKPT+b'), { recursive: true, force: true })
        return storage.read(paths, limit)
      },
    }
    expect((await loadRun(vanishing, root)).checkpoints.map((checkpoint) => checkpoint.name)).toEqual(['CKPT+c'])
  })

  it('cost one listing and one read each, and no stat', async () => {
    const root = makeFolder()
    for (let index = 0; index < 600; index += 1) {
      write(root, { [`CKPT+${index}/CKPT.yaml`]: meta, [`CKPT+${index}/model.ckpt`]: 'x' })
    }
    const { storage: counted, counts } = counting(storage)
    const run = await loadRun(counted, root)
    expect(run.checkpoints).toHaveLength(600)
    expect(counts).toEqual({ list: 601, stat: 0, lstat: 0, read: 600, resolve: 0, open: 0 })
  })
})

describe('measure', () => {
  it('fills sizes, the time of the newest file, and counts a file with two names once', async () => {
    const root = write(makeFolder(), {
      'CKPT+a/CKPT.yaml': meta,
      'CKPT+a/model.ckpt': Buffer.alloc(1000),
      'CKPT+a/deep/er/state': Buffer.alloc(10),
    })
    linkSync(join(root, 'CKPT+a/model.ckpt'), join(root, 'CKPT+a/copy.ckpt'))
    for (const name of ['CKPT.yaml', 'deep/er/state']) utimesSync(join(root, 'CKPT+a', name), 1000, 1000)
    utimesSync(join(root, 'CKPT+a/model.ckpt'), 2000, 2000)
    const [measured] = await measure(storage, await scan(root))
    expect(measured).toMatchObject({ size: 1010 + meta.length, modified: 2000, health: { grade: 'unchecked' } })
    expect(measured?.files.map((file) => [file.key, file.size])).toEqual([
      ['copy', 1000],
      ['model', 1000],
    ])
  })

  it('reads the step from brain.ckpt and the epoch from the counter where the meta has none', async () => {
    const root = write(makeFolder(), {
      'CKPT+a/CKPT.yaml': 'unixtime: 1.0\n',
      'CKPT+a/brain.ckpt': 'avg_train_loss: 1.5\noptimizer_step: 20\nstep: 42\n',
      'CKPT+a/epoch_counter.ckpt': '7',
      'CKPT+b/CKPT.yaml': 'unixtime: 1.0\nstep: 1\nepoch: 2\n',
      'CKPT+b/brain.ckpt': 'step: 42\n',
      'CKPT+b/counter.ckpt': '7',
      'CKPT+c/CKPT.yaml': 'unixtime: 1.0\n',
      'CKPT+c/brain.ckpt': readFileSync(join(fixtures, 'nutshell/CKPT+epoch01/mdl.ckpt')),
      'CKPT+c/counter.ckpt': 'seven',
    })
    const measured = await measure(storage, await scan(root))
    expect(measured.map(({ step, epoch }) => [step, epoch])).toEqual([
      [20, 7],
      [1, 2],
      [null, null],
    ])
  })

  it('takes the batches of an epoch for steps only where an older version counts nothing else', async () => {
    const root = write(makeFolder(), {
      'CKPT+a/CKPT.yaml': 'unixtime: 1.0\n',
      'CKPT+a/brain.ckpt': 'optimizer_step: 20\nstep: 0\n',
      'CKPT+b/CKPT.yaml': 'unixtime: 2.0\n',
      'CKPT+b/brain.ckpt': 'avg_train_loss: 1.5\nstep: 8\n',
      'CKPT+c/CKPT.yaml': 'unixtime: 3.0\n',
      'CKPT+c/brain.ckpt': 'avg_train_loss: 0.0\nstep: 0\n',
    })
    const measured = await measure(storage, await scan(root))
    expect(measured.map(({ step }) => step)).toEqual([20, 8, null])
  })

  it('tells of a link that leads nowhere, and leaves null what vanished as a whole', async () => {
    const root = write(makeFolder(), { 'CKPT+a/CKPT.yaml': meta, 'CKPT+b/CKPT.yaml': meta })
    symlinkSync('nowhere', join(root, 'CKPT+a/model.ckpt'))
    const scanned = await scan(root)
    rmSync(join(root, 'CKPT+b'), { recursive: true })
    const [a, b] = await measure(storage, scanned)
    expect(a?.health.findings).toEqual([
      { grade: 'partial', file: 'model.ckpt', reason: 'a symbolic link that leads nowhere' },
    ])
    expect(b).toMatchObject({ size: null, modified: null, health: { grade: 'partial' } })
  })
})
