/** Hostile small files: each command answers within bounded time and memory, or says which bound was met. */
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ckpt, temporaryDirectory, type Outcome } from './ckpt.js'
import { makeZip } from '../core/formats/archives/zip-bytes.js'
import { epochs, makeRun, nameOf } from './runs.js'

/** Seconds of the processor: 2 are promised on a machine of one's own, and before each bound it were minutes. */
const mostSeconds = 8
/** What is promised. */
const mostMegabytes = 300

let watcher: string
let told: string

beforeAll(() => {
  const folder = temporaryDirectory()
  watcher = join(folder, 'watch.cjs')
  told = join(folder, 'usage.json')
  writeFileSync(
    watcher,
    `const status = '/proc/self/status'
    process.on('exit', () => { if (require('node:worker_threads').isMainThread)
      {
        const fs = require('node:fs')
        const usage = process.resourceUsage()
        // What the system tells of a process counts in what it was forked from; here that may have more than it itself.
        const own = fs.existsSync(status) ? /VmHWM:\\s+(\\d+)/.exec(fs.readFileSync(status, 'latin1')) : null
        if (own !== null) usage.maxRSS = Number(own[1])
        fs.writeFileSync(process.env.USAGE, JSON.stringify(usage))
      } })`,
  )
})

/** Runs the program, and holds it to the bounds. */
async function bounded(...args: string[]): Promise<Outcome> {
  const got = await ckpt(args, { env: { NODE_OPTIONS: `--require ${watcher}`, USAGE: told } })
  const usage = JSON.parse(readFileSync(told, 'utf8')) as NodeJS.ResourceUsage
  const seconds = (usage.userCPUTime + usage.systemCPUTime) / 1e6
  expect({ args, isSlow: seconds > mostSeconds, isFat: usage.maxRSS > mostMegabytes * 1024 }).toEqual({
    args,
    isSlow: false,
    isFat: false,
  })
  expect(got.stderr).not.toMatch(/^ {4}at |bug in ckpt/m)
  return got
}

/** A run of SpeechBrain whose newest meta is this text. */
function withMeta(text: string): string {
  const run = makeRun(epochs(3))
  writeFileSync(join(run, nameOf(3), 'CKPT.yaml'), text)
  return run
}

/** A run of the Trainer whose newest checkpoint has these files beside its weights. */
function trainer(files: Readonly<Record<string, string>>): string {
  const run = temporaryDirectory()
  for (const step of [100, 200]) {
    const folder = join(run, `checkpoint-${step}`)
    mkdirSync(folder)
    writeFileSync(join(folder, 'model.safetensors'), safetensors({}, 0))
    const state = { global_step: step, epoch: step / 100, log_history: [{ loss: 1, step }] }
    writeFileSync(join(folder, 'trainer_state.json'), JSON.stringify(state))
    if (step === 200) for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  }
  return run
}

function safetensors(header: unknown, bytes: number): Buffer {
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text, Buffer.alloc(bytes, 1)])
}

const times = (count: number, make: (index: number) => string) => Array.from({ length: count }, (_, i) => make(i))

