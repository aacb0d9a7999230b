import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, copyFixture, outcomeOf, start, temporaryDirectory } from './ckpt.js'
import { document, epochs, makeRun, nameOf, parse, snapshot, type Answer, type Failed } from './runs.js'

const asr = (end: string) => `CKPT+2026-11-22+20-46-49+${end}`

/** Epochs 1 to 3, of which the newest two are torn. */
function tornRun(): string {
  return makeRun({
    ...epochs(1),
    [nameOf(2)]: { 'CKPT.yaml': 'unixtime: 1700010000.0\nWER: [', 'model.ckpt': 'x' },
    [nameOf(3)]: { 'CKPT.yaml': 'unixtime: 1700020000.0\nWER: 3.5\n', 'model.ckpt': '' },
  })
}

function hopelessRun(): string {
  return makeRun({ [nameOf(1)]: { 'CKPT.yaml': '', 'model.ckpt': 'x' }, [nameOf(2)]: { 'CKPT.yaml': '\u0000' } })
}

describe('ckpt recover alone', () => {
  it('prints the path of the newest whole checkpoint, and says on stderr which it passed over and why', async () => {
    const run = tornRun()
    const got = await ckpt(['recover', run])
    expect(got).toMatchObject({ status: 0, stdout: `${join(run, nameOf(1))}\n` })
    expect(got.stderr).toMatch(/passed over CKPT\+ep003: model\.ckpt: 0 bytes/)
    expect(got.stderr).toMatch(/passed over CKPT\+ep002: CKPT\.yaml: line 2, column/)
  })

  it('says the same in JSON', async () => {
    const run = tornRun()
    const got = await document<{
      checkpoint: Answer['checkpoints'][0]
      passedOver: { name: string; reasons: string[] }[]
    }>(['recover', run])
    expect(got.checkpoint.name).toBe(nameOf(1))
    expect(got.passedOver.map(({ name }) => name)).toEqual([3, 2].map(nameOf))
    expect(got.passedOver.every(({ reasons }) => reasons.length > 0)).toBe(true)
  })

  it('takes the best by an order, among those that a filter selects', async () => {
    const run = makeRun(epochs(5))
    const path = async (...args: string[]) => (await ckpt(['recover', run, ...args])).stdout
    expect(await path('--max', 'WER')).toBe(`${join(run, nameOf(1))}\n`)
    expect(await path('--where', 'epoch < 4')).toBe(`${join(run, nameOf(3))}\n`)
    expect(await path('--min', 'loss', '--where', 'end-of-epoch')).toBe(`${join(run, nameOf(4))}\n`)
  })

  it('takes only one that has the files required', async () => {
    const run = makeRun({ ...epochs(2), [nameOf(9)]: { 'CKPT.yaml': 'unixtime: 1800000000.0\n', 'lm.ckpt': 'x' } })
    const got = await ckpt(['recover', run, '--require', 'model', '--verify', 'none'])
    expect(got.stdout).toBe(`${join(run, nameOf(2))}\n`)
    expect(got.stderr).toContain('has no file for key model')
  })

  it.each([
    ['of each the same', 'nothing'],
    ['of each another', 'model,nothing'],
  ])('files required that no checkpoint has are 3, for none is damaged: %s', async (_, keys) => {
    const run = makeRun({ ...epochs(2), [nameOf(9)]: { 'CKPT.yaml': 'unixtime: 1800000000.0\n', 'lm.ckpt': 'x' } })
    const got = await ckpt(['recover', run, '--require', keys, '--verify', 'none', '--', 'echo', 'started'])
    expect(got).toMatchObject({ status: 3, stdout: '' })
    expect(got.stderr).toContain('nothing was started: ask for a key that is there')
  })

  it('no checkpoint at all is 3; some, but none whole, is 4', async () => {
    expect((await ckpt(['recover', temporaryDirectory()])).status).toBe(3)
    expect((await ckpt(['recover', join(temporaryDirectory(), 'save')])).status).toBe(3)
    const run = hopelessRun()
    const got = await ckpt(['recover', run])
    expect(got).toMatchObject({ status: 4, stdout: '' })
    for (const epoch of [1, 2]) expect(got.stderr).toContain(nameOf(epoch))
  })
})

