import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, program, shell, temporaryDirectory } from './ckpt.js'

function place(): { run: string; model: string } {
  const folder = temporaryDirectory()
  writeFileSync(join(folder, 'model.bin'), 'weights')
  return { run: join(folder, 'exp', 'save'), model: join(folder, 'model.bin') }
}

describe('ckpt save', () => {
  it('prints the path of a checkpoint that list shows, made of a file and of standard input', async () => {
    const { run, model } = place()
    const args = [
      '--file',
      `model=${model}`,
      '--file',
      'epoch=-',
      '--meta',
      'loss=15.5',
      '--meta',
      'validation-type=full',
    ]
    const { status, stdout, stderr } = await ckpt(['save', run, ...args], { input: '3' })
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/\/exp\/save\/CKPT\+\d{4}-\d\d-\d\d\+\d\d-\d\d-\d\d\+00\n$/)
    const path = stdout.trim()
    expect(readFileSync(join(path, 'epoch.ckpt'), 'utf8')).toBe('3')
    expect(readFileSync(join(path, 'CKPT.yaml'), 'utf8')).toMatch(
      /^# yamllint disable\n# saved whole by ckpt\nend-of-epoch: true\nloss: 15\.5\nunixtime: \d+\.\d+\nvalidation-type: full\n$/,
    )
    const listed = JSON.parse((await ckpt(['list', run, '--json'])).stdout) as { checkpoints: { path: string }[] }
    expect(listed.checkpoints.map((one) => one.path)).toEqual([path])
    expect(readdirSync(join(run, '..'))).toEqual(['save'])
  })

  it.each(['.done', 'CKPT.yaml', 'model.ckpt'])(
    'with complete: %s in ckpt.yaml it has that file, and so is whole to list and recover',
    async (complete) => {
      const { run, model } = place()
      mkdirSync(run, { recursive: true })
      writeFileSync(join(run, 'ckpt.yaml'), `complete: ${complete}\n`)
      // Each in a process of its own: what comes after knows nothing of these settings.
      const env = { RUN: run, MODEL: model }
      const path = (await shell('ckpt save "$RUN" --file model="$MODEL"', { env })).stdout.trim()
      expect(readdirSync(path).sort()).toEqual([...new Set([complete, 'CKPT.yaml', 'model.ckpt'])].sort())
      expect(readFileSync(join(path, 'model.ckpt'), 'utf8')).toBe('weights')
      expect((await shell('ckpt verify "$RUN"', { env })).stdout).toContain('1 checkpoint, whole')
      expect((await shell('ckpt recover "$RUN"', { env })).stdout).toBe(`${path}\n`)
    },
  )

  it('names it by local time', async () => {
    const { run, model } = place()
    const hourIn = async (TZ: string) => {
      const { stdout } = await ckpt(['save', run, '--file', `x=${model}`, '--dry-run'], { env: { TZ } })
      return Number(/\+(\d\d)-\d\d-\d\d\+00$/.exec(stdout.trim())?.[1])
    }
    const [utc, later] = [await hourIn('UTC'), await hourIn('Asia/Karachi')]
    expect([5, 6]).toContain((later - utc + 24) % 24)
    expect(existsSync(run)).toBe(false)
  })

  it('prunes after the save, and never the new one', async () => {
    const { run, model } = place()
    const names: string[] = []
    for (const [index, loss] of [3, 1, 2, 9].entries()) {
      const args = ['--file', `x=${model}`, '--meta', `loss=${loss}`, '--name', `ep${index}`]
      const { status, stdout } = await ckpt([
        'save',
        run,
        ...args,
        '--keep',
        '1',
        '--min',
        'loss',
        '--no-keep-recent',
        '--no-protect',
      ])
      expect(status).toBe(0)
      names.push(stdout.trim())
    }
    expect(readdirSync(run).sort()).toEqual(['CKPT+ep1', 'CKPT+ep3'])
  })

  it('with --dry-run shows what it and its prune would do, and changes nothing', async () => {
    const { run, model } = place()
    await ckpt(['save', run, '--file', `x=${model}`, '--name', 'old'])
    const args = ['save', run, '--file', `x=${model}`, '--name', 'new', '--keep', '1', '--dry-run', '--json']
    const { status, stdout } = await ckpt(args)
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      name: 'CKPT+new',
      saved: false,
      prune: { keep: [{ name: 'CKPT+new' }], remove: [{ name: 'CKPT+old' }], applied: false },
    })
    expect(readdirSync(run)).toEqual(['CKPT+old'])
  })

  it.each([
    [[], 2],
    [['--file', 'x'], 2],
    [['--file', 'a/b=MODEL'], 2],
    [['--file', 'x=MODEL', '--file', 'x=MODEL'], 2],
    [['--file', 'x=-', '--file', 'y=-'], 2],
    [['--file', 'x=MODEL', '--meta', 'loss'], 2],
    [['--file', 'x=MODEL', '--meta', 'unixtime=soon'], 2],
    [['--file', 'x=MODEL', '--move', '--link', 'hard'], 2],
    [['--file', 'x=MODEL', '--keep', '-1'], 2],
    [['--file', 'x=MODEL', '--no-protect'], 5],
    [['--file', 'x=nowhere'], 3],
    [['--file', 'x=-'], 5],
  ])('refuses %j with exit status %i, and saves nothing', async (args, expected) => {
    const { run, model } = place()
    const { status, stdout } = await ckpt(['save', run, ...args.map((arg) => arg.replace('MODEL', model))])
    expect([status, stdout]).toEqual([expected, ''])
    expect(existsSync(run)).toBe(false)
  })

  it('never overwrites a name, nor saves into a checkpoint', async () => {
    const { run, model } = place()
    const args = ['--file', `x=${model}`, '--name', 'ep1']
    await ckpt(['save', run, ...args])
    expect((await ckpt(['save', run, ...args])).status).toBe(5)
    expect((await ckpt(['save', join(run, 'CKPT+ep1'), ...args])).status).toBe(3)
  })
})

