/**
 * Real SIGKILLs: the built program does each of the changes and dies just before its n-th call that changes the file
 * system, for each n in turn (test/dying.cjs). Its lock is left too, and is taken over: by the built program once for
 * each command, else by the same code in this process.
 */
import { spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  lutimesSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { openRun } from '../../src/core/runs/index.js'
import { readChecksums, readPins, readTrash, stateFolderOf, withLock } from '../../src/core/changes/state/index.js'
import { localStorage } from '../../src/core/storage/local.js'
import { conditionOf, doChange, hasItsTime, lockOptions, makeSubjects, prune, stateOf } from '../changes.js'
import { program } from './ckpt.js'

const here = fileURLToPath(new URL('..', import.meta.url))
const plain = localStorage()
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ckpt-killed-')))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** How many die at a time. */
const together = 4

interface Deed {
  /** The command line; RUN stands for the run, and relative paths lie beside it. */
  readonly command: string
  /** Whether `CKPT+a` and `CKPT+b` lie in the trash before. */
  readonly inTrash?: true
  /** What must hold of the place beside the run, beyond that all checkpoints are whole, demoted or gone. */
  readonly sound?: (place: string, name: string) => void | Promise<void>
}

const removals: readonly Deed[] = [
  { command: 'prune RUN --keep 1 --yes' },
  { command: 'prune RUN --keep 1 --trash --yes' },
  { command: 'trash restore RUN/CKPT+a RUN/CKPT+b', inTrash: true },
  { command: 'trash empty RUN --yes', inTrash: true },
  { command: 'demote RUN --keep 1 --yes' },
]

const saves: readonly Deed[] = [
  { command: 'save RUN --file model=weights.bin --meta loss=1 --name new', sound: isSavedOrNot },
  { command: 'save RUN --file model=weights.bin --meta loss=1 --name new --move', sound: isSavedOrNot },
  { command: 'save RUN --file model=weights.bin --meta loss=1 --name new --link hard', sound: isSavedOrNot },
  { command: 'save RUN --file model=weights.bin --meta loss=1 --name new --keep 2', sound: isSavedOrNot },
]

const others: readonly Deed[] = [
  { command: 'recover RUN --into staged', sound: isStagedOrNot },
  { command: 'recover RUN --into staged --link hard', sound: isStagedOrNot },
  { command: 'recover RUN --into staged --link symbolic', sound: isStagedOrNot },
  { command: 'export RUN/CKPT+c --into served', sound: isExportedOrNot },
  { command: 'convert source.safetensors --to torch -o out.pt', sound: isOldOrNew('out.pt') },
  {
    command: 'transfer source.safetensors target.safetensors -o out.safetensors',
    sound: isOldOrNew('out.safetensors'),
  },
  {
    command: 'transfer source.safetensors target.safetensors -o target.safetensors --force',
    sound: isOldOrNew('target.safetensors'),
  },
  {
    command: 'transfer source.safetensors target.safetensors --in-place -o clone.safetensors',
    sound: isOldOrNew('clone.safetensors'),
  },
  {
    command: 'verify RUN --record',
    sound: async (place) => {
      await readChecksums(plain, await stateAt(place), ['CKPT+a', 'CKPT+b', 'CKPT+c'])
    },
  },
  {
    command: 'pin RUN/CKPT+a --note kept',
    sound: async (place) => expect(await readPins(plain, await stateAt(place))).toBeDefined(),
  },
]

it.each([...removals, ...saves, ...others])(
  'ckpt $command, killed at each of its calls, leaves what is whole, demoted or gone',
  async (deed) => {
    // The first time, the command keeps its compiled code: before anything counts.
    expect(await run(deed, await freshPlace(deed), 0)).toBe(null)
    const counted = await freshPlace(deed)
    expect(await run(deed, counted, 0)).toBe(null)
    // How it ends is known by its command, for whoever compares.
    finished.set(deed.command, counted)
    const calls = readCalls(counted)
    expect(calls.length).toBeGreaterThan(3)
    const middle = calls[calls.length >> 1]
    for (let first = 0; first < calls.length; first += together) {
      const ns = calls.slice(first, first + together)
      await Promise.all(ns.map((n) => dieAt(deed, n, n === middle ? pruneAsBuilt : pruneHere)))
    }
  },
  240_000,
)

type Finish = (place: string) => Promise<void>

async function dieAt(deed: Deed, n: number, finish: Finish): Promise<void> {
  const place = await freshPlace(deed)
  const signal = await run(deed, place, n)
  // Under load a command has made a call more: one that is quicker does not come to the last.
  if (signal === null) expect(Math.max(...readCalls(place))).toBeLessThan(n)
  else expect(signal).toBe('SIGKILL')
  await expectSound(place, finish)
  await deed.sound?.(place, deed.command)
  rmSync(dirname(place), { recursive: true })
}

async function freshPlace(deed: Deed): Promise<string> {
  const place = join(mkdtempSync(join(folder, 'place-')), 'exp')
  cpSync(join(here, 'fixtures', 'transfer', '000'), place, { recursive: true })
  writeFileSync(join(place, 'weights.bin'), 'weights')
  const path = makeSubjects(place)
  if (deed.inTrash === true) await doChange('prune --trash', plain, path)
  return place
}

/** The signal that it died of. */
function run({ command }: Deed, place: string, n: number): Promise<NodeJS.Signals | null> {
  const args = command.split(' ').map((word) => word.replace('RUN', join(place, 'save')))
  return new Promise((resolve, reject) => {
    const env = {
      PATH: process.env['PATH'],
      XDG_CACHE_HOME: join(folder, 'cache'),
      DIE_AT: String(n),
      CALLS_IN: join(dirname(place), 'calls'),
    }
    // It is not there for long: threads for its garbage would take longer to start than they save.
    const node = ['--single-threaded', '--require', join(here, 'dying.cjs')]
    const child = spawn(process.execPath, [...node, program, ...args], {
      cwd: place,
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let complaint = ''
    child.stderr.on('data', (part: Buffer) => (complaint += part.toString()))
    child.on('close', (status, signal) => {
      if (status === null || status === 0) resolve(signal)
      else reject(new Error(`ckpt ${command}, with DIE_AT=${n}: exit status ${status}\n${complaint}`))
    })
  })
}

async function pruneHere(place: string): Promise<void> {
  const path = join(place, 'save')
  expect(await withLock(plain, await stateAt(place), lockOptions(), () => prune(plain, path, []))).toEqual([])
}

async function pruneAsBuilt(place: string): Promise<void> {
  expect(await run({ command: 'prune RUN --keep 9 --wait 0s --yes' }, place, 0)).toBe(null)
}

/** Nothing half there, and after the next prune, which removes nothing, an hour later, nothing unexplained. */
async function expectSound(place: string, finish: Finish): Promise<void> {
  const path = join(place, 'save')
  for (const name of ['CKPT+a', 'CKPT+b']) await conditionOf(plain, path, name)
  expect(await conditionOf(plain, path, 'CKPT+c')).toBe('whole')
  const state = await stateAt(place)
  age(join(state.path, 'staging'))
  await finish(place)
  const { entries, unknown, orphans } = await readTrash(plain, state)
  expect([...unknown, ...orphans]).toEqual([])
  for (const name of readdirSync(path)) {
    expect(name).toMatch(/^CKPT\+([abc]|new)$/)
    if (name !== 'CKPT+new') expect(hasItsTime(path, name)).toBe(true)
    expect(entries.map((entry) => entry.name)).not.toContain(name)
  }
  const explained =
    /^journal\.jsonl$|^(trash|demoted|checksums)(\/[a-z]{16}0(\.json(\.new)?|\/.*)?)?$|^(pins|proven)\.json(\.new)?$/
  expect(stateOf(path).filter((one) => !explained.test(one))).toEqual([])
}

/** As if it had been written two hours ago. */
function age(folder: string): void {
  if (!existsSync(folder)) return
  const then = Date.now() / 1000 - 7200
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
    lutimesSync(join(folder, path), then, then)
}

/** The numbers of the calls that changed something. */
function readCalls(place: string): number[] {
  return JSON.parse(readFileSync(join(dirname(place), 'calls'), 'utf8')) as number[]
}

const finished = new Map<string, string>()

async function stateAt(place: string) {
  return stateFolderOf(plain, join(place, 'save'))
}

/** The new checkpoint is there whole, or the file that it was made of is. */
async function isSavedOrNot(place: string): Promise<void> {
  const saved = join(place, 'save', 'CKPT+new')
  const given = join(place, 'weights.bin')
  if (existsSync(given)) expect(readFileSync(given, 'utf8')).toBe('weights')
  else expect(existsSync(saved)).toBe(true)
  if (!existsSync(saved)) return
  expect(readdirSync(saved).sort()).toEqual(['CKPT.yaml', 'model.ckpt'])
  expect(readFileSync(join(saved, 'model.ckpt'), 'utf8')).toBe('weights')
  const known = (await openRun(plain, join(place, 'save'))).checkpoints.find(({ name }) => name === 'CKPT+new')
  expect(known?.meta.get('loss')).toBe(1)
}

function isStagedOrNot(place: string): void {
  const staged = join(place, 'staged', 'CKPT+c')
  if (!existsSync(staged)) return
  const original = join(place, 'save', 'CKPT+c')
  expect(readdirSync(staged).sort()).toEqual(readdirSync(original).sort())
  for (const file of readdirSync(staged)) {
    expect(readFileSync(join(staged, file)).equals(readFileSync(join(original, file)))).toBe(true)
  }
}

/** What was there before, or nothing where nothing was, or all of the new file. Only a temporary name lies beside. */
function isExportedOrNot(place: string, command: string): void {
  const served = join(place, 'served')
  if (!existsSync(served)) return
  const whole = join(finished.get(command) ?? '', 'served')
  expect(readdirSync(served).sort()).toEqual(readdirSync(whole).sort())
  for (const name of readdirSync(whole)) {
    expect(readFileSync(join(served, name)).equals(readFileSync(join(whole, name))), name).toBe(true)
  }
}

function isOldOrNew(output: string) {
  return (place: string, command: string): void => {
    const before = join(here, 'fixtures', 'transfer', '000', output)
    const [now, old, done] = [join(place, output), before, join(finished.get(command) ?? '', output)].map((path) =>
      existsSync(path) ? readFileSync(path).toString('hex') : null,
    )
    expect([old, done]).toContain(now)
    const beside = ['.ckpt', 'save', 'source.safetensors', 'target.safetensors', 'weights.bin', output]
    for (const name of readdirSync(place)) {
      if (!beside.includes(name)) expect(name).toMatch(/^\.ckpt-[0-9a-f]{16}$/)
    }
  }
}
