/**
 * Another user of the disk swaps a folder of the run, or of what ckpt keeps beside it, for a link to somebody's own
 * folder and back, a thousand times while runs are changed: nothing behind the link is ever touched.
 */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, expect, it } from 'vitest'
import { fingerprint, removeCheckpoints } from '../../src/core/changes/disposal/index.js'
import { readTrash, stateFolderOf, withLock } from '../../src/core/changes/state/index.js'
import { moveToTrash, restore } from '../../src/core/changes/trash/index.js'
import { CkptError } from '../../src/core/errors.js'
import { neutralName } from '../../src/core/changes/state/index.js'
import { publishFolder } from '../../src/core/changes/publish/publish-folder.js'
import { localStorage } from '../../src/core/storage/local.js'
import { convert, planConversion } from '../../src/core/tensors/convert/index.js'
import { openTensors } from '../../src/core/tensors/read/index.js'
import { userStorage } from '../../src/machine/user-storage.js'
import { checkpointAt, makeCheckpoint } from '../core/changes/disposal/runs.js'
import { changes, doChange, lockOptions, makeSubjects, prepare } from '../changes.js'

const folder = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'ckpt-races-')))
process.env['XDG_STATE_HOME'] = join(folder, 'state-home')
const storage = userStorage(() => undefined)
const swapsWanted = 1000
const isRoot = process.geteuid?.() === 0
const stranger = 65_534
/** Each of the changes a few times. */
const fewestTurns = 3 * changes.length

/** Runs in a thread of its own: `control` is [1 while it may swap, 1 while it does, swaps so far]. */
const attacker = `
const { workerData: { target, victim, owner, control: shared }, parentPort } = require('node:worker_threads')
const fs = require('node:fs')
const control = new Int32Array(shared)
const away = target + '.away'
const aside = target + '.link'
const attempt = (call) => { try { call(); return true } catch { return false } }
const isLink = () => attempt(() => fs.readlinkSync(target))
const putBack = () => {
  if (isLink()) attempt(() => fs.unlinkSync(target))
  attempt(() => fs.renameSync(away, target))
}
for (;;) {
  // Said before it is asked: whoever pauses it sees that it swaps, or it sees that it is paused.
  Atomics.store(control, 1, 1)
  const asked = Atomics.load(control, 0)
  if (asked === 2) break
  if (asked === 0) {
    // It may not have been allowed to before: a thread has the rights of the process, which acts as others at times.
    putBack()
    Atomics.store(control, 1, 0)
    Atomics.notify(control, 1)
    Atomics.wait(control, 0, 0)
    continue
  }
  if (attempt(() => fs.renameSync(target, away)) || !fs.existsSync(target)) {
    // Made beside it: no moment at which the link is another's.
    attempt(() => fs.symlinkSync(victim, aside))
    if (owner !== null) attempt(() => fs.lchownSync(aside, owner, owner))
    if (attempt(() => fs.renameSync(aside, target))) Atomics.add(control, 2, 1)
    for (let spin = Math.random() * 20000; spin > 0; spin -= 1);
  }
  putBack()
  for (let spin = Math.random() * 20000; spin > 0; spin -= 1);
}`

class Attacker {
  private readonly control = new Int32Array(new SharedArrayBuffer(12))
  private readonly worker: Worker

  /** `owner` is whom its links belong to; null: the user. */
  constructor(target: string, victim: string, owner: number | null = null) {
    const workerData = { target, victim, owner, control: this.control.buffer }
    this.worker = new Worker(attacker, { eval: true, workerData })
  }

  get swaps(): number {
    return Atomics.load(this.control, 2)
  }

  resume(): void {
    Atomics.store(this.control, 0, 1)
    Atomics.notify(this.control, 0)
  }

  /** All is under its own name then. */
  pause(): void {
    Atomics.store(this.control, 0, 0)
    while (Atomics.load(this.control, 1) === 1) Atomics.wait(this.control, 1, 1, 50)
  }

