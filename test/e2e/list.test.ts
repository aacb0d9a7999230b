import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ckpt, copyFixture } from './ckpt.js'
import { document, epochs, makeRun, nameOf, names, type Answer } from './runs.js'

let run = ''

beforeAll(() => {
  // A meta that cannot be read says no time: it has the place of its neighbour by name.
  run = makeRun({
    ...epochs(6),
    'CKPT+before': { 'CKPT.yaml': 'WER: [1, 2\nepoch: 9\n', 'model.ckpt': 'x' },
    'CKPT+no-meta': { 'model.ckpt': 'x' },
    other: { 'CKPT.yaml': 'unixtime: 1\n' },
  })
})

async function table(args: readonly string[]): Promise<string[][]> {
  const { stdout } = await ckpt(['list', ...args])
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/))
}

describe('ckpt list', () => {
  it('shows name, age, epoch, the metrics that vary, size and marks, the newest first', async () => {
    const [head, ...rows] = await table([run])
    expect(head).toEqual(['NAME', 'AGE', 'EPOCH', 'WER', 'ACC', 'loss', 'SIZE', 'MARKS'])
    const epoch6 = rows.find(([name]) => name === nameOf(6))
    expect(epoch6?.slice(2)).toEqual(['6', '94.5', '0.006', '3.5', '92 B', 'latest, best WER ACC'])
    expect(rows.find(([name]) => name === nameOf(3))?.at(-1)).toBe('best loss')
    const whole = rows.map(([name]) => name).filter((name) => name !== 'CKPT+before')
    expect(whole).toEqual([6, 5, 4, 3, 2, 1].map(nameOf))
  })

  it('has the metric that ranks first: asked for, of the policy in ckpt.yaml, or a constant one', async () => {
    const metricsOf = async (...args: string[]) => (await table(args))[0]?.slice(3, -2)
    expect(await metricsOf(run, '--min', 'loss')).toEqual(['loss', 'WER', 'ACC'])
    expect(await metricsOf(run, '--by', 'ACC - loss')).toEqual(['ACC', 'loss', 'WER'])
    const own = makeRun(epochs(3))
    writeFileSync(join(own, 'ckpt.yaml'), 'prune:\n  keep: 1\n  max: ACC\n')
    expect(await metricsOf(own)).toEqual(['ACC', 'WER', 'loss'])
    expect(await metricsOf(own, '--min', 'loss')).toEqual(['loss', 'WER', 'ACC'])
    expect((await table(['-r', own]))[0]).toEqual([
      'RUN',
      'NAME',
      'AGE',
      'EPOCH',
      'ACC',
      'WER',
      'loss',
      'SIZE',
      'MARKS',
    ])
    writeFileSync(join(own, 'ckpt.yaml'), 'prune:\n  kep: 1\n')
    expect(await metricsOf(own)).toEqual(['WER', 'ACC', 'loss'])
    const constant = makeRun({
      [nameOf(1)]: 'epoch: 1\nval_loss: 0.5\nother: 1\n',
      [nameOf(2)]: 'epoch: 2\nval_loss: 0.5\nother: 2\n',
    })
    expect(await metricsOf(constant)).toEqual(['val_loss', 'other'])
  })

  it('marks a broken meta with file and line, and lists the others all the same', async () => {
    const { stdout } = await ckpt(['list', run])
    expect(stdout).toMatch(/CKPT\+before.*corrupt: CKPT\.yaml: line 2, column \d+: /)
  })

  it('leaves out a column that does not vary, but no metric, by which one is the best all the same', async () => {
    const metas = ['ACC: 0.1\nunixtime: 1\n', 'ACC: 0.2\nunixtime: 2\n'].map((meta) => `WER: 3\nbeam: 8\n${meta}`)
    const [head] = await table([makeRun({ 'CKPT+a': metas[0] ?? '', 'CKPT+b': metas[1] ?? '' })])
    expect(head).toContain('ACC')
    expect(head).toContain('WER')
    expect(head).not.toContain('beam')
  })

  it('ranks by --min, --max and --by, and leaves out what has no value', async () => {
    expect(await names(['list', run, '--min', 'loss'])).toEqual([3, 4, 2, 5, 1, 6].map(nameOf))
    expect(await names(['list', run, '--max', 'WER'])).toEqual([1, 2, 3, 4, 5, 6].map(nameOf))
    expect(await names(['list', run, '--by', '-abs(epoch - 2)'])).toEqual([2, 3, 1, 4, 5, 6].map(nameOf))
  })

  it('filters with --where; several must all hold', async () => {
    expect(await names(['list', run, '--where', 'end-of-epoch'])).toEqual([6, 4, 2].map(nameOf))
    expect(await names(['list', run, '--where', 'end-of-epoch', '--where', 'WER < 97'])).toEqual([6, 4].map(nameOf))
    expect(await names(['list', run, '--where', 'name ~ "ep00[12]$"'])).toEqual([2, 1].map(nameOf))
  })

  it('sorts by any column or key; what has no value comes last', async () => {
    expect((await names(['list', run, '--sort', 'loss'])).slice(0, 6)).toEqual([3, 4, 2, 5, 1, 6].map(nameOf))
    expect((await names(['list', run, '--sort', '-epoch'])).at(-1)).toBe('CKPT+before')
    expect((await names(['list', run, '--sort', '-name'])).at(-1)).toBe('CKPT+before')
  })

  it('shows the columns asked for, in that order, any key of the meta among them', async () => {
    const rows = await table([run, '--columns', 'WER,name,end-of-epoch', '--limit', '1'])
    expect(rows.map((row) => row.filter((cell) => cell !== ''))).toEqual([
      ['WER', 'NAME', 'end-of-epoch'],
      ['94.5', nameOf(6), 'true'],
    ])
  })

  it.each([
    [['--columns', 'nme'], 'did you mean "name"?'],
    [['--columns', 'name,nothing-like-it'], 'see what there is: ckpt show '],
    [['--columns', '+WRE'], 'did you mean "WER"?'],
    [['--sort', '-WRE'], 'did you mean "WER"?'],
    [['--columns', 'WRE', '--json'], 'did you mean \\"WER\\"?'],
  ])('refuses a column that no checkpoint has: %j', async (flags, hint) => {
    const { status, stdout, stderr } = await ckpt(['list', run, ...flags])
    expect({ status, told: (stdout + stderr).includes(hint) }).toEqual({ status: 2, told: true })
    expect(stdout).not.toContain(nameOf(6))
  })

  it('gives at most --limit rows; --all gives every one', async () => {
    expect(await names(['list', run, '--limit', '2'])).toEqual([6, 5].map(nameOf))
    expect(await names(['list', run, '--limit', '0'])).toEqual([])
    expect(await names(['list', run, '--all'])).toHaveLength(7)
  })

  it('gives every row in a pipe', async () => {
    const many = makeRun(epochs(120))
    expect(await table([many])).toHaveLength(121)
    expect(await names(['list', many])).toHaveLength(120)
  })

  it('lists every run below a folder with -r', async () => {
    const root = dirname(run)
    makeRun(epochs(2), join(root, 'deeper', 'save2'))
    const { runs } = await document<{ runs: (Answer & { layout: string })[] }>(['list', '-r', root])
    expect(runs.map((one) => [one.run, one.layout, one.checkpoints.length])).toEqual([
      [join(root, 'deeper', 'save2'), 'speechbrain', 2],
      [run, 'speechbrain', 7],
    ])
    const { stdout } = await ckpt(['list', '-r', root])
    expect(stdout).toContain(nameOf(6))
  })

  it('says in each row of a pipe which run it is of, and which run a warning is about', async () => {
    const root = dirname(run)
    const other = makeRun({ 'CKPT+one': 'WER: 3\nunixtime: 1\n' }, join(root, 'other', 'save3'))
    const { stdout, stderr } = await ckpt(['list', '-r', root, '--where', 'los > 1 or WER == 3'])
    expect(stdout.trim().split('\n')).toEqual([
      expect.stringMatching(/^RUN +NAME /) as string,
      expect.stringContaining(`${other}  CKPT+one`) as string,
    ])
    expect(stderr).toContain(`${run}: no checkpoint has "los"`)
  })

  it('exits 3 when nothing matches, with what it would print beside the error', async () => {
    const got = await ckpt(['list', run, '--where', 'epoch > 99'])
    expect(got).toMatchObject({ status: 3, stdout: '' })
    expect(got.stderr).toMatch(/none of the 7 checkpoints matches epoch > 99/)
    const told = await ckpt(['list', run, '--min', 'nothing', '--json'])
    expect(told.status).toBe(3)
    expect(JSON.parse(told.stdout)).toMatchObject({ run, checkpoints: [], error: { code: 'no-match' } })
  })

  it('gives what there is to know of each with --json', async () => {
    const { checkpoints, run: path } = await document(['list', run, '--where', 'epoch == 6'])
    expect(path).toBe(run)
    expect(checkpoints[0]).toMatchObject({
      name: nameOf(6),
      path: join(run, nameOf(6)),
      layout: 'speechbrain',
      time: 1_700_021_600,
      step: null,
      epoch: 6,
      meta: { WER: 94.5, 'end-of-epoch': true },
      files: { model: { path: join(run, nameOf(6), 'model.ckpt'), size: 10 } },
      size: 92,
      health: 'unchecked',
    })
  })

  it('looks into the files with --verify', async () => {
    const damaged = copyFixture('runs/asr_run_damaged')
    const grades = async (level: string) =>
      (await document(['list', damaged, '--verify', level])).checkpoints.filter(
        ({ health }) => health !== 'whole' && health !== 'unchecked',
      )
    expect(await grades('none')).toHaveLength(4)
    expect(await grades('quick')).toHaveLength(5)
    expect(await grades('deep')).toHaveLength(6)
  })

  it('has no colours in a pipe, and has them where FORCE_COLOR asks for them; NO_COLOR takes them away', async () => {
    const escape = '\u001b['
    expect((await ckpt(['list', run])).stdout).not.toContain(escape)
    const listing = ['list', run, '--where', 'los > 1']
    expect((await ckpt(listing, { env: { FORCE_COLOR: '1' } })).stderr).toContain(escape)
    expect((await ckpt(listing, { env: { NO_COLOR: '1' } })).stderr).not.toContain(escape)
  })

  it('--quiet leaves out the notes and keeps errors', async () => {
    const got = await ckpt(['list', run, '--where', 'los > 1', '--quiet'])
    expect(got).toMatchObject({ status: 3, stderr: expect.not.stringContaining('warning') as string })
    expect((await ckpt(['list', join(run, 'nowhere'), '-q'])).stderr).toMatch(/^error: /)
  })
})
