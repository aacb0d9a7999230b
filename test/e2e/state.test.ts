/** Pins, plans, the trash and demotions from the outside. */
import { spawn } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, copyFixture, temporaryDirectory } from './ckpt.js'
import { epochs, makeRun } from './runs.js'

interface Documents {
  readonly checkpoints: readonly { readonly name: string; readonly marks: readonly string[] }[]
  readonly remove: readonly { readonly name: string; fingerprint: unknown }[]
  readonly failed: readonly { readonly name: string; readonly error: string }[]
  readonly demote: readonly { readonly name: string; readonly drop: readonly string[] }[]
  readonly trash: readonly { readonly id: string; readonly name: string }[]
  readonly freedBytes: number
  readonly applied: boolean
}

async function json(...args: string[]): Promise<Documents & { status: number }> {
  const { stdout, status } = await ckpt([...args, '--json'])
  return { ...(JSON.parse(stdout) as Documents), status }
}

/** What ckpt keeps beside the run. */
function remembered(run: string): string[] {
  return readdirSync(join(run, '../.ckpt', basename(run))).sort()
}

function namesIn(run: string): string[] {
  return readdirSync(run).sort()
}

/** Times to the nanosecond of everything below. */
function timesBelow(path: string): Record<string, bigint> {
  const names = ['', ...readdirSync(path, { recursive: true, encoding: 'utf8' })]
  return Object.fromEntries(names.map((name) => [name, statSync(join(path, name), { bigint: true }).mtimeNs]))
}

describe('a pin', () => {
  it('keeps its checkpoint from prune, is shown with its note, and changes nothing in the folder', async () => {
    const run = makeRun(epochs(5))
    const [oldest = ''] = namesIn(run)
    const before = timesBelow(run)
    expect(await ckpt(['pin', join(run, oldest), '--note', 'table\u001b[31m 2'])).toMatchObject({ status: 0 })
    expect(timesBelow(run)).toEqual(before)
    const { stdout } = await ckpt(['list', run])
    expect(stdout).toContain('pinned: table\\e[31m 2')
    await ckpt(['prune', run, '--keep', '1', '--verify', 'quick', '--yes'])
    expect(namesIn(run)).toHaveLength(2)
    expect(namesIn(run)).toContain(oldest)
    expect(await ckpt(['unpin', oldest], { cwd: run })).toMatchObject({ status: 0 })
    await ckpt(['prune', run, '--keep', '1', '--verify', 'quick', '--yes'])
    expect(namesIn(run)).toHaveLength(1)
    expect(remembered(run)).toEqual(['journal.jsonl'])
  })

  it('of the best by several metrics names them, and a command to type', async () => {
    const run = makeRun({
      'CKPT+a': { 'CKPT.yaml': 'loss: 1\nWER: 2\n', 'model.ckpt': 'm' },
      'CKPT+b': { 'CKPT.yaml': 'loss: 2\nWER: 1\n', 'model.ckpt': 'm' },
    })
    const { status, stderr } = await ckpt(['pin', run, '--best'])
    expect(status).toBe(2)
    expect(stderr).toContain('There are 2 metrics: loss, WER')
    expect(stderr).toContain(`name one: --min loss, --min WER; as in: ckpt pin ${run} --best --min loss`)
  })

  it('of a checkpoint that is gone is reported once, and holds again when it is back', async () => {
    const run = makeRun(epochs(3))
    const [oldest = ''] = namesIn(run)
    await ckpt(['pin', join(run, oldest)])
    renameSync(join(run, oldest), join(run, '../away'))
    expect((await ckpt(['list', run])).stderr).toContain(`${oldest} was pinned and is gone`)
    expect((await ckpt(['list', run])).stderr).toBe('')
    renameSync(join(run, '../away'), join(run, oldest))
    expect((await json('list', run)).checkpoints.at(-1)?.marks).toContain('pinned')
    rmSync(join(run, oldest), { recursive: true })
    expect((await ckpt(['list', run])).stderr).toContain('is gone')
    expect(await ckpt(['unpin', join(run, oldest)])).toMatchObject({ status: 0 })
    expect(await ckpt(['unpin', join(run, oldest)])).toMatchObject({ status: 3 })
  })

  it('of thousands that are gone is reported in a few lines', async () => {
    const run = makeRun(epochs(2))
    const pins = Array.from({ length: 5000 }, (_, i) => ({ name: `gone-${i}`, note: 'x', time: 1, goneTold: false }))
    const state = join(run, '../.ckpt', basename(run))
    mkdirSync(state, { recursive: true })
    writeFileSync(join(state, 'pins.json'), JSON.stringify({ version: 1, pins }))
    const { status, stderr } = await ckpt(['list', run])
    expect([status, stderr.split('\n').length]).toEqual([0, 12])
    expect(stderr).toContain(`4990 more that were pinned are gone from ${run}`)
    expect((await ckpt(['list', run])).stderr).toBe('')
  })

  it('lies where --state or CKPT_STATE says, apart for each run', async () => {
    const [one, two] = [makeRun(epochs(2)), makeRun(epochs(2))]
    const state = join(temporaryDirectory(), 'state')
    const [name = ''] = namesIn(one)
    await ckpt(['pin', join(one, name), '--state', state])
    const env = { CKPT_STATE: state }
    expect((await ckpt(['list', one], { env })).stdout).toContain('pinned')
    expect((await ckpt(['list', two], { env })).stdout).not.toContain('pinned')
    expect((await ckpt(['list', one])).stdout).toContain('pinned')
  })

  it('protects what is pinned where --state said from a prune that is not told of it, or says so', async () => {
    const run = makeRun(epochs(3))
    const state = join(temporaryDirectory(), 'state')
    const [name = ''] = namesIn(run)
    await ckpt(['pin', join(run, name), '--state', state])
    const prune = ['prune', run, '--keep', '1', '--verify', 'none', '--yes']
    expect(await ckpt([...prune, '--dry-run'])).toMatchObject({ status: 0 })
    renameSync(state, `${state}-away`)
    expect(await ckpt(prune)).toMatchObject({ status: 5 })
    expect(namesIn(run)).toHaveLength(3)
    renameSync(`${state}-away`, state)
    expect(await ckpt(prune)).toMatchObject({ status: 0 })
    expect(namesIn(run)).toContain(name)
  })
})