describe('ckpt recover with a command', () => {
  it('fills the placeholders, each as one argument', async () => {
    const run = makeRun(epochs(2))
    const argv = ['{path}', '--name={name}', '{file:model}', '{meta:WER}', '{}', '{{path}}', '{"json": 1}']
    const script = 'for one in "$@"; do echo "$one"; done'
    const got = await ckpt(['recover', run, '--', 'sh', '-c', script, 'sh', ...argv])
    const path = join(run, nameOf(2))
    const filled = [path, `--name=${nameOf(2)}`, join(path, 'model.ckpt'), '98.5', '{}', '{path}', '{"json": 1}']
    expect(got).toMatchObject({ status: 0, stdout: filled.map((one) => `${one}\n`).join('') })
  })

  it('an unknown key is exit 2 and starts nothing', async () => {
    const run = makeRun(epochs(2))
    const got = await ckpt(['recover', run, '--', 'echo', '{meta:WERR}'])
    expect(got).toMatchObject({ status: 2, stdout: '' })
    expect(got.stderr).toContain('{meta:WER}')
  })

  it('sets CKPT_PATH, CKPT_NAME, CKPT_META_<KEY> and CKPT_FILE_<KEY>', async () => {
    const run = makeRun({ [nameOf(1)]: 'unixtime: 1700000000.5\nvalid/CER: 2.5\nend-of-epoch: true\nhost: "a b"\n' })
    const got = await ckpt(['recover', run, '--', 'env'])
    const path = join(run, nameOf(1))
    const lines = got.stdout.split('\n').filter((line) => line.startsWith('CKPT_'))
    expect(lines.sort()).toEqual(
      [
        `CKPT_PATH=${path}`,
        `CKPT_NAME=${nameOf(1)}`,
        `CKPT_FILE_MODEL=${join(path, 'model.ckpt')}`,
        'CKPT_META_END_OF_EPOCH=true',
        'CKPT_META_HOST=a b',
        'CKPT_META_UNIXTIME=1700000000.5',
        'CKPT_META_VALID_CER=2.5',
      ].sort(),
    )
  })

  it('two keys that give one variable two values are exit 2, both named, and nothing starts', async () => {
    const run = makeRun({ [nameOf(1)]: 'unixtime: 1.0\nvalid/loss: 1\nvalid-loss: 2\n' })
    const got = await ckpt(['recover', run, '--', 'echo', 'started'])
    expect(got).toMatchObject({ status: 2, stdout: '' })
    expect(got.stderr).toMatch(/"valid\/loss" and "valid-loss" both give CKPT_META_VALID_LOSS/)
  })

  it('two keys of one value are one variable', async () => {
    const run = makeRun({ [nameOf(1)]: 'unixtime: 1.0\nval/loss: 0.25\nval_loss: 0.25\n' })
    const got = await ckpt(['recover', run, '--', 'sh', '-c', 'echo "$CKPT_META_VAL_LOSS"'])
    expect(got).toMatchObject({ status: 0, stdout: '0.25\n' })
  })

  it.each([
    [['--resume', '{path}', 'x'], 'x'],
    [['a', '{path}', 'x'], 'a x'],
    [['--resume={path}', 'x'], 'x'],
    [['--resume', 'from:{path}', 'x'], '--resume x'],
    [['--lr=0.1', '{path}'], '--lr=0.1'],
    [['x', '-r', '{file:model}'], 'x'],
    [['{{path}}'], '{path}'],
    [['{other}'], '{other}'],
  ])('a first start: %j becomes %j', async (argv, expected) => {
    const got = await ckpt(['recover', join(temporaryDirectory(), 'save'), '--', 'echo', ...argv])
    expect(got).toMatchObject({ status: 0, stdout: `${expected}\n` })
    expect(got.stderr).toContain('first start')
  })

  it('a first start has no variables of an outer ckpt', async () => {
    const env = { CKPT_PATH: '/old', CKPT_META_WER: '1', CKPT_OTHER: 'stays' }
    const got = await ckpt(['recover', temporaryDirectory(), '--', 'env'], { env })
    expect(got.stdout.split('\n').filter((line) => line.startsWith('CKPT_'))).toEqual(['CKPT_OTHER=stays'])
  })

  it.each(['recover', 'run'])(
    'a first start of ckpt %s names what a save that never finished left',
    async (command) => {
      const run = temporaryDirectory()
      mkdirSync(join(run, nameOf(1)))
      writeFileSync(join(run, nameOf(1), 'model.ckpt'), 'x')
      const got = await ckpt([command, run, '--', 'echo', 'started'])
      expect(got).toMatchObject({ status: 0, stdout: 'started\n' })
      expect(got.stderr).toMatch(/passed over CKPT\+ep001: no checkpoint without its CKPT\.yaml[^]*first start/)
    },
  )

  it('--required makes a first start exit 3, and nothing starts', async () => {
    const got = await ckpt(['recover', temporaryDirectory(), '--required', '--', 'echo', 'started'])
    expect(got).toMatchObject({ status: 3, stdout: '' })
  })

  it('some, but none whole, is 4 and starts nothing, with --required or without', async () => {
    const run = hopelessRun()
    for (const flags of [[], ['--required']]) {
      expect(await ckpt(['recover', run, ...flags, '--', 'echo', 'started'])).toMatchObject({ status: 4, stdout: '' })
    }
  })

  it('a filter that no checkpoint passes is not a first start', async () => {
    const got = await ckpt(['recover', makeRun(epochs(2)), '--where', 'epoch > 99', '--', 'echo', 'started'])
    expect(got).toMatchObject({ status: 3, stdout: '' })
  })

  it.each([['the run'], ['a folder above it']])('%s a link that dangles is not a first start', async (which) => {
    const root = temporaryDirectory()
    symlinkSync(join(root, 'unmounted'), join(root, 'exp'))
    const run = which === 'the run' ? join(root, 'exp') : join(root, 'exp', 'save')
    const got = await ckpt(['recover', run, '--', 'echo', 'started'])
    expect(got).toMatchObject({ status: 3, stdout: '' })
    expect(got.stderr).toContain('dangles')
  })

  it('a file where the run should be is not a first start', async () => {
    const path = join(temporaryDirectory(), 'save')
    writeFileSync(path, 'x')
    for (const run of [path, join(path, 'save')]) {
      const got = await ckpt(['recover', run, '--', 'echo', 'started'])
      expect(got.stdout).toBe('')
      expect(got.status).toBe(3)
    }
  })

  it("gives the child's exit status, 127 for a command that is not there, 126 for one that cannot run", async () => {
    const run = makeRun(epochs(1))
    expect((await ckpt(['recover', run, '--', 'sh', '-c', 'exit 42'])).status).toBe(42)
    expect((await ckpt(['recover', run, '--', 'no-such-command-anywhere'])).status).toBe(127)
    expect((await ckpt(['recover', run, '--', run])).status).toBe(126)
    expect((await ckpt(['recover', run, '--', 'sh', '-c', 'kill -9 $$'])).status).toBe(137)
  })

  it('hands standard input on', async () => {
    const got = await ckpt(['recover', makeRun(epochs(1)), '--', 'cat'], { input: 'typed\n' })
    expect(got.stdout).toBe('typed\n')
  })

  it.each([['SIGTERM'], ['SIGUSR1'], ['SIGHUP'], ['SIGINT']] as const)(
    'hands %s on, and waits for the child',
    async (signal) => {
      const name = signal.slice(3)
      const script = `trap 'echo saved; exit 7' ${name}; echo ready; while :; do sleep 0.05; done`
      const child = start(['recover', makeRun(epochs(1)), '--', 'sh', '-c', script])
      const outcome = outcomeOf(child)
      await once(child.stdout, 'data')
      child.kill(signal)
      expect(await outcome).toMatchObject({ status: 7, stdout: 'ready\nsaved\n' })
    },
  )

  it('has no --json, for the command has the terminal; and -- without a command is a mistake', async () => {
    const run = makeRun(epochs(1))
    const got = await ckpt(['recover', run, '--json', '--', 'echo', 'started'])
    expect(got.status).toBe(2)
    expect(parse<Failed>(got).error.code).toBe('usage')
    expect((await ckpt(['recover', run, '--'])).status).toBe(2)
  })
})

