import {
  appendFileSync,
  cpSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, copyFixture, temporaryDirectory } from './ckpt.js'
import { makeHfRun } from './hf-runs.js'

interface Verified {
  readonly runs: readonly {
    readonly run: string
    readonly checkpoints: readonly {
      readonly name: string
      readonly health: string
      readonly findings: readonly { readonly file?: string; readonly reason: string }[]
    }[]
    readonly recorded: readonly string[]
    readonly leftovers: readonly { readonly name: string; readonly path: string; readonly reason: string }[]
  }[]
  readonly whole: number
  readonly damaged: number
}

async function verify(...args: string[]): Promise<{ status: number; answer: Verified }> {
  const { status, stdout } = await ckpt(['verify', ...args, '--json'])
  return { status, answer: JSON.parse(stdout) as Verified }
}

const stamp = 'CKPT+2026-11-22+20-46-49+'

describe('ckpt verify', () => {
  it('grades every checkpoint of a run, names each damage and exits with 4', async () => {
    const run = copyFixture('runs/asr_run_damaged')
    mkdirSync(join(run, 'CKPT+2099-01-01+00-00-00+00'))
    const quick = await verify(run)
    expect(quick.status).toBe(4)
    expect([quick.answer.whole, quick.answer.damaged]).toEqual([5, 5])
    expect(quick.answer.runs[0]?.leftovers).toEqual([
      {
        name: 'CKPT+2099-01-01+00-00-00+00',
        path: join(run, 'CKPT+2099-01-01+00-00-00+00'),
        reason: 'an empty folder: the save had only begun',
      },
    ])
    const deep = await verify(run, '--deep')
    const findings = new Map(deep.answer.runs[0]?.checkpoints.map(({ name, findings: all }) => [name, all]))
    expect(findings.get(`${stamp}04`)).toMatchObject([{ file: 'model.ckpt', grade: 'corrupt' }])
    expect(findings.get(`${stamp}03`)).toEqual([])
    const text = await ckpt(['verify', run, '--deep'])
    expect(text.status).toBe(4)
    expect(text.stdout).toContain(`${run}: 10 checkpoints, 4 whole\n`)
    expect(text.stdout).toMatch(/ {2}corrupt +CKPT\+\S+07 {2}lm\.ckpt: 0 bytes\n/)
  })

  it('exits with 0 and says so when all is whole', async () => {
    const run = copyFixture('runs/nutshell')
    const { status, stdout, stderr } = await ckpt(['verify', run, '--deep'])
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toContain(': 10 checkpoints, whole')
  })

  it.each(['hf_trainer', 'hf_trainer_sharded'])(
    'names every damage of %s, and what is not a checkpoint',
    async (name) => {
      const folder = copyFixture(`runs/frameworks/${name}`)
      const known = JSON.parse(readFileSync(join(folder, 'damaged.json'), 'utf8')) as {
        damages: { name: string; file: string | null }[]
        resume: string
        sound: string[]
      }
      const run = join(folder, 'damaged')
      const { status, answer } = await verify(run, '--deep')
      expect(status).toBe(4)
      const [only] = answer.runs
      expect(only?.checkpoints.filter(({ health }) => health === 'whole').map((one) => one.name)).toEqual(known.sound)
      for (const { name: damaged, file } of known.damages) {
        const leftover = only?.leftovers.find((one) => one.name === damaged)
        const files = only?.checkpoints.find((one) => one.name === damaged)?.findings.map((finding) => finding.file)
        if (leftover === undefined) expect(files).toContain(file ?? 'trainer_state.json')
        else expect(leftover.reason).toMatch(/staging folder/)
      }
      const recovered = await ckpt(['recover', run, '--verify', 'deep'])
      expect(recovered.stdout).toBe(`${join(run, known.resume)}\n`)
    },
  )

  it('takes single checkpoints by path and by name, several at a time, each once', async () => {
    const run = copyFixture('runs/asr_run_damaged')
    const one = join(run, `${stamp}07`)
    const both = await verify(one, join(run, `${stamp}03`), one)
    expect(both.status).toBe(4)
    expect(both.answer.runs).toHaveLength(1)
    expect(both.answer.runs[0]?.checkpoints.map(({ name }) => name)).toEqual([`${stamp}07`, `${stamp}03`])
    const named = await ckpt(['verify', `${stamp}03`], { cwd: run })
    expect([named.status, named.stdout]).toEqual([0, `${run}: 1 checkpoint, whole\n  whole       ${stamp}03\n`])
  })

  it('takes every run below a folder with -r', async () => {
    const folder = temporaryDirectory()
    for (const name of ['a', 'b']) cpSync(copyFixture('runs/nutshell'), join(folder, name), { recursive: true })
    const { status, answer } = await verify('-r', folder)
    expect([status, answer.runs.map(({ run }) => run), answer.whole]).toEqual([
      0,
      [join(folder, 'a'), join(folder, 'b')],
      20,
    ])
  })

  it('names temporary files that frameworks and ckpt itself left, and holds no checkpoint for damaged because of them', async () => {
    const run = copyFixture('runs/frameworks/hf_trainer/run')
    writeFileSync(join(run, '.tmpAb12Cd'), 'x')
    writeFileSync(join(run, 'checkpoint-6', '.tmpZZ99aa'), Buffer.from('9000000000000000007b22', 'hex'))
    writeFileSync(join(run, 'checkpoint-6', '.ckpt-0123456789abcdef'), Buffer.from('504b0304', 'hex'))
    const { status, answer } = await verify(run, '--deep')
    expect([status, answer.damaged]).toEqual([4, 0])
    expect(answer.runs[0]?.leftovers.map(({ name }) => name)).toEqual([
      '.tmpAb12Cd',
      'checkpoint-6/.ckpt-0123456789abcdef',
      'checkpoint-6/.tmpZZ99aa',
    ])
  })

  it('is 3 where nothing is, and 2 for a flag that is not there', async () => {
    const folder = temporaryDirectory()
    expect((await ckpt(['verify', folder])).status).toBe(3)
    expect((await ckpt(['verify', join(folder, 'gone')])).status).toBe(3)
    expect((await ckpt(['verify', folder, '--deeper'])).status).toBe(2)
  })
})