describe('a written plan', () => {
  async function planned(count = 5) {
    const run = makeRun(epochs(count))
    const file = join(run, '../plan.json')
    const { status } = await ckpt(['prune', run, '--keep', '2', '--plan', file])
    expect(status).toBe(0)
    expect(namesIn(run)).toHaveLength(count)
    const plan = JSON.parse(readFileSync(file, 'utf8')) as { run: string; remove: Documents['remove'][number][] }
    return { run, file, plan, names: plan.remove.map(({ name }) => name) }
  }

  it('is shown as a plan is: the newest first, each with its age and size', async () => {
    const { run, file } = await planned()
    const applied = await ckpt(['prune', '--apply', file, '--dry-run'])
    const lines = applied.stdout.split('\n').filter((line) => line.startsWith('  CKPT'))
    expect(lines.map((line) => line.split(/ +/)[1])).toEqual(namesIn(run).toReversed())
    for (const line of lines) expect(line).toMatch(/^ {2}CKPT\S+ +\d+\w+ +[\d.]+ k?B {2}\S/)
  })

  it('is done exactly, and what is gone already counts as removed', async () => {
    const { run, file, names } = await planned()
    expect(await json('prune', '--apply', file, '--yes')).toMatchObject({ status: 0, applied: true, failed: [] })
    expect(namesIn(run)).toHaveLength(2)
    const again = await ckpt(['prune', '--apply', file, '--yes'])
    expect(again).toMatchObject({ status: 0 })
    for (const name of names) expect(again.stderr).toContain(`${name} is gone already: it counts as removed`)
    expect(namesIn(run)).toHaveLength(2)
  })

  it('leaves what changed meanwhile, and what was pinned or saved anew, and tells (exit 6)', async () => {
    const { run, file, names } = await planned(6)
    const [changed = '', pinned = '', anew = '', same = ''] = names
    writeFileSync(join(run, changed, 'model.ckpt'), 'other')
    await ckpt(['pin', join(run, pinned)])
    cpSync(join(run, anew), join(run, '../copy'), { recursive: true, preserveTimestamps: true })
    rmSync(join(run, anew), { recursive: true })
    renameSync(join(run, '../copy'), join(run, anew))
    const asked = await ckpt(['prune', '--apply', file, '--dry-run'])
    expect(asked.status).toBe(6)
    expect(asked.stdout).toContain('to remove: 1 checkpoint,')
    expect(asked.stdout).toContain(`${changed} stays: changed since the plan was made: model.ckpt`)
    const { failed, status } = await json('prune', '--apply', file, '--yes')
    expect(status).toBe(6)
    expect(failed.map(({ name }) => name).sort()).toEqual([changed, pinned, anew].sort())
    expect(failed.find(({ name }) => name === changed)?.error).toContain('changed since the plan was made')
    expect(failed.find(({ name }) => name === pinned)?.error).toContain('pinned')
    expect(namesIn(run)).not.toContain(same)
    expect(namesIn(run)).toHaveLength(5)
  })

  it('asks for a new plan where one that is gone is not all that stays', async () => {
    const { run, file, names } = await planned()
    const [gone = '', pinned = ''] = names
    rmSync(join(run, gone), { recursive: true })
    await ckpt(['pin', join(run, pinned)])
    const { status, stderr } = await ckpt(['prune', '--apply', file, '--yes'])
    expect(status).toBe(6)
    expect(stderr).toContain('hint: make a new plan')
  })

  it('does not remove the last ones when what it kept is gone', async () => {
    const { run, file, names } = await planned()
    for (const name of namesIn(run)) if (!names.includes(name)) rmSync(join(run, name), { recursive: true })
    const { status } = await ckpt(['prune', '--apply', file, '--yes'])
    expect(status).toBe(6)
    expect(namesIn(run)).toHaveLength(1)
  })

  it.each(['../elsewhere', '/etc', '.', '..', 'a/../../b', '', 'a//b', 'a\u0000b'])(
    'that names %j is refused whole',
    async (name) => {
      const { run, file, plan } = await planned()
      writeFileSync(file, JSON.stringify({ ...plan, remove: [...plan.remove, { ...plan.remove[0], name }] }))
      const before = namesIn(run)
      expect(await ckpt(['prune', '--apply', file, '--yes'])).toMatchObject({ status: 2 })
      expect(namesIn(run)).toEqual(before)
    },
  )

  it('cannot reach what is not a checkpoint, or lies behind a link', async () => {
    const { run, file, plan } = await planned()
    mkdirSync(join(run, 'precious'))
    writeFileSync(join(run, 'precious', 'data'), '')
    symlinkSync(join(run, 'precious'), join(run, 'CKPT+link'))
    const [entry] = plan.remove
    const remove = ['precious', 'precious/data', 'CKPT+link'].map((name) => ({ ...entry, name }))
    writeFileSync(file, JSON.stringify({ ...plan, remove }))
    expect(await ckpt(['prune', '--apply', file, '--yes'])).toMatchObject({ status: 6 })
    expect(readdirSync(join(run, 'precious'))).toEqual(['data'])
  })

  it.each([
    ['no JSON', 'x'],
    ['another document', '{"kind": "other"}'],
    [
      'no fingerprints',
      '{"kind": "ckpt prune plan", "version": 1, "run": "/x", "created": 1, "remove": [{"name": "a"}]}',
    ],
    ['a run that is not a path', '{"kind": "ckpt prune plan", "version": 1, "run": "x", "created": 1, "remove": []}'],
    ['another version', '{"kind": "ckpt prune plan", "version": 2, "run": "/x", "created": 1, "remove": []}'],
  ])('that is %s is a mistake (exit 2)', async (_, text) => {
    const file = join(temporaryDirectory(), 'plan.json')
    writeFileSync(file, text)
    expect(await ckpt(['prune', '--apply', file, '--yes'])).toMatchObject({ status: 2 })
  })

  it('goes with no policy beside it, and never over a file', async () => {
    const { run, file } = await planned()
    expect(await ckpt(['prune', '--apply', file, '--keep', '1', '--yes'])).toMatchObject({ status: 2 })
    expect(await ckpt(['prune', run, '--keep', '1', '--plan', file])).toMatchObject({ status: 5 })
  })
})

