/** Every command that changes a run, as one function of a storage: for tests that stop it, or let it fail, anywhere. */
import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { fingerprint } from '../src/core/changes/disposal/index.js'
import {
  carryOut,
  carryOutDemotion,
  emptyAndFinish,
  openRun,
  planDemote,
  restoreAndName,
} from '../src/core/runs/index.js'
import { readTrash, stateFolderOf, withLock, type LockOptions } from '../src/core/changes/state/index.js'
import type { Storage } from '../src/core/storage/storage.js'
import { processes } from '../src/machine/process-identity.js'

export const changes = ['prune', 'prune --trash', 'restore', 'trash empty', 'demote'] as const
export type Change = (typeof changes)[number]

/** The checkpoints that a change is about; `CKPT+c` is not. */
export const subjects = ['CKPT+a', 'CKPT+b']
const resumeOnly = ['optimizer.ckpt', 'scheduler.ckpt']
const now = 1_800_000_000

const noWait = () => Promise.resolve()

/** What each file of a checkpoint holds. */
function filesOf(name: string): Record<string, string> {
  return {
    'CKPT.yaml': `loss: 1.5\nunixtime: ${1_700_000_000 + name.charCodeAt(5)}.0\n`,
    'model.ckpt': `weights of ${name}`.repeat(300),
    'optimizer.ckpt': `optimizer of ${name}`.repeat(300),
    'scheduler.ckpt': `scheduler of ${name}`,
  }
}

/** A run with `CKPT+a`, `CKPT+b` and `CKPT+c`; gives its path. */
export function makeSubjects(folder: string): string {
  const run = join(folder, 'save')
  mkdirSync(run)
  for (const name of [...subjects, 'CKPT+c']) {
    mkdirSync(join(run, name))
    for (const [file, text] of Object.entries(filesOf(name))) {
      writeFileSync(join(run, name, file), text)
      // Quiet for longer than an hour, so that nobody waits for a second look.
      utimesSync(join(run, name, file), 1_700_000_000, 1_700_000_000)
    }
    utimesSync(join(run, name), 1_700_000_000, 1_700_000_000 + name.charCodeAt(5))
  }
  return run
}

export function lockOptions(): LockOptions {
  return {
    processes: processes('ckpt test'),
    now: () => Date.now() / 1000,
    wait: noWait,
    every: () => () => undefined,
    patience: 0,
  }
}

/** Does the change through `through`; what must be there before is done with `plain`. Gives what it freed. */
export async function prepare(change: Change, plain: Storage, run: string): Promise<void> {
  if (change === 'restore' || change === 'trash empty') await doChange('prune --trash', plain, run)
}

export async function doChange(change: Change, through: Storage, run: string): Promise<readonly string[]> {
  const state = await stateFolderOf(through, run)
  return withLock(through, state, lockOptions(), async () => {
    switch (change) {
      case 'prune':
      case 'prune --trash':
        return prune(through, run, subjects, change === 'prune --trash')
      case 'demote':
        return demote(through, run)
      case 'restore': {
        const failures: string[] = []
        for (const entry of (await readTrash(through, state)).entries) {
          await restoreAndName(through, run, state, entry, { wait: noWait }).catch((error: unknown) =>
            failures.push(rethrowBugs(error)),
          )
        }
        return failures
      }
      case 'trash empty': {
        const { entries } = await readTrash(through, state)
        const { failed, leftovers } = await emptyAndFinish(through, run, state, entries, { wait: noWait })
        return [...failed.map(({ entry }) => entry.name), ...leftovers.map(({ path }) => path)]
      }
    }
  })
}

function rethrowBugs(error: unknown): string {
  if (error instanceof Error && 'code' in error) return error.message
  throw error
}

/** A prune of these; with none it only finishes what others left. */
export async function prune(storage: Storage, path: string, names: readonly string[], trash = false) {
  const run = await openRun(storage, path)
  const checkpoints = run.checkpoints.filter(({ name }) => names.includes(name))
  const fingerprints = await fingerprint(storage, checkpoints)
  const reasons = new Map(names.map((name) => [name, 'a test']))
  const stays = run.checkpoints.filter(({ name }) => !names.includes(name))
  const going = { checkpoints, stays, fingerprints, reasons }
  const removal = await carryOut(storage, run, going, { wait: noWait, now, trash })
  return [...removal.failed.map(({ name }) => name), ...removal.leftovers.map((leftover) => leftover.path)]
}

async function demote(storage: Storage, path: string): Promise<readonly string[]> {
  const run = await openRun(storage, path)
  const request = { query: { orders: [], where: [] }, keep: 1 }
  const plan = await planDemote(storage, run, request, { now, wait: noWait, utcOffset: () => 0 })
  const { failed, leftovers } = await carryOutDemotion(storage, run, plan, { wait: noWait, now })
  return [...failed.map(({ name }) => name), ...leftovers.map((leftover) => leftover.path)]
}

export type Condition = 'whole' | 'demoted' | 'gone'

/** What became of a checkpoint under its name. Throws for anything that is neither whole, demoted nor gone. */
export async function conditionOf(storage: Storage, run: string, name: string): Promise<Condition> {
  const path = join(run, name)
  if (!existsSync(path)) return 'gone'
  const there = readdirSync(path).sort()
  const files = filesOf(name)
  for (const file of there) {
    if (readFileSync(join(path, file), 'utf8') !== files[file]) throw new Error(`${path}/${file} is not what it was`)
  }
  const missing = Object.keys(files).filter((file) => !there.includes(file))
  if (missing.length === 0) return 'whole'
  const known = (await openRun(storage, run)).checkpoints.find((one) => one.name === name)
  const explained = (known?.demoted ?? []).map((one) => one.name)
  const unexplained = missing.filter((file) => !explained.includes(file) || !resumeOnly.includes(file))
  if (unexplained.length > 0) throw new Error(`${path} lacks ${unexplained.join(', ')}, and nothing explains it`)
  return 'demoted'
}

/** Modification time of a checkpoint's folder as it was made, in whole seconds. */
export function hasItsTime(run: string, name: string): boolean {
  return statSync(join(run, name)).mtimeMs === (1_700_000_000 + name.charCodeAt(5)) * 1000
}

/** Everything below the run's state folder, relative. */
export function stateOf(run: string): string[] {
  const state = join(run, '..', '.ckpt', 'save')
  return existsSync(state) ? readdirSync(state, { recursive: true, encoding: 'utf8' }).sort() : []
}