describe('ckpt list --verify', () => {
  it('shows at each depth what can be known at it', async () => {
    const run = copyFixture('runs/asr_run_damaged')
    const damaged = async (...flags: string[]) => {
      const { stdout } = await ckpt(['list', run, '--json', ...flags])
      const { checkpoints } = JSON.parse(stdout) as { checkpoints: { name: string; health: string }[] }
      return checkpoints
        .filter(({ health }) => health !== 'whole' && health !== 'unchecked')
        .map(({ name }) => name.slice(-2))
        .sort()
    }
    expect(await damaged()).toEqual(['05', '06', '07', '08'])
    expect(await damaged('--verify', 'quick')).toEqual(['05', '06', '07', '08', '09'])
    expect(await damaged('--verify', 'deep')).toEqual(['04', '05', '06', '07', '08', '09'])
  })
})

describe('what is damaged', () => {
  it('is passed over by recover at the depth asked for', async () => {
    const run = copyFixture('runs/asr_run_damaged')
    for (const [level, digits] of [
      ['quick', '04'],
      ['deep', '03'],
    ] as const) {
      const { stdout } = await ckpt(['recover', run, '--verify', level])
      expect(stdout).toBe(`${join(run, stamp + digits)}\n`)
    }
    truncateSync(join(run, `${stamp}03`, 'optimizer.ckpt'), 10)
    rmSync(join(run, `${stamp}02`, 'lm.ckpt'))
    expect((await ckpt(['recover', run, '--verify', 'deep'])).stdout).toBe(`${join(run, `${stamp}01`)}\n`)
  })
})

