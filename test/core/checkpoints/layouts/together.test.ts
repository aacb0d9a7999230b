/** What lies beside a checkpoint and means nothing without it is a part of it, and is moved and removed with it. */
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findRuns, loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { checkHealth, checkStructure } from '../../../../src/core/checkpoints/health/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures, makeFolder, write } from './folders.js'
import { dict, torchFile } from './lightning-files.js'

const storage = localStorage()

function saved(step: number): Uint8Array {
  const facts = { epoch: step, global_step: step, 'pytorch-lightning_version': '2.4.0', loops: dict({}) }
  return torchFile(dict({ ...facts, state_dict: dict({}), optimizer_states: [dict({ lr: 1 })], lr_schedulers: [] }))
}

async function membersIn(root: string): Promise<Record<string, string[]>> {
  const runs = await findRuns(storage, root)
  return Object.fromEntries(
    runs.flatMap(({ path, checkpoints }) =>
      checkpoints.map(({ name, members }) => [name, members.map((one) => one.path.slice(path.length + 1))] as const),
    ),
  )
}

describe('an averaged twin of NeMo', () => {
  const two = { 'x-step=1.ckpt': saved(1), 'x-step=1-EMA.ckpt': saved(1), 'x-step=2.ckpt': saved(2) }

  it('is one checkpoint with the one that it is the average of', async () => {
    const root = write(makeFolder(), two)
    expect(await membersIn(root)).toEqual({
      'x-step=1.ckpt': ['x-step=1-EMA.ckpt', 'x-step=1.ckpt'],
      'x-step=2.ckpt': ['x-step=2.ckpt'],
    })
  })

  it('is a checkpoint of its own where that is not there', async () => {
    const root = write(makeFolder(), { 'x-step=1-EMA.ckpt': saved(1) })
    expect(await membersIn(root)).toEqual({ 'x-step=1-EMA.ckpt': ['x-step=1-EMA.ckpt'] })
  })

  it('is looked into', async () => {
    const root = write(makeFolder(), { ...two, 'x-step=1-EMA.ckpt': saved(1).subarray(0, 300) })
    const checkpoints = (await findRuns(storage, root)).flatMap((run) => run.checkpoints)
    const graded = await checkHealth(storage, checkpoints, checkpoints, 'quick')
    const findings = graded.flatMap(({ health }) => health.findings.map(({ file, grade }) => `${file ?? ''} ${grade}`))
    expect(findings).toEqual(['x-step=1-EMA.ckpt corrupt'])
  })

  it('that all others have is missed once, by the name that it would have', async () => {
    const names = [1, 2, 3].flatMap((step) => [
      [`x-step=${step}.ckpt`, step] as const,
      [`x-step=${step}-EMA.ckpt`, step] as const,
    ])
    const root = write(makeFolder(), Object.fromEntries(names.slice(0, -1).map(([name, step]) => [name, saved(step)])))
    const checkpoints = (await findRuns(storage, root)).flatMap((run) => run.checkpoints)
    const seen = checkStructure(checkpoints)
    const graded = await checkHealth(storage, seen, seen, 'quick')
    expect(graded.flatMap(({ name, health }) => health.findings.map((finding) => ({ name, ...finding })))).toEqual([
      {
        name: 'x-step=3.ckpt',
        grade: 'partial',
        file: 'x-step=3-EMA.ckpt',
        reason: 'not there, and each of the 2 other checkpoints has it',
      },
    ])
  })
})

describe('the marker of NeMo', () => {
  it('is a part of the file, or the folder, that it is about', async () => {
    const root = write(makeFolder(), { 'a/x-step=1.ckpt': saved(1), 'a/x-step=1-unfinished': '' })
    const name = 'x--val_loss=1.00-step=2-consumed_samples=9.0'
    cpSync(join(fixtures, 'variants/nemo-folders/run/mymodel'), join(root, 'b', name), { recursive: true })
    writeFileSync(join(root, 'b', `${name}-unfinished`), '')
    expect(await membersIn(root)).toEqual({
      'x-step=1.ckpt': ['x-step=1-unfinished', 'x-step=1.ckpt'],
      [name]: [name, `${name}-unfinished`],
    })
  })

  it('is no damage of its own, and "last" does not name what it is about, which NeMo passes over', async () => {
    const root = write(makeFolder(), {
      'x-step=1.ckpt': saved(1),
      'x-step=2-last.ckpt': saved(2),
      'x-step=3-last.ckpt': saved(3),
      'x-step=3-last-unfinished': '',
    })
    const checkpoints = (await findRuns(storage, root)).flatMap((run) => run.checkpoints)
    const graded = await checkHealth(storage, checkpoints, checkpoints, 'quick')
    expect(graded.map(({ name, health }) => [name, health.findings.map(({ grade }) => grade)])).toEqual([
      ['x-step=1.ckpt', []],
      ['x-step=2-last.ckpt', []],
      ['x-step=3-last.ckpt', ['unfinished']],
    ])
    const named = new Set(checkpoints.flatMap(({ pointsTo }) => pointsTo.map(({ name }) => name)))
    expect([...named]).toEqual(['x-step=2-last.ckpt'])
  })
})