describe('a hostile meta', () => {
  it.each([
    ['200,000 keys', times(200_000, (i) => `k${i}: ${i}\n`).join(''), 'has more than 20000 keys'],
    [
      '200,000 keys, one unusual',
      `? a\n: 1\n${times(200_000, (i) => `k${i}: ${i}\n`).join('')}`,
      'more than 200000 lines',
    ],
    ['200,000 escaped line ends', `a: "${'\\\n'.repeat(200_000)}"\n`, 'more than 200000 lines'],
    ['100,000 anchors', times(100_000, (i) => `k${i}: &a${i} ${i}\n`).join(''), 'words and marks'],
    ['two million digits and underscores', `loss: ${'1_'.repeat(2_000_000)}\n`, 'an integer of 2000000 digits'],
    ['100,000 lines that are not YAML', `é: 1\n${'}\n'.repeat(100_000)}`, 'corrupt'],
  ])('of %s is damage that is told', async (_, text, reason) => {
    const run = withMeta(text)
    expect((await bounded('list', run)).stdout).toContain(reason)
    await bounded('find', run, '--min', 'loss')
    expect((await bounded('verify', run)).status).toBe(4)
    expect((await bounded('prune', run, '--keep', '1', '--dry-run')).status).toBe(0)
  })

  it('of megabytes of base64 is read', async () => {
    const run = withMeta(`loss: 1\na: !!binary ${'A'.repeat(4_800_000)}\n`)
    expect((await bounded('list', run)).stdout).toContain(nameOf(3))
    await bounded('show', run)
    expect((await bounded('verify', run)).status).toBe(0)
  })

  it.each([']', '[,', '"', '&a ', '%\n'])(
    'beside settings of nothing but %j is read, and they are left out',
    async (mark) => {
      const run = makeRun(epochs(3))
      const settings = join(run, '..', 'ckpt.yaml')
      writeFileSync(settings, mark.repeat(250_000 / mark.length))
      const got = await bounded('list', run)
      expect([got.status, got.stderr]).toEqual([0, expect.stringContaining(`${settings} is left out`) as string])
      expect(got.stdout).toContain(nameOf(3))
    },
  )

  it('of mistakes, a thousand times over, is damage that is told once each', async () => {
    const run = temporaryDirectory()
    for (const name of times(1000, (i) => `CKPT+x${i}`)) {
      mkdirSync(join(run, name))
      writeFileSync(join(run, name, 'CKPT.yaml'), '}'.repeat(2000))
    }
    const got = await bounded('list', run)
    expect([got.status, got.stdout.split('\n').length]).toEqual([0, 1002])
    expect((await bounded('verify', run)).stdout).toContain(
      'CKPT.yaml: line 1, column 1: Unexpected flow-map-end token',
    )
  })

  it('beside a journal of 100 MB of nothing is read', async () => {
    const run = makeRun(epochs(3))
    const state = join(run, '..', '.ckpt', 'save')
    mkdirSync(state, { recursive: true })
    writeFileSync(join(state, 'journal.jsonl'), '')
    truncateSync(join(state, 'journal.jsonl'), 100 << 20)
    expect((await bounded('log', run)).status).toBe(3)
  })

  it('of 20,000 metrics is read, each a column in a pipe', async () => {
    const run = withMeta(times(20_000, (i) => `loss${i}: ${i}.5\n`).join(''))
    expect((await bounded('list', run)).stdout).toContain('loss19999')
    await bounded('show', run)
  })
})

describe('a hostile log of the Trainer', () => {
  const state = (log: string) => ({ 'trainer_state.json': `{"global_step":200,"epoch":2.0,"log_history":[${log}]}` })

  it('of 200,000 metrics is reported as too many', async () => {
    const run = trainer(state(JSON.stringify(Object.fromEntries(times(200_000, (i) => `k${i}`).map((k) => [k, 1])))))
    expect((await bounded('list', run)).stdout).toContain('its log has more than 20000 metrics')
    expect((await bounded('verify', run)).status).toBe(4)
  })

  it('of 17 MB is read, and its last values count', async () => {
    const run = trainer(state(`${'{"loss":1.0,"step":1},'.repeat(800_000)}{"eval_loss":0.5,"step":200}`))
    const got = await bounded('list', run, '--json')
    const { checkpoints } = JSON.parse(got.stdout) as { checkpoints: { meta: Record<string, number> }[] }
    expect(checkpoints[0]?.meta).toMatchObject({ loss: 1, eval_loss: 0.5, step: 200 })
  })

  it('of half a million objects in one entry is refused by what they take', async () => {
    const run = trainer(state(`{"step":200,"a":[${'{"":0},'.repeat(500_000)}{}]}`))
    expect((await bounded('list', run)).stdout).toMatch(/what it describes takes more than \d+ bytes/)
  })

  it('that comes before the step is read by that step', async () => {
    const log = '[{"loss":3,"step":100},{"loss":2,"step":200},{"loss":1,"step":300}]'
    const run = trainer({ 'trainer_state.json': `{"log_history":${log},"global_step":200}` })
    const got = await bounded('list', run, '--json')
    expect(JSON.parse(got.stdout)).toMatchObject({ checkpoints: [{ meta: { loss: 2, step: 200 } }, {}] })
  })
})