describe('ckpt verify --record', () => {
  it('remembers checksums beside the run, against which --deep names what changed; --record again takes the change', async () => {
    const run = copyFixture('runs/nutshell')
    const file = join(run, 'CKPT+epoch03', 'CKPT.yaml')
    const text = readFileSync(file, 'utf8')
    const first = await ckpt(['verify', run, '--record'])
    const state = join(dirname(run), '.ckpt', basename(run))
    expect([first.status, first.stderr]).toEqual([0, `recorded the checksums of 10 checkpoints in ${state}\n`])
    expect((await verify(run, '--deep')).status).toBe(0)
    // One digit: no format has a checksum that tells it.
    writeFileSync(
      file,
      text.replace(/(\d)\n/, (_, digit: string) => `${(Number(digit) + 1) % 10}\n`),
    )
    expect((await verify(run)).status).toBe(0)
    const changed = await verify(run, '--deep')
    expect(changed.status).toBe(4)
    const findings = changed.answer.runs[0]?.checkpoints.flatMap((one) => one.findings)
    expect(findings).toMatchObject([
      { file: 'CKPT.yaml', reason: expect.stringMatching(/^changed: SHA-256/) as string },
    ])
    expect((await verify(run, '--record')).answer.runs[0]?.recorded).toHaveLength(10)
    expect((await verify(run, '--deep')).status).toBe(0)
    const one = await ckpt(['verify', join(run, 'CKPT+epoch03'), '--record'])
    expect([one.status, one.stderr]).toEqual([0, `recorded the checksums of 1 checkpoint in ${state}\n`])
  })

  it('records no damaged checkpoint, and names files that are gone or of another length', async () => {
    const run = copyFixture('runs/asr_run_damaged')
    const elsewhere = temporaryDirectory()
    const recorded = await verify(run, '--record', '--state', elsewhere)
    expect([recorded.status, recorded.answer.runs[0]?.recorded]).toEqual([
      4,
      ['00', '01', '02', '03'].map((d) => stamp + d),
    ])
    appendFileSync(join(run, `${stamp}00`, 'counter.ckpt'), '0')
    rmSync(join(run, `${stamp}01`, 'counter.ckpt'))
    const { answer } = await verify(join(run, `${stamp}00`), join(run, `${stamp}01`), '--deep', '--state', elsewhere)
    const reasons = answer.runs[0]?.checkpoints.map(({ findings }) => findings.map(({ reason }) => reason).join())
    expect(reasons?.[0]).toMatch(/^changed: \d+ bytes, and \d+ when its checksum was recorded/)
    expect(reasons?.[1]).toMatch(/^not there, and each of the 9 other/)
  })

  it('of a link to a checkpoint records it in its own run, and nothing beside the link', async () => {
    const run = makeHfRun([{ step: 5 }, { step: 6 }])
    const link = join(temporaryDirectory(), 'exp', 'latest')
    mkdirSync(dirname(link))
    symlinkSync(join(run, 'checkpoint-5'), link)
    const { answer } = await verify(link, '--record')
    expect(answer.runs.map(({ run: path, recorded }) => [path, recorded])).toEqual([[run, ['checkpoint-5']]])
    expect(readdirSync(dirname(dirname(link)))).toEqual(['exp'])
    if (process.geteuid?.() !== 0) return
    lchownSync(link, 65_534, 65_534)
    const { status, stderr } = await ckpt(['verify', link, '--record'])
    expect([status, stderr]).toEqual([5, expect.stringContaining('is reached by a link of user 65534') as string])
    expect(readdirSync(dirname(dirname(link)))).toEqual(['exp'])
    expect((await ckpt(['verify', link])).stdout).toContain('checkpoint-5')
  })

  it('is refused where nothing can be remembered', async () => {
    const folder = temporaryDirectory()
    writeFileSync(join(folder, 'state'), 'a file')
    const { status, stderr } = await ckpt([
      'verify',
      copyFixture('runs/nutshell'),
      '--record',
      '--state',
      join(folder, 'state'),
    ])
    expect([status, stderr]).toEqual([
      5,
      expect.stringContaining('cannot remember checksums: it cannot be recorded in ') as string,
    ])
  })
})

describe('ckpt verify of several', () => {
  const sound = 'runs/nutshell'

  it('goes on after one that is no checkpoint, and names each of those', async () => {
    const folder = temporaryDirectory()
    const notes = join(folder, 'notes.txt')
    writeFileSync(notes, 'not weights')
    const gone = join(folder, 'gone')
    const run = copyFixture(sound)
    const { status, stdout, stderr } = await ckpt(['verify', notes, gone, run])
    expect(status).toBe(6)
    expect(stdout).toContain(`${run}: 10 checkpoints, whole`)
    expect(stderr).toContain(`${notes} is not a checkpoint`)
    expect(stderr).toContain(`${gone}: nothing there`)
    const json = await ckpt(['verify', notes, run, gone, '--json'])
    expect(json.status).toBe(6)
    expect(JSON.parse(json.stdout)).toMatchObject({
      whole: 10,
      refused: [
        { argument: notes, code: 'not-found' },
        { argument: gone, code: 'not-found' },
      ],
    })
  })

  it('exits with 4 where another is damaged, and as for one where none is a checkpoint', async () => {
    const gone = join(temporaryDirectory(), 'gone')
    expect((await ckpt(['verify', gone, copyFixture('runs/asr_run_damaged')])).status).toBe(4)
    const { status, stdout, stderr } = await ckpt(['verify', gone, `${gone}2`])
    expect([status, stdout]).toEqual([3, ''])
    expect(stderr.match(/nothing there/g)).toHaveLength(2)
  })
})

describe('ckpt verify --finite', () => {
  it('names the tensors with NaN and infinite values', async () => {
    const run = copyFixture('runs/frameworks/hf_trainer/run')
    const header = Buffer.from('{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}  ')
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(header.length))
    const values = Buffer.from(new Float32Array([1, NaN, -Infinity, 2]).buffer)
    writeFileSync(join(run, 'checkpoint-12', 'model.safetensors'), Buffer.concat([length, header, values]))
    expect((await verify(run, '--deep')).status).toBe(0)
    const { status, answer } = await verify(run, '--finite')
    expect(status).toBe(4)
    expect(answer.runs[0]?.checkpoints.flatMap((one) => one.findings)).toEqual([
      {
        grade: 'corrupt',
        file: 'model.safetensors',
        reason: 'values that are not finite: "w" has 1 NaN and 1 infinite, the first at element 1',
      },
    ])
  })
})