describe('ckpt recover --into', () => {
  it('refuses a folder above the run, which would be the run from then on', async () => {
    const run = makeRun(epochs(2))
    const above = dirname(run)
    const before = snapshot(above)
    const { status, stderr } = await ckpt(['recover', run, '--into', `${above}/`])
    expect([status, stderr]).toEqual([5, expect.stringContaining(`the run ${run} lies in it`)])
    expect(snapshot(above)).toEqual(before)
  })

  it.each([['hard'], ['symbolic'], ['copy']] as const)(
    '%s: puts it there under its name, and prints the path',
    async (link) => {
      const run = makeRun(epochs(2))
      const into = join(dirname(run), '..', 'exp2', 'save')
      const got = await ckpt(['recover', run, '--into', into, '--link', link])
      const placed = join(into, nameOf(2))
      expect(got).toMatchObject({ status: 0, stdout: `${placed}\n` })
      expect(readdirSync(placed).sort()).toEqual(['CKPT.yaml', 'model.ckpt'])
      const [from, to] = [join(run, nameOf(2), 'model.ckpt'), join(placed, 'model.ckpt')]
      expect(readFileSync(to)).toEqual(readFileSync(from))
      expect(lstatSync(to).isSymbolicLink()).toBe(link === 'symbolic')
      if (link === 'symbolic') expect(readlinkSync(to)).toBe(from)
      expect(statSync(to).ino === statSync(from).ino).toBe(link !== 'copy')
      expect((await document(['find', into])).checkpoints[0]?.name).toBe(nameOf(2))
      expect(readdirSync(dirname(into))).toEqual(['save'])
    },
  )

  it('never overwrites, not even what is empty', async () => {
    const run = makeRun(epochs(2))
    for (const put of [(path: string) => mkdirSync(path), (path: string) => writeFileSync(path, 'mine')]) {
      const into = temporaryDirectory()
      put(join(into, nameOf(2)))
      const before = snapshot(into)
      const got = await ckpt(['recover', run, '--into', into, '--link', 'hard'])
      expect(got).toMatchObject({ status: 5, stdout: '' })
      expect(snapshot(into)).toEqual(before)
    }
  })

  it('gives the command the new place', async () => {
    const run = makeRun(epochs(2))
    const into = join(temporaryDirectory(), 'save')
    const script = 'echo "$1 $CKPT_PATH $CKPT_FILE_MODEL"'
    const got = await ckpt(['recover', run, '--into', into, '--', 'sh', '-c', script, 'sh', '{path}'])
    const placed = join(into, nameOf(2))
    expect(got.stdout).toBe(`${placed} ${placed} ${join(placed, 'model.ckpt')}\n`)
  })

  it('appears in one step: whoever looks sees nothing, or all of it', async () => {
    const run = makeRun({ 'CKPT+big': { 'CKPT.yaml': 'unixtime: 1.0\n', ...manyFiles(300) } })
    const into = join(temporaryDirectory(), 'save')
    mkdirSync(into)
    const child = start(['recover', run, '--into', into])
    const outcome = outcomeOf(child)
    const seen = new Set<number>()
    const ended = outcome.then(() => true)
    while (!(await Promise.race([ended, nextTurn()]))) {
      for (const name of readdirSync(into)) seen.add(name === 'CKPT+big' ? readdirSync(join(into, name)).length : -1)
    }
    expect((await outcome).status).toBe(0)
    expect([...seen, readdirSync(join(into, 'CKPT+big')).length].every((count) => count === 301)).toBe(true)
  })

  it('places nothing where nothing is whole, and nothing on a first start', async () => {
    const into = join(temporaryDirectory(), 'save')
    expect((await ckpt(['recover', hopelessRun(), '--into', into])).status).toBe(4)
    expect(existsSync(into)).toBe(false)
    const first = await ckpt(['recover', temporaryDirectory(), '--into', into, '--', 'echo', 'started'])
    expect(first).toMatchObject({ status: 0, stdout: 'started\n' })
    expect(existsSync(into)).toBe(false)
  })
})