  async end(): Promise<void> {
    Atomics.store(this.control, 0, 2)
    Atomics.notify(this.control, 0)
    await this.worker.terminate()
  }
}

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

/** Everything below, with what it holds and when it was changed: a name that came or went changes its folder's time. */
function snapshot(path: string): string[] {
  const names = ['.', ...fs.readdirSync(path, { recursive: true, encoding: 'utf8' })].sort()
  return names.map((name) => {
    const stat = fs.lstatSync(join(path, name), { bigint: true })
    const text = stat.isFile() ? fs.readFileSync(join(path, name), 'utf8') : ''
    return `${name} ${stat.ino} ${stat.mtimeNs} ${stat.mode} ${stat.nlink} ${text}`
  })
}

/** A state folder of somebody else's run, full of what ckpt would remove from its own. */
function makeVictimState(path: string): void {
  for (const name of ['trash', 'deleting', 'demoted', 'staging', 'lock', 'lock-00000000-0000-4000-8000-000000000000']) {
    fs.mkdirSync(join(path, name), { recursive: true })
    fs.writeFileSync(join(path, name, 'owner.json'), '{}')
    fs.mkdirSync(join(path, name, neutralName(name)))
    fs.writeFileSync(join(path, name, neutralName(name), 'thesis'), 'precious')
    fs.writeFileSync(join(path, name, `${neutralName(name)}.json`), '{}')
  }
  fs.writeFileSync(join(path, 'journal.jsonl'), '')
}

let count = 0

function freshPlace(): string {
  count += 1
  const place = join(folder, `place-${count}`)
  fs.mkdirSync(place)
  return place
}

async function quietly(work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    // It may refuse, or not find what it looks for; it may not do harm.
    if (!(error instanceof CkptError)) throw error
  }
}

interface Swap {
  readonly what: string
  /** Relative to the folder that holds the run `save`. */
  readonly target: string
  readonly makeVictim: (victim: string) => void
  /** A link of the user's own would be followed there: only the superuser can have one made in another's name. */
  readonly byStranger?: true
}

const swapped: readonly Swap[] = [
  { what: 'the run', target: 'save', makeVictim: (victim) => makeVictimRun(victim, 'save'), byStranger: true },
  {
    what: 'the folder above the run',
    target: '',
    makeVictim: (victim) => {
      fs.mkdirSync(victim)
      makeSubjects(victim)
    },
    byStranger: true,
  },
  { what: 'a checkpoint', target: 'save/CKPT+a', makeVictim: (victim) => makeVictimRun(victim, 'save/CKPT+a') },
  { what: 'the state folders', target: '.ckpt', makeVictim: (victim) => makeVictimState(join(victim, 'save')) },
  ...['', '/trash', '/deleting', '/demoted', '/lock'].map((inside) => ({
    what: `.ckpt/save${inside}`,
    target: `.ckpt/save${inside}`,
    makeVictim: makeVictimState,
  })),
]

/** The same files as the checkpoint has, in a run of somebody else's. */
function makeVictimRun(victim: string, inside: string): void {
  const place = freshPlace()
  fs.renameSync(join(dirname(makeSubjects(place)), inside), victim)
}

it.each(swapped.filter(({ byStranger }) => byStranger !== true || isRoot))(
  'while $what is swapped for a link, nothing behind it is touched by any change of a run',
  async ({ target, makeVictim, byStranger }) => {
    const around = freshPlace()
    const victim = join(around, 'victim')
    makeVictim(victim)
    const before = snapshot(around)
    const place = freshPlace()
    const one = new Attacker(join(place, target), victim, byStranger === true ? stranger : null)
    const turn = async (index: number) => {
      const change = changes[index % changes.length] ?? 'prune'
      fs.rmSync(place, { recursive: true, force: true })
      fs.mkdirSync(place)
      const run = makeSubjects(place)
      // One of its own: where a link of a stranger's has once misled a storage, it changes nothing any more.
      const storage = userStorage(() => undefined)
      await prepare(change, storage, run)
      fs.mkdirSync(dirname(join(place, target)), { recursive: true })
      one.resume()
      await quietly(() => doChange(change, storage, run))
      one.pause()
      expect(snapshot(around)).toEqual(before)
    }
    for (let index = 0; one.swaps < swapsWanted || index < fewestTurns; index += 1) await turn(index)
    await one.end()
  },
  240_000,
)