describe('the trash', () => {
  it('gives back what was moved, times to the nanosecond included', async () => {
    const run = makeRun(epochs(4))
    const before = timesBelow(run)
    const names = namesIn(run)
    const { freedBytes, remove } = await json('prune', run, '--keep', '1', '--trash', '--verify', 'quick', '--yes')
    expect(freedBytes).toBe(0)
    expect(namesIn(run)).toHaveLength(1)
    const { trash } = await json('trash', 'list', run)
    expect(trash.map(({ name }) => name).sort()).toEqual(remove.map(({ name }) => name).sort())
    const outcome = await ckpt(['trash', 'restore', ...trash.map(({ name }) => join(run, name))])
    expect(outcome.stdout.trim().split('\n').sort()).toEqual(trash.map(({ name }) => join(run, name)).sort())
    expect(namesIn(run)).toEqual(names)
    const after = timesBelow(run)
    delete before['']
    delete after['']
    expect(after).toEqual(before)
    expect(remembered(run)).toEqual(['journal.jsonl'])
  })

  it('never overwrites, and of two of one name gives the last one back, or that of an id', async () => {
    const run = makeRun(epochs(3))
    const [oldest = ''] = namesIn(run)
    const prune = [
      'prune',
      run,
      '--where',
      `name == "${oldest}"`,
      '--keep',
      '0',
      '--trash',
      '--verify',
      'quick',
      '--yes',
    ]
    for (const text of ['first', 'second']) {
      makeRun({ [oldest]: { 'CKPT.yaml': 'unixtime: 1.0\n', 'model.ckpt': text } }, run)
      await ckpt(prune)
    }
    makeRun({ [oldest]: { 'CKPT.yaml': 'unixtime: 1.0\n', 'model.ckpt': 'third' } }, run)
    expect(await ckpt(['trash', 'restore', join(run, oldest)])).toMatchObject({ status: 5 })
    expect(readFileSync(join(run, oldest, 'model.ckpt'), 'utf8')).toBe('third')
    rmSync(join(run, oldest), { recursive: true })
    const { trash } = await json('trash', 'list', run)
    expect(trash.map(({ name }) => name)).toEqual([oldest, oldest])
    await ckpt(['trash', 'restore', trash[1]?.id ?? ''], { cwd: run })
    expect(readFileSync(join(run, oldest, 'model.ckpt'), 'utf8')).toBe('first')
    rmSync(join(run, oldest), { recursive: true })
    await ckpt(['trash', 'restore', oldest], { cwd: run })
    expect(readFileSync(join(run, oldest, 'model.ckpt'), 'utf8')).toBe('second')
  })

  it('is shown by the command that a mistaken name is answered with', async () => {
    const run = makeRun(epochs(2))
    const [oldest = ''] = namesIn(run)
    for (const name of ['CKPT+gone', oldest]) {
      const { status, stderr } = await ckpt(['trash', 'restore', join(run, name)])
      expect([status, stderr]).toEqual([3, expect.stringMatching(`ckpt trash list ${run}\n`)])
    }
    expect((await ckpt(['trash', 'restore', oldest], { cwd: run })).stderr).toMatch(/ckpt trash list \.\n/)
  })

  it('says the path to type where name and run were given apart, and that there is nothing in it', async () => {
    const run = makeRun(epochs(2))
    const [oldest = ''] = namesIn(run)
    expect(await ckpt(['trash', 'list', run])).toMatchObject({ status: 0, stderr: `the trash of ${run} is empty\n` })
    expect(await ckpt(['trash', 'list', run, '--json'])).toMatchObject({ status: 0, stderr: '' })
    await ckpt(['prune', run, '--keep', '1', '--trash', '--verify', 'quick', '--yes'])
    for (const args of [
      [oldest, run],
      [run, oldest],
    ]) {
      const { status, stderr } = await ckpt(['trash', 'restore', ...args])
      expect([status, stderr]).toEqual([3, expect.stringContaining(`ckpt trash restore ${join(run, oldest)}\n`)])
    }
  })

  it('is emptied of what is old enough, and asks', async () => {
    const run = makeRun(epochs(3))
    await ckpt(['prune', run, '--keep', '1', '--trash', '--verify', 'quick', '--yes'])
    expect(await ckpt(['trash', 'empty', run])).toMatchObject({ status: 5 })
    expect(await json('trash', 'empty', run, '--older-than', '1d', '--yes')).toMatchObject({
      remove: [],
      freedBytes: 0,
    })
    const planned = await json('trash', 'empty', run, '--dry-run')
    expect(planned).toMatchObject({ applied: false })
    const done = await json('trash', 'empty', run, '--yes')
    expect(done.remove).toHaveLength(2)
    expect(done.freedBytes).toBe(planned.freedBytes)
    expect(remembered(run)).toEqual(['journal.jsonl'])
  })

  it('that cannot be made is refused with the reason (exit 5), while prune works without', async () => {
    const run = makeRun(epochs(3))
    writeFileSync(join(run, '../.ckpt'), 'in the way')
    const trash = await ckpt(['prune', run, '--keep', '1', '--trash', '--yes'])
    expect(trash).toMatchObject({ status: 5 })
    expect(trash.stderr).toContain('.ckpt')
    for (const command of [
      ['pin', join(run, namesIn(run)[0] ?? '')],
      ['demote', run, '--keep', '1', '--yes'],
    ]) {
      expect(await ckpt(command)).toMatchObject({ status: 5 })
    }
    expect(namesIn(run)).toHaveLength(3)
    expect(await ckpt(['prune', run, '--keep', '1', '--yes'])).toMatchObject({ status: 0 })
    expect(namesIn(run)).toHaveLength(1)
  })

  it('still knows a run that has lost its last checkpoint to it', async () => {
    const run = makeRun(epochs(2))
    await ckpt(['prune', run, '--keep', '0', '--no-protect', '--allow-empty', '--trash', '--yes'])
    expect(namesIn(run)).toEqual([])
    expect((await json('trash', 'list', run)).trash).toHaveLength(2)
  })
})