/** Of each saver: all of them take seconds, and as long as it takes on a busy machine. */
const saves = 8

it(`loses nothing and shows no half checkpoint to 8 savers of ${saves} each, 2 pruners and a lister`, async () => {
  const { run, model } = place()
  mkdirSync(run, { recursive: true })
  let saving = 8
  const saved: string[] = []
  const damaged: string[] = []
  const failures: string[] = []
  const whileSaving = async (work: () => Promise<void>) => {
    while (saving > 0) {
      await work()
      // In this process a command may end without a turn of the event loop, which tells of the savers' ends.
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  let count = 0
  const saver = async () => {
    const keeps = (count += 1) % 5 === 0 ? ['--meta', 'paper=true'] : []
    const { status, stdout, stderr } = await ckpt([
      'save',
      run,
      '--file',
      `x=${model}`,
      '--meta',
      `n=${count}`,
      ...keeps,
    ])
    if (status !== 0) failures.push(`save ${status}: ${stderr}`)
    else if (keeps.length > 0) saved.push(stdout.trim())
  }
  const pruner = async () => {
    const { status, stderr } = await ckpt(['prune', run, '--keep', '3', '--keep-where', 'paper', '--yes'])
    // 6: another pruner was faster with some. 3: nothing has been saved yet. 5: another pruner holds the run.
    if (![0, 3, 5, 6].includes(status)) failures.push(`prune ${status}: ${stderr}`)
  }
  const lister = async () => {
    const { status, stdout } = await ckpt(['list', run, '--verify', 'quick', '--json'])
    if (status === 3) return
    const { checkpoints } = JSON.parse(stdout) as { checkpoints: { name: string; health: string; files: object }[] }
    for (const { name, health, files } of checkpoints) {
      // One that was removed between two looks of the lister is not a half checkpoint: it is not there.
      const half = health !== 'whole' || Object.keys(files).length !== 1
      if (half && existsSync(join(run, name))) damaged.push(`${name}: ${health}`)
    }
  }
  await Promise.all([
    ...Array.from({ length: saving }, async () => {
      try {
        for (let done = 0; done < saves; done += 1) await saver()
      } finally {
        saving -= 1
      }
    }),
    ...Array.from({ length: 2 }, () => whileSaving(pruner)),
    whileSaving(lister),
  ])
  expect(failures).toEqual([])
  expect(damaged).toEqual([])
  expect(saved.filter((path) => !existsSync(path))).toEqual([])
  for (const name of readdirSync(run)) {
    expect(readdirSync(join(run, name)).sort()).toEqual(['CKPT.yaml', 'x.ckpt'])
    expect(readFileSync(join(run, name, 'x.ckpt'), 'utf8')).toBe('weights')
  }
}, 240_000)

it('reads a large input in pieces, and dies of a kill without a trace in the run', async () => {
  const { run } = place()
  const child = spawn(process.execPath, [program, 'save', run, '--file', 'x=-'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.stdin.on('error', () => undefined)
  child.stdin.write(Buffer.alloc(1 << 22))
  const staging = join(run, '../.ckpt/save/staging')
  while (!existsSync(staging) || readdirSync(staging, { recursive: true }).length < 4) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  child.kill('SIGKILL')
  await new Promise((resolve) => child.on('close', resolve))
  expect(readdirSync(run)).toEqual([])
})