/** What `convert --output` and `export --output` do, by a user without anybody's rights to act by. */
it.runIf(isRoot)(
  'while the folder of an output is swapped for a link of somebody else, nothing is written behind it',
  async () => {
    const victim = join(freshPlace(), 'victim')
    fs.mkdirSync(join(victim, 'folder'), { recursive: true })
    for (const name of ['model.pt', 'folder/config.json']) fs.writeFileSync(join(victim, name), 'precious')
    const before = snapshot(victim)
    const out = join(freshPlace(), 'out')
    const checkpoint = join(freshPlace(), 'step.safetensors')
    const header = Buffer.from('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}')
    fs.writeFileSync(
      checkpoint,
      Buffer.concat([Buffer.from([header.length, 0, 0, 0, 0, 0, 0, 0]), header, Buffer.alloc(4)]),
    )
    const one = new Attacker(out, victim, stranger)
    const wait = () => Promise.resolve()
    for (let index = 0; one.swaps < swapsWanted; index += 1) {
      const storage = localStorage({ custody: { user: 0 } })
      fs.rmSync(out, { recursive: true, force: true })
      fs.mkdirSync(out)
      const file = await openTensors(storage, checkpoint)
      const conversion = await planConversion(file, 'torch')
      one.resume()
      if (index % 2 === 0) await quietly(() => convert(storage, conversion, join(out, 'model.pt'), { force: true }))
      else
        await quietly(() =>
          publishFolder(
            storage,
            join(out, 'folder'),
            async (building) => (await storage.create(join(building, 'config.json'))).close(),
            { wait, adds: true },
          ),
        )
      one.pause()
      await file.close()
      expect(snapshot(victim)).toEqual(before)
    }
    await one.end()
  },
  240_000,
)

it('while a folder in the run is swapped for a link, checkpoints in it go and come back, and none behind the link', async () => {
  const victim = join(freshPlace(), 'victim')
  fs.mkdirSync(victim)
  for (const name of ['CKPT+a', 'CKPT+b']) makeCheckpoint(victim, name)
  const before = snapshot(victim)
  const place = freshPlace()
  const run = join(place, 'save')
  const one = new Attacker(join(run, 'sub'), victim)
  for (let index = 0; one.swaps < swapsWanted; index += 1) {
    fs.rmSync(place, { recursive: true, force: true })
    fs.mkdirSync(join(run, 'sub'), { recursive: true })
    for (const name of ['CKPT+a', 'CKPT+b']) makeCheckpoint(join(run, 'sub'), name)
    const checkpoints = ['sub/CKPT+a', 'sub/CKPT+b'].map((name) => checkpointAt(run, name))
    const planned = await fingerprint(storage, checkpoints)
    const options = { planned, wait: () => Promise.resolve(), now: 0, reasons: new Map<string, string>() }
    const state = await stateFolderOf(storage, run)
    if (index % 3 === 2) await moveToTrash(storage, run, checkpoints, options)
    one.resume()
    await quietly(() =>
      withLock(storage, state, lockOptions(), async () => {
        if (index % 3 === 0) await removeCheckpoints(storage, run, checkpoints, options)
        else if (index % 3 === 1) await moveToTrash(storage, run, checkpoints, options)
        else for (const entry of (await readTrash(storage, state)).entries) await restore(storage, run, state, entry)
      }),
    )
    one.pause()
    expect(snapshot(victim)).toEqual(before)
  }
  await one.end()
}, 240_000)