describe('a demotion', () => {
  const hf = () => copyFixture('runs/frameworks/hf_trainer/run')
  const resume = ['optimizer.pt', 'rng_state.pth', 'scheduler.pt']

  it('drops what only resuming needs, keeps the time of the folder, and is not damage', async () => {
    const run = hf()
    for (const name of ['checkpoint-6', 'checkpoint-12']) utimesSync(join(run, name), 1.7e9, 1.7e9 + 0.123456789)
    const before = timesBelow(run)
    const done = await json('demote', run, '--older-than-best', '1', '--max', 'eval_accuracy', '--yes')
    expect(done.demote).toEqual(
      ['checkpoint-18', 'checkpoint-12', 'checkpoint-6'].map((name) => ({ name, drop: resume })),
    )
    for (const { name } of done.demote) {
      expect(namesIn(join(run, name))).toEqual([
        'config.json',
        'model.safetensors',
        'trainer_state.json',
        'training_args.bin',
      ])
      expect(timesBelow(run)[name]).toBe(before[name])
    }
    expect(await ckpt(['verify', run])).toMatchObject({ status: 0 })
    expect((await ckpt(['list', run])).stdout.match(/demoted/g)).toHaveLength(3)
    const refused = await ckpt(['recover', run, '--where', 'step <= 12'])
    expect(refused).toMatchObject({ status: 4 })
    expect(refused.stderr).toContain('demoted')
    expect((await ckpt(['recover', run])).stdout.trim()).toBe(join(run, 'checkpoint-30'))
  })

  it('still lets a file that another checkpoint lacks count as damage', async () => {
    const run = hf()
    await ckpt(['demote', run, '--older-than-best', '1', '--max', 'eval_accuracy', '--yes'])
    rmSync(join(run, 'checkpoint-24', 'optimizer.pt'))
    const { stdout, status } = await ckpt(['verify', run])
    expect(status).toBe(4)
    expect(stdout).toContain('optimizer.pt')
  })

  it('is shown first and protected as a prune, and needs a yes', async () => {
    const run = copyFixture('runs/asr_run')
    const oldest = namesIn(run)[0] ?? ''
    await ckpt(['pin', join(run, oldest)])
    expect(await ckpt(['demote', run, '--keep', '1'])).toMatchObject({ status: 5 })
    const plan = await json('demote', run, '--keep', '1', '--dry-run')
    const done = await json('demote', run, '--keep', '1', '--yes')
    expect(done.demote).toEqual(plan.demote)
    expect(done.freedBytes).toBe(plan.freedBytes)
    expect(done.demote.map(({ name }) => name)).not.toContain(oldest)
    expect(done.demote[0]?.drop).toEqual(['optimizer.ckpt', 'scheduler.ckpt'])
  })

  it('leaves a checkpoint that was saved anew under the name alone', async () => {
    const run = hf()
    cpSync(join(run, 'checkpoint-6'), join(run, '../again'), { recursive: true })
    await ckpt(['demote', run, '--older-than-best', '1', '--max', 'eval_accuracy', '--yes'])
    rmSync(join(run, 'checkpoint-6'), { recursive: true })
    renameSync(join(run, '../again'), join(run, 'checkpoint-6'))
    expect((await ckpt(['list', run, '--where', 'step == 6'])).stdout).not.toContain('demoted')
    await ckpt(['prune', run, '--keep', '9', '--yes'])
    expect(namesIn(join(run, 'checkpoint-6'))).toContain('optimizer.pt')
  })
})