describe('a hostile index', () => {
  it('of 200,000 shards that are not there is reported in a few lines', async () => {
    const map = Object.fromEntries(times(200_000, (i) => `s${i}.safetensors`).map((shard, i) => [`w${i}`, shard]))
    const run = trainer({ 'model.safetensors.index.json': JSON.stringify({ weight_map: map }) })
    const got = await bounded('verify', run)
    expect(got.status).toBe(4)
    expect(got.stdout).toContain('model.safetensors.index.json names 199992 more files that are not there')
    expect(got.stdout.split('\n').length).toBeLessThan(30)
    await bounded('list', run)
  })
})

describe('a hostile ONNX model', () => {
  const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)])
  const field = (number: number, content: Buffer) =>
    Buffer.concat([Buffer.from([...varint(8 * number + 2), ...varint(content.length)]), content])
  const entry = (key: string, value: string) =>
    field(13, Buffer.concat([field(1, Buffer.from(key)), field(2, Buffer.from(value))]))
  const model = (graph: Buffer) => Buffer.concat([Buffer.from([0x08, 0x08]), field(7, graph)])
  const repeat = (bytes: Buffer, count: number) => Buffer.alloc(bytes.length * count, bytes)

  it.each([
    [
      '1.6 million versions',
      Buffer.concat([repeat(Buffer.from([0x08, 0xff, 0x01]), 1_600_000), model(field(1, Buffer.from('n')))]),
    ],
    ['1.2 million graphs', repeat(field(7, field(5, Buffer.alloc(0))), 1_200_000)],
    ['2.4 million nodes', model(repeat(field(1, Buffer.alloc(0)), 2_400_000))],
    ['2.4 million weights', model(repeat(field(5, Buffer.alloc(0)), 2_400_000))],
    ['a weight of two million dimensions', model(field(5, repeat(Buffer.from([0x08, 0x01]), 2_000_000)))],
  ])('of %s is whole', async (_, bytes) => {
    const path = join(temporaryDirectory(), 'm.onnx')
    writeFileSync(path, bytes)
    expect((await bounded('verify', path, '--deep')).status).toBe(0)
  })

  it.each([
    [20_000, 'm.onnx names 19992 more files that are not there'],
    [90_000, 'its weights lie in more than 20000 files'],
  ])('whose weights lie in %i files that are not there is reported in a few lines', async (count, reason) => {
    const path = join(temporaryDirectory(), 'm.onnx')
    writeFileSync(path, model(Buffer.concat(times(count, (i) => `f${i}`).map((f) => field(5, entry('location', f))))))
    const got = await bounded('verify', path)
    expect(got.status).toBe(4)
    expect(got.stdout).toContain(reason)
    expect(got.stdout.split('\n').length).toBeLessThan(30)
  })
})

describe('a tensor of a million dimensions', () => {
  const file = () => {
    const path = join(temporaryDirectory(), 'many.safetensors')
    const shape = Array.from({ length: 1_000_000 }, () => 1)
    writeFileSync(path, safetensors({ a: { dtype: 'F32', shape, data_offsets: [0, 4] } }, 4))
    return path
  }

  it('is listed, and refused by its dimensions where torch is written', async () => {
    const path = file()
    expect((await bounded('tensors', path)).status).toBe(0)
    const got = await bounded('convert', path, '--to', 'torch', '-o', `${path}.pt`)
    expect(got).toMatchObject({ status: 5 })
    expect(got.stderr).toContain('"a" has 1000000 dimensions')
  })
})

describe('a checkpoint of Lightning whose pickle fills the stack', () => {
  const head =
    '\x80\x02}(X\x0a\0\0\0state_dict}X\x11\0\0\0pytorch-lightningK\x01X\x0b\0\0\0global_stepK\x05X\x01\0\0\0a'
  it.each([
    ['lists, none put into another', `${']'.repeat(2_400_000)}${'a'.repeat(2_399_999)}`],
    ['copies of one value', `(N${'2'.repeat(4_700_000)}l`],
    ['values of one set', `(${'N'.repeat(4_700_000)}\x91`],
    ['keys and values set one by one', `}${'NNs'.repeat(1_500_000)}`],
  ])('with %s is read within bounds', async (_, filling) => {
    const run = temporaryDirectory()
    const data = Buffer.from(`${head}${filling}u.`, 'latin1')
    writeFileSync(join(run, 'epoch=1-step=5.ckpt'), makeZip([{ name: 'archive/data.pkl', data }]))
    await bounded('list', run)
    await bounded('verify', run, '--deep')
  })
})

