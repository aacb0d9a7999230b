/** Runs that the real frameworks wrote: every number, the best, and what to resume from. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { ckpt } from './ckpt.js'
import { document, names, type Answer } from './runs.js'

const fixtures = fileURLToPath(new URL('../fixtures/runs', import.meta.url))

/**
 * The numbers at the top level of a CKPT.yaml, by no YAML reader: `key: 1.5`, and numpy scalars as PyYAML writes them,
 * whose last item is `!!binary` with the little-endian bytes of an `f4`, `f8` or `i8`.
 */
function numbersIn(text: string): Map<string, number> {
  const numbers = new Map<string, number>()
  for (const block of text.split(/\n(?=[^\s-])/)) {
    const key = block.slice(0, block.indexOf(':'))
    const value = block.slice(key.length + 1).trim()
    if (/^-?[\d.]+(e[+-]?\d+)?$/.test(value)) numbers.set(key, Number(value))
    if (value === '.nan') numbers.set(key, NaN)
    const [, dtype] = /^ {2}- ([fi][48])$/m.exec(block) ?? []
    const [, base64] = /!!binary \|\n\s+(\S+)/.exec(block) ?? []
    if (dtype !== undefined && base64 !== undefined) numbers.set(key, decode(dtype, Buffer.from(base64, 'base64')))
  }
  return numbers
}

function decode(dtype: string, bytes: Buffer): number {
  if (dtype === 'f4') return bytes.readFloatLE()
  if (dtype === 'f8') return bytes.readDoubleLE()
  return dtype === 'i4' ? bytes.readInt32LE() : Number(bytes.readBigInt64LE())
}

/** As ckpt's JSON has them, and as Python's `str` writes them. */
function toNumber(value: unknown): unknown {
  if (value === 'nan') return NaN
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity' ? Number(value) : value
}

describe('asr_run', () => {
  const run = join(fixtures, 'asr_run')
  const expected = new Map(
    readdirSync(run).map((name) => [name, numbersIn(readFileSync(join(run, name, 'CKPT.yaml'), 'utf8'))]),
  )

  it('has numpy scores, plain numbers and a NaN to read', () => {
    const first = expected.get('CKPT+2026-11-22+20-46-49+00')
    expect(first?.get('ACC')).toBe(0.5)
    expect(first?.get('WER')).toBe(40)
    expect(first?.get('loss')).toBe(3)
    expect(expected.get('CKPT+2026-11-22+20-46-49+05')?.get('loss')).toBeNaN()
    expect([...expected.values()].reduce((sum, one) => sum + one.size, 0)).toBeGreaterThan(60)
  })

  it('is listed with every number right', async () => {
    const { checkpoints } = await document(['list', run])
    expect(checkpoints.map(({ name }) => name).sort()).toEqual([...expected.keys()].sort())
    for (const { name, meta } of checkpoints) {
      for (const [key, value] of expected.get(name) ?? []) {
        expect([name, key, toNumber(meta[key])]).toEqual([name, key, value])
      }
    }
  })

  it('is listed newest first, and the best of each metric is found', async () => {
    expect(await names(['list', run])).toEqual([...expected.keys()].sort().reverse())
    for (const [key, sign] of [
      ['WER', 1],
      ['loss', 1],
      ['valid/CER', 1],
      ['ACC', -1],
    ] as const) {
      const ranked = [...expected]
        .flatMap(([name, numbers]) => ({ name, value: numbers.get(key) ?? NaN }))
        .filter(({ value }) => !Number.isNaN(value))
        .sort((a, b) => sign * (a.value - b.value))
      expect(await names(['find', run, sign === 1 ? '--min' : '--max', key])).toEqual([ranked[0]?.name])
    }
  })

  it('never has the NaN of epoch 5 for its best, by whatever order', async () => {
    for (const order of [
      ['--min', 'loss'],
      ['--max', 'loss'],
      ['--by', 'loss'],
      ['--by', '-loss'],
    ]) {
      const found = await names(['find', run, ...order, '--num', '10'])
      expect(found).toHaveLength(8)
      expect(found.at(-1)).toBe('CKPT+2026-11-22+20-46-49+05')
    }
    expect(await names(['list', run, '--where', 'loss < 99 or loss > -99', '--where', 'epoch == 5'])).toEqual([])
  })
})

interface Expected {
  readonly run: string
  readonly checkpoints: readonly {
    readonly name: string
    readonly step: number | null
    readonly epoch: number | null
    readonly metrics: Readonly<Record<string, unknown>>
  }[]
  readonly best?: null | {
    readonly name: string
    readonly metric: string
    readonly mode: string
    readonly also?: string[]
    readonly ties?: string[]
  }
}

const frameworks = join(fixtures, 'frameworks')

describe.each(readdirSync(frameworks))('%s', (framework) => {
  const folder = join(frameworks, framework)
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Expected
  const root = join(folder, expected.run)

  it('has exactly the checkpoints that the framework wrote, with step, epoch and every metric', async () => {
    const { runs } = await document<{ runs: Answer[] }>(['list', '-r', root, '--all'])
    const found = new Map(runs.flatMap((run) => run.checkpoints).map((one) => [relative(root, one.path), one]))
    expect([...found.keys()].sort()).toEqual(expected.checkpoints.map(({ name }) => name).sort())
    for (const { name, step, epoch, metrics } of expected.checkpoints) {
      const one = found.get(name)
      // Null: the framework says nothing, where the name may.
      if (step !== null) expect([name, one?.step]).toEqual([name, step])
      if (epoch !== null) expect([name, one?.epoch]).toEqual([name, epoch])
      for (const [key, value] of Object.entries(metrics))
        expect([name, key, toNumber(one?.meta[key])]).toEqual([name, key, toNumber(value)])
    }
  })

  it.runIf(expected.best !== undefined && expected.best !== null)(
    'finds the best that the framework found',
    async () => {
      const { mode, metric, name, also = [], ties = [] } = expected.best ?? { mode: 'min', metric: '', name: '' }
      const { checkpoints } = await document(['find', '-r', root, `--${mode}`, metric])
      expect([name, ...also, ...ties]).toContain(relative(root, checkpoints[0]?.path ?? ''))
    },
  )

  const file = join(folder, 'damaged.json')
  const damaged = existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as { run: string; resume: string | null })
    : { run: '', resume: null }
  it.runIf(damaged.resume !== null)('resumes from where the framework can', async () => {
    const run = join(folder, damaged.run)
    const { stdout } = await ckpt(['recover', run, '--verify', 'deep'])
    expect(relative(run, stdout.trim())).toBe(damaged.resume)
  })
})