describe('the ranks of NeMo 1, each in a folder of its own', () => {
  const ranksOf = (...names: string[]) =>
    Object.fromEntries(names.map((name) => [`checkpoints/${name}`, saved(Number(/step=(\d)/.exec(name)?.[1]))]))

  it.each([
    ['mp_rank_00', 'mp_rank_01'],
    ['tp_rank_00_pp_rank_000', 'tp_rank_00_pp_rank_001'],
  ])('are one checkpoint: %s', async (zero, one) => {
    const names = ['x-step=1.ckpt', 'x-step=2-last.ckpt', 'x-step=2.ckpt']
    const root = write(makeFolder(), ranksOf(...names.flatMap((name) => [`${zero}/${name}`, `${one}/${name}`])))
    const runs = await findRuns(storage, root)
    expect(runs.map(({ path }) => path)).toEqual([join(root, 'checkpoints')])
    expect(await membersIn(root)).toEqual(
      Object.fromEntries(names.map((name) => [name, [`${zero}/${name}`, `${one}/${name}`]])),
    )
    const [run] = runs
    expect(run?.checkpoints.map(({ path, step, kind }) => [path, step, kind])).toEqual(
      [1, 2, 2].map((step, index) => [join(root, 'checkpoints', names[index] ?? ''), step, 'group']),
    )
    expect(run?.checkpoints.flatMap(({ meta }) => [...meta.keys()].filter((key) => key.includes('/')))).toEqual([])
    const named = new Set(run?.checkpoints.flatMap(({ pointsTo }) => pointsTo.map(({ name }) => name)))
    expect([...named]).toEqual(['x-step=2-last.ckpt'])
  })

  it('are no run where a folder of theirs is named', async () => {
    const root = write(makeFolder(), ranksOf('mp_rank_00/x-step=1.ckpt', 'mp_rank_01/x-step=1.ckpt'))
    await expect(loadRun(storage, join(root, 'checkpoints/mp_rank_01'))).rejects.toThrow('is a checkpoint, not a run')
  })

  it('are all looked into, and one that is not there is told', async () => {
    const files = ranksOf('mp_rank_00/x-step=1.ckpt', 'mp_rank_01/x-step=1.ckpt', 'mp_rank_00/x-step=2.ckpt')
    const root = write(makeFolder(), { ...files, 'checkpoints/mp_rank_01/x-step=1.ckpt': saved(1).subarray(0, 300) })
    const checkpoints = (await findRuns(storage, root)).flatMap((run) => run.checkpoints)
    const graded = await checkHealth(storage, checkpoints, checkpoints, 'quick')
    expect(
      graded.map(({ name, health }) => [name, health.grade, health.findings.map(({ file, reason }) => file ?? reason)]),
    ).toEqual([
      ['x-step=1.ckpt', 'corrupt', ['mp_rank_01/x-step=1.ckpt']],
      ['mp_rank_00/x-step=2.ckpt', 'partial', ['mp_rank_01/x-step=2.ckpt is not there; 1 of 2 ranks have it']],
    ])
  })

  it('are one with their averaged twins and their marker', async () => {
    const root = write(makeFolder(), {
      ...ranksOf(
        ...['mp_rank_00', 'mp_rank_01'].flatMap((rank) => [`${rank}/x-step=1.ckpt`, `${rank}/x-step=1-EMA.ckpt`]),
      ),
      'checkpoints/x-step=1-unfinished': '',
    })
    expect(await membersIn(root)).toEqual({
      'x-step=1.ckpt': [
        'mp_rank_00/x-step=1-EMA.ckpt',
        'mp_rank_00/x-step=1.ckpt',
        'mp_rank_01/x-step=1-EMA.ckpt',
        'mp_rank_01/x-step=1.ckpt',
        'x-step=1-unfinished',
      ],
    })
  })
})