describe('two ckpt on one run', () => {
  it('wait for each other, and say who holds it when that takes too long', async () => {
    const run = makeRun(epochs(4))
    const holder = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    const lock = join(run, '../.ckpt/save/lock')
    mkdirSync(lock, { recursive: true })
    const { stdout } = await ckpt(['list', run])
    expect(stdout).toContain('NAME')
    const stat = readFileSync(`/proc/${holder.pid ?? 0}/stat`, 'utf8')
    const owner = {
      host: (await import('node:os')).hostname(),
      pid: holder.pid,
      started: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19],
      boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
      namespace: (await import('node:fs')).readlinkSync('/proc/self/ns/pid'),
      command: 'ckpt prune',
    }
    writeFileSync(join(lock, 'owner.json'), JSON.stringify({ version: 1, token: 'x', owner }))
    const refused = await ckpt(['prune', run, '--keep', '1', '--yes', '--wait', '1s'])
    expect(refused).toMatchObject({ status: 5 })
    expect(refused.stderr).toContain(`ckpt prune (process ${holder.pid ?? 0} on `)
    expect(namesIn(run)).toHaveLength(4)
    holder.kill('SIGKILL')
    await new Promise((resolve) => holder.on('close', resolve))
    expect(await ckpt(['prune', run, '--keep', '1', '--verify', 'quick', '--yes', '--wait', '0s'])).toMatchObject({
      status: 0,
    })
    expect(namesIn(run)).toHaveLength(1)
    expect(remembered(run)).toEqual(['journal.jsonl'])
  })

  it('that prune by opposite orders never empty it together', async () => {
    const run = makeRun(epochs(8))
    const prune = (order: string, key: string) =>
      ckpt(['prune', run, '--no-keep-recent', `--${order}`, key, '--no-protect', '--verify', 'quick', '--yes'])
    const outcomes = await Promise.all([prune('min', 'WER'), prune('max', 'WER'), prune('min', 'epoch')])
    expect(outcomes.filter(({ status }) => status !== 0 && status !== 5)).toEqual([])
    expect(namesIn(run)).toHaveLength(1)
    expect(remembered(run)).toEqual(['journal.jsonl'])
  })
})
