/** A pipe, a folder, a device or a link to nothing in place of each file that a command opens; and SIGTERM ends all. */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadCommand } from '../../src/commands/load.js'
import { neutralName } from '../../src/core/changes/state/index.js'
import { formatHeader } from '../../src/core/formats/safetensors/safetensors.js'
import { processes } from '../../src/machine/process-identity.js'
import { outcomeOf, start, temporaryDirectory } from './ckpt.js'
import { epochs, makeRun, nameOf } from './runs.js'

const kinds: Readonly<Record<string, (path: string) => unknown>> = {
  'a pipe': (path) => execFileSync('mkfifo', [path]),
  'a folder': (path) => {
    mkdirSync(path)
  },
  'an endless device': (path) => {
    symlinkSync('/dev/zero', path)
  },
  'a link to nothing': (path) => {
    symlinkSync('nowhere', path)
  },
}

const run = 'exp/save'
const state = 'exp/.ckpt/save'
const newest = `${run}/${nameOf(3)}`
const oldest = neutralName(nameOf(1))

const list = ['list', run, '--verify', 'quick']
const verify = ['verify', run, '--deep']
const prune = ['prune', run, '--keep', '1', '--trash', '--yes']
const demote = ['demote', run, '--keep', '1', '--yes']
const pin = ['pin', newest]
const job = ['run', run, '--retries', '0', '--', 'true']
const recover = ['recover', run, '--into', 'into']
const tensors = ['tensors', 'a.safetensors']
const transfer = ['transfer', 'a.safetensors', 'b.safetensors', '-o', 'o.safetensors']

/** Each file that ckpt opens in these runs, with commands that open it. */
const opened: Readonly<Record<string, readonly (readonly string[])[]>> = {
  [`${state}/pins.json`]: [list, prune, pin, ['unpin', newest]],
  [`${state}/set-aside.json`]: [list, job],
  [`${state}/proven.json`]: [prune],
  [`${state}/journal.jsonl`]: [['log', run], ['stalled', run, '--min', 'loss', '--patience', '1'], job],
  [`${state}/stop.json`]: [['stop', run], job],
  [`${state}/checksums/${oldest}.json`]: [verify],
  [`${state}/demoted/${oldest}.json`]: [list, demote],
  [`${state}/trash/${oldest}.json`]: [
    ['trash', 'list', run],
    ['trash', 'restore', `${run}/${nameOf(1)}`],
    ['trash', 'empty', run, '--yes'],
  ],
  [`${state}/lock/owner.json`]: [prune, pin],
  [`${state}/job/owner.json`]: [job, ['stop', run]],
  [state]: [list, prune, job],
  [`${run}/ckpt.yaml`]: [list, prune, ['config', run]],
  'exp/ckpt.yaml': [['find', run]],
  'config/ckpt/config.yaml': [['find', run]],
  [`${newest}/CKPT.yaml`]: [
    list,
    ['find', run, '--min', 'loss'],
    recover,
    ['show', run],
    ['layouts', 'explain', newest],
  ],
  [`${newest}/model.ckpt`]: [
    verify,
    recover,
    ['show', newest],
    ['tensors', newest],
    ['average', run, '--last', '2', '-o', 'o'],
  ],
  [newest]: [list, verify, prune],
  'a.safetensors': [
    tensors,
    transfer,
    ['transfer', 'b.safetensors', 'a.safetensors', '-o', 'o.safetensors'],
    ['convert', 'a.safetensors', '--to', 'torch', '-o', 'o.pt'],
    ['diff', 'a.safetensors', 'b.safetensors'],
    ['save', run, '--file', 'model=a.safetensors'],
    ['average', 'a.safetensors', 'b.safetensors', '-o', 'o.safetensors'],
  ],
  'o.safetensors': [transfer, [...transfer, '--force']],
  'map.txt': [[...transfer, '--map-file', 'map.txt']],
  'prune.json': [
    ['prune', '--apply', 'prune.json', '--yes'],
    ['prune', run, '--keep', '1', '--plan', 'prune.json'],
  ],
  'pretrain.yaml': [['pretrain', 'pretrain.yaml']],
  'source.safetensors': [['pretrain', 'pretrain.yaml']],
  'job.sh': [['submit', 'job.sh', '--dry-run']],
}

function makePlace(): string {
  const place = temporaryDirectory()
  makeRun(epochs(3), join(place, run))
  const bytes = Buffer.concat([
    formatHeader([{ name: 'w', dtype: 'F32', shape: [4], bytes: 16 }], new Map()),
    Buffer.alloc(16, 1),
  ])
  for (const name of ['a', 'b', 'source']) writeFileSync(join(place, `${name}.safetensors`), bytes)
  writeFileSync(join(place, 'job.sh'), '#!/bin/bash\n#SBATCH --time=1\ntrue\n')
  writeFileSync(
    join(place, 'pretrain.yaml'),
    'collect_in: got\nloadables: {m: b.safetensors}\npaths: {m: source.safetensors}\n',
  )
  return place
}