describe('a pickle of hundreds of thousands of settings', () => {
  const text = (value: string) => `X${String.fromCharCode(value.length)}\0\0\0${value}`
  const settings = `}(${times(300_000, (i) => `${text(`k${i}`)}K\x01`).join('')}u`
  const archive = (pickle: string) =>
    makeZip([{ name: 'archive/data.pkl', data: Buffer.from(`\x80\x02${pickle}.`, 'latin1') }])

  it('beside the weights of Lightning is looked at, listed and compared within bounds', async () => {
    const run = temporaryDirectory()
    const facts = `${text('pytorch-lightning_version')}${text('2.5.0')}${text('global_step')}K\x05${text('state_dict')}}`
    const saved = archive(`}(${facts}${text('hyper_parameters')}${settings}u`)
    writeFileSync(join(run, 'epoch=1-step=5.ckpt'), saved)
    await bounded('export', run, '--into', join(run, 'exported'), '--dry-run')
    for (const command of [['diff', run], ['tensors'], ['verify', '--deep'], ['doctor']]) {
      await bounded(...command, run)
    }
  })

  it('is compared with itself within bounds', async () => {
    const file = join(temporaryDirectory(), 'settings.pt')
    writeFileSync(file, archive(settings))
    const got = await bounded('diff', file, file)
    expect([got.stderr, got.stdout]).toEqual(['', expect.stringContaining('0 tensors of one form') as string])
    expect((await bounded('tensors', file)).stdout).toContain('0 tensors')
  })
})

describe('a pickle of one object that is given an item hundreds of thousands of times', () => {
  it('is looked at within bounds before a job starts', async () => {
    const run = temporaryDirectory()
    const data = Buffer.from(`\x80\x02ccollections\nOrderedDict\n)R${'(U\x01aNu'.repeat(700_000)}.`, 'latin1')
    writeFileSync(join(run, 'checkpoint_1.pth.tar'), makeZip([{ name: 'archive/data.pkl', data }]))
    await bounded('run', run, '--', 'true')
    await bounded('recover', run, '--', 'true')
  })
})

describe('thousands of small files of torch', () => {
  const head = '\x80\x02}(X\x11\0\0\0pytorch-lightningK\x01X\x0b\0\0\0global_stepK\x05u'
  const archive = (pickle: Buffer, deflate: boolean) => makeZip([{ name: 'archive/data.pkl', data: pickle, deflate }])
  const pickle = (length: number) => Buffer.from(`${head}${'N0'.repeat(length)}.`, 'latin1')

  it.each([
    ['that are packed, each to megabytes of pickle', archive(pickle(1 << 20), true)],
    ['that are cut', archive(pickle(1 << 10), false).subarray(0, 2200)],
    [
      'of the older form that break off',
      Buffer.concat([Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex'), pickle(1 << 10)]),
    ],
  ])('%s cost no more than their bytes are worth', async (_, bytes) => {
    const run = temporaryDirectory()
    for (let file = 0; file < Math.floor(4.9e6 / bytes.length); file += 1) {
      writeFileSync(join(run, `epoch=${file}-step=${file}.ckpt`), bytes)
    }
    for (const command of [
      ['list'],
      ['find', '--verify', 'none'],
      ['verify'],
      ['prune', '--keep', '2', '-n'],
      ['recover'],
    ]) {
      const [name = '', ...flags] = command
      await bounded(name, run, ...flags)
    }
  })
})

describe('a folder of many names', () => {
  it('that may be groups, and are none, is searched in time', async () => {
    const run = temporaryDirectory()
    for (const name of times(20_000, (i) => `ckpt-${i}.index`)) writeFileSync(join(run, name), '')
    expect((await bounded('list', run)).status).toBe(3)
  })

  it('of which none is whole is passed over one by one, each held against its neighbours alone', async () => {
    const run = makeRun(epochs(1))
    writeFileSync(join(run, nameOf(1), 'CKPT.yaml'), '')
    for (const name of times(6000, (i) => `epoch=${i}-step=${i}.ckpt`)) writeFileSync(join(run, name), '')
    const got = await bounded('recover', run)
    expect(got.status).toBe(4)
    expect(got.stderr).toContain('and 5901 more')
  })
})