describe('asr_run_damaged', () => {
  const reasons: [name: string, reason: RegExp][] = [
    [asr('09'), /model\.ckpt: .*18386 of 36772 bytes/],
    [asr('08'), /optimizer\.ckpt: not there, and each of the 9 other checkpoints has it/],
    [asr('07'), /lm\.ckpt: 0 bytes/],
    [asr('06'), /CKPT\.yaml: .*empty: 0 bytes/],
    [asr('05'), /CKPT\.yaml: line \d+, column \d+: /],
    [asr('04'), /model\.ckpt: .*CRC-32/],
  ]

  it.each([
    ['deep', '03', 6],
    ['quick', '04', 5],
  ])('%s recovers +%s and tells why it passed over %i', async (level, end, count) => {
    const run = copyFixture('runs/asr_run_damaged')
    const got = await ckpt(['recover', run, '--verify', level])
    expect(got).toMatchObject({ status: 0, stdout: `${join(run, asr(end))}\n` })
    const lines = got.stderr.split('\n').filter((line) => line.includes('passed over'))
    expect(lines).toHaveLength(count)
    reasons.slice(0, count).forEach(([name, reason], index) => {
      expect(lines[index]).toContain(`passed over ${name}: `)
      expect(lines[index]).toMatch(reason)
    })
  })

  it('names the order and the damage that the fixture records', () => {
    const recorded = JSON.parse(
      readFileSync(new URL('../fixtures/runs/asr_run_damaged.json', import.meta.url), 'utf8'),
    ) as { newest_first: { name: string; damage: string | null }[] }
    expect(recorded.newest_first.filter(({ damage }) => damage !== null).map(({ name }) => name)).toEqual(
      reasons.map(([name]) => name),
    )
    expect(recorded.newest_first.find(({ damage }) => damage === null)?.name).toBe(asr('03'))
  })
})

function nextTurn(): Promise<false> {
  return new Promise((resolve) => setImmediate(() => resolve(false)))
}

function manyFiles(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`part${index}.ckpt`, `bytes of ${index}`]))
}
