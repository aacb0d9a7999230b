/**
 * Real frameworks go on from what ckpt left: after `prune --keep 1`, after `rm` of the newest, and with the newest cut
 * under `recover`. Each has a script in after_prune/ that trains, is interrupted, and resumes by the framework's own
 * means; its weights must be those that were saved, and its next rotation must not fail.
 */
import { execFile } from 'node:child_process'
import { cpSync, lstatSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { ckpt, program, temporaryDirectory } from '../e2e/ckpt.js'

/** By framework, the Python that has it; null where it cannot be had. */
const pythons = JSON.parse(process.env['CKPT_TEST_PYTHONS'] ?? '{}') as Record<string, string | null>

interface Trained {
  /** Digest of the weights, by the step (or what else `by` names) of each save. */
  readonly saved: Readonly<Record<string, string>>
  /** The folder that holds the checkpoints. */
  readonly run: string
  readonly by: 'step' | 'epoch' | 'name'
}

interface Resumed {
  /** Where it went on, if the framework tells. */
  readonly from?: number
  /** Digest of what it had loaded. */
  readonly weights: string
  /** What it saved afterwards. */
  readonly then: readonly number[]
}

interface Listed {
  readonly name: string
  readonly path: string
  readonly step: number | null
  readonly epoch: number | null
}

const scripts = fileURLToPath(new URL('after_prune/', import.meta.url))
const environment = {
  OMP_NUM_THREADS: '1',
  HF_HUB_OFFLINE: '1',
  TRANSFORMERS_VERBOSITY: 'error',
  CUDA_VISIBLE_DEVICES: '',
  JAX_PLATFORMS: 'cpu',
}

/** The script's answer; what went wrong in it becomes the message. */
async function ask<T>(command: readonly string[]): Promise<T> {
  const [program = '', ...args] = command
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((resolve) => {
    const options = { env: { ...process.env, ...environment }, maxBuffer: 1 << 28, cwd: scripts }
    execFile(program, args, options, (_, out, err) => {
      resolve({ stdout: out, stderr: err })
    })
  })
  const answer = stdout.split('\n').find((line) => line.startsWith('answer '))
  if (answer === undefined) throw new Error(`${command.join(' ')}: ${stderr.slice(-3000)}${stdout.slice(-1000)}`)
  return JSON.parse(answer.slice('answer '.length)) as T
}

async function list(run: string): Promise<readonly Listed[]> {
  const { stdout } = await ckpt(['list', run, '--json'])
  return (JSON.parse(stdout) as { checkpoints: Listed[] }).checkpoints
}

function numberOf({ step, epoch, name }: Listed, by: Trained['by']): number | null {
  return by === 'name' ? Number(/\d+/.exec(name)?.[0]) : by === 'epoch' ? epoch : step
}

/** The largest file of a checkpoint, be it a folder, a file or a group. */
function largestFile({ path }: Listed, run: string): string {
  const isThere = lstatSync(path, { throwIfNoEntry: false })
  const all =
    isThere?.isDirectory() === true
      ? readdirSync(path, { recursive: true }).map((one) => join(path, String(one)))
      : readdirSync(run).map((one) => join(run, one))
  const files = all.filter((one) => one.startsWith(path) && lstatSync(one).isFile())
  const [largest] = files.sort((a, b) => lstatSync(b).size - lstatSync(a).size)
  if (largest === undefined) throw new Error(`${path} has no file`)
  return largest
}

describe.each(Object.entries(pythons))('%s', (framework, python) => {
  const work = temporaryDirectory()
  const folder = join(work, 'run')
  const script = join(scripts, `${framework}_side.py`)
  let trained: Trained

  beforeAll(async () => {
    if (python === null) return
    const answer = await ask<Partial<Trained>>([python, script, 'train', folder])
    trained = { saved: {}, run: folder, by: 'step', ...answer }
    cpSync(folder, join(work, 'as-trained'), { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
  })

  /** What was trained lies there again, under the same path: frameworks write it down. */
  function begin(): void {
    rmSync(folder, { recursive: true })
    cpSync(join(work, 'as-trained'), folder, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
  }

  async function goesOnFrom(wanted: number | null, command: readonly string[]): Promise<void> {
    const resumed = await ask<Resumed>([...command, python ?? '', script, 'resume', folder])
    if (resumed.from !== undefined) expect(resumed.from).toBe(wanted)
    expect(resumed.weights).toBe(trained.saved[String(wanted)])
    const numbers = (await list(trained.run)).map((one) => numberOf(one, trained.by))
    expect(resumed.then.length).toBeGreaterThan(0)
    expect(numbers).toContain(resumed.then.at(-1))
  }

  /** What a job goes on from. */
  async function chosen(): Promise<Listed> {
    const { stdout, stderr } = await ckpt(['recover', trained.run])
    const one = (await list(trained.run)).find(({ path }) => path === stdout.trim())
    if (one === undefined) throw new Error(stderr)
    return one
  }

  it.skipIf(python === null)('resumes from what prune --keep 1 left', async () => {
    begin()
    const saved = Math.max(...Object.keys(trained.saved).map(Number))
    const { status, stdout } = await ckpt(['prune', trained.run, '--keep', '1', '--yes'])
    expect(status, stdout).toBe(0)
    const left = (await list(trained.run)).map((one) => numberOf(one, trained.by))
    expect(new Set(left)).toEqual(new Set([saved]))
    await goesOnFrom(saved, [])
  })

  it.skipIf(python === null)('resumes from the one before when the newest was removed', async () => {
    begin()
    const newest = await chosen()
    const same = (await list(trained.run)).filter((one) => numberOf(one, trained.by) === numberOf(newest, trained.by))
    const { status, stdout, stderr } = await ckpt(['rm', ...same.map(({ path }) => path), '--no-protect', '--yes'])
    expect(status, stdout + stderr).toBe(0)
    const before = numberOf(await chosen(), trained.by)
    expect(before).toBeLessThan(numberOf(newest, trained.by) ?? 0)
    await goesOnFrom(before, recovering())
  })

  it.skipIf(python === null)('resumes from a whole one when the newest was cut', async () => {
    begin()
    const newest = await chosen()
    const file = largestFile(newest, trained.run)
    truncateSync(file, Math.floor(lstatSync(file).size / 2))
    const whole = await chosen()
    expect(whole.path).not.toBe(newest.path)
    await goesOnFrom(numberOf(whole, trained.by), recovering())
  })

  function recovering(): string[] {
    return [process.execPath, program, 'recover', trained.run, '--']
  }
})