let template: string
beforeAll(() => {
  template = makePlace()
})

/** Milliseconds of the clock after which a command counts as hanging, on however busy a machine. */
const patience = 60_000

/** Its outcome; a command that does not end is a failure. */
async function ends(args: readonly string[], cwd: string) {
  const child = start(args, {
    cwd,
    env: { XDG_CONFIG_HOME: join(cwd, 'config'), XDG_STATE_HOME: join(cwd, 'own-state') },
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), patience)
  const got = await outcomeOf(child)
  clearTimeout(timer)
  return got
}

const pairs = Object.entries(opened).flatMap(([path, commands]) => commands.map((args) => ({ path, args })))

describe.each(Object.keys(kinds))('%s', (kind) => {
  it('in place of any file keeps no command from its end, and is told where it matters', async () => {
    const turn = Object.keys(kinds).indexOf(kind)
    // A pipe for every command; of what ends by itself, one kind a file and one command: the way to files is one for all.
    const firsts = Object.entries(opened).map(([path, [args = []]]) => ({ path, args }))
    const tried = kind === 'a pipe' ? pairs : firsts.filter((_, index) => index % 3 === turn - 1)
    const waiting = [...tried]
    const worker = async () => {
      for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
        const place = temporaryDirectory()
        cpSync(template, place, { recursive: true, preserveTimestamps: true })
        const at = join(place, one.path)
        rmSync(at, { recursive: true, force: true })
        mkdirSync(dirname(at), { recursive: true })
        kinds[kind]?.(at)
        const { status, stderr } = await ends(one.args, place)
        const told = `${kind} as ${one.path}: ${one.args.join(' ')}`
        expect([told, status]).toEqual([told, expect.toBeOneOf([0, 1, 2, 3, 4, 5, 6])])
        expect([told, /this is a bug|^ {4}at /m.test(stderr)]).toEqual([told, false])
        if (status === 1) expect([told, stderr]).toEqual([told, expect.stringContaining('error: ')])
        rmSync(place, { recursive: true, force: true })
      }
    }
    await Promise.all([worker(), worker()])
  }, 600_000)
})

/** What changes a run, with the words that make it wait for another that changes it. */
const waiting: Partial<Record<keyof typeof loadCommand, readonly string[]>> = {
  prune: [...prune, '--wait', '10m'],
  demote: [...demote, '--wait', '10m'],
  pin: [...pin, '--wait', '10m'],
  save: ['save', run, '--file', 'model=a.safetensors', '--keep', '2', '--wait', '10m'],
  'trash:empty': ['trash', 'empty', run, '--yes', '--wait', '10m'],
  recover: ['recover', run, '--', 'sleep', '600'],
  run: ['run', run, '--', 'sleep', '600'],
}

describe('SIGTERM', () => {
  it.each(Object.values(waiting))('ends what waits: %s', async (...args) => {
    const place = temporaryDirectory()
    cpSync(template, place, { recursive: true, preserveTimestamps: true })
    const lock = join(place, state, 'lock')
    mkdirSync(lock, { recursive: true })
    const token = '6f1c7d2e-8a4b-4c1d-9e3f-0123456789ab'
    const owner = processes('ckpt test').self
    writeFileSync(join(lock, 'owner.json'), JSON.stringify({ version: 1, token, time: 1, owner }))
    if (args[0] === 'trash') {
      mkdirSync(join(place, state, 'trash', oldest), { recursive: true })
      const record = {
        version: 1,
        name: nameOf(1),
        time: 1,
        reason: 'x',
        layout: 'speechbrain',
        kind: 'directory',
        size: 1,
      }
      writeFileSync(join(place, state, 'trash', `${oldest}.json`), JSON.stringify(record))
    }
    const child = start(args, { cwd: place })
    let said = ''
    const isWaiting = new Promise<void>((resolve) => {
      child.stderr.on('data', (part: Buffer) => {
        said += String(part)
        if (/waiting for|resuming from/.test(said)) resolve()
      })
      child.once('exit', () => {
        resolve()
      })
    })
    await isWaiting
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), patience)
    const { status } = await outcomeOf(child)
    clearTimeout(timer)
    expect([said, status]).toEqual([expect.stringMatching(/waiting for|resuming from/), expect.toBeOneOf([130, 143])])
    expect(existsSync(join(place, run, nameOf(1)))).toBe(true)
  })
})
