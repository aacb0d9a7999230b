/** The books of frameworks stay true when checkpoints go, and when they come back. */
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  carryOut,
  describePolicy,
  intentOf,
  openRun,
  planPrune,
  restoreAndName,
  type PruneRequest,
} from '../../../../src/core/runs/index.js'
import { readJournal, removalsIn } from '../../../../src/core/changes/journal/index.js'
import { readTrash, stateFolderOf } from '../../../../src/core/changes/state/index.js'
import { parseExpression } from '../../../../src/core/choosing/expression/index.js'
import { keepBooks } from '../../../../src/core/runs/pruning/update-pointers.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { Storage } from '../../../../src/core/storage/storage.js'
import { faultyStorage, Stopped } from '../../../faulty-storage.js'
import { fixtures } from '../../checkpoints/layouts/folders.js'

const plain = localStorage()
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ckpt-books-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** A writable copy of a run that the framework wrote. */
function copyOf(framework: string, below = ''): string {
  const run = join(folder, framework)
  cpSync(join(fixtures, 'frameworks', framework, 'run', below), run, { recursive: true })
  makeWritable(run)
  return run
}

/** With the times of its saves, by which it goes where its list does not tell. */
function copyOfTensorFlow(): string {
  const run = join(folder, 'tf')
  cpSync(join(fixtures, 'frameworks', 'tf_checkpoint', 'run'), run, { recursive: true })
  for (const name of readdirSync(run))
    utimesSync(join(run, name), now - 100, Number(times[Number(name[5])] ?? now - 100))
  return run
}

function makeWritable(path: string): void {
  const isFolder = lstatSync(path).isDirectory()
  if (lstatSync(path).isSymbolicLink()) return
  chmodSync(path, isFolder ? 0o755 : 0o644)
  if (isFolder) for (const name of readdirSync(path)) makeWritable(join(path, name))
}

const wait = () => Promise.resolve()
const now = 1_900_000_000
const where = async (text: string): Promise<PruneRequest['query']> => ({
  orders: [],
  where: [await parseExpression(text)],
})

async function remove(run: string, which: string, { storage = plain, trash = false, ...more }: Removing = {}) {
  const opened = await openRun(plain, run)
  const request = { query: await where(which), keep: 0, protect: false, toTrash: trash, ...more }
  const plan = await planPrune(plain, opened, request, { now, wait, utcOffset: () => 0 })
  const done = await carryOut(storage, opened, intentOf(plan).going, { now, wait, trash })
  return { plan, done }
}

interface Removing extends Partial<PruneRequest> {
  readonly storage?: Storage
  readonly trash?: boolean
}

const textOf = (run: string, file: string): string => readFileSync(join(run, file), 'utf8')

it.each([
  ['deepspeed', 'latest', 'global_step20', 'step == 30', 'global_step20'],
  ['detectron2', 'last_checkpoint', 'model_0000029.pth', 'step == 40', 'model_0000029.pth'],
  ['mmengine', 'last_checkpoint', 'epoch_4.pth', 'epoch == 5', 'work_dirs/tiny/epoch_4.pth'],
  ['megatron', 'latest_checkpointed_iteration.txt', 'iter_0000300', 'step == 400', '300'],
] as const)(
  '%s: %s names the newest whole one that stays, as the framework spells it',
  async (framework, file, to, which, text) => {
    const run = copyOf(framework)
    const { plan, done } = await remove(run, which)
    expect(textOf(run, file)).toBe(text)
    expect(plan.pointers).toMatchObject([{ file, to }])
    expect(done.pointed).toEqual(plan.pointers)
  },
)

it('passes over a damaged one that stays', async () => {
  const run = copyOf('deepspeed')
  truncateSync(join(run, 'global_step20', 'mp_rank_00_model_states.pt'), 100)
  await remove(run, 'step == 30')
  expect(textOf(run, 'latest')).toBe('global_step10')
})

it('a damaged one that latest names may be removed, for latest is made to name another', async () => {
  const run = copyOf('deepspeed')
  truncateSync(join(run, 'global_step30', 'mp_rank_00_model_states.pt'), 100)
  await remove(run, 'true', { query: { orders: [], where: [] }, keep: 5, protect: true, removeDamaged: true })
  expect([textOf(run, 'latest'), existsSync(join(run, 'global_step30'))]).toEqual(['global_step20', false])
})

it('is removed where nothing whole stays', async () => {
  const run = copyOf('megatron')
  await remove(run, 'true', { query: { orders: [], where: [] }, allowEmpty: true })
  expect(readdirSync(run)).toEqual([])
})

it('is left alone when what it names stays, be it dangling', async () => {
  const run = copyOf('deepspeed')
  writeFileSync(join(run, 'latest'), 'elsewhere\n')
  const { done } = await remove(run, 'step == 10')
  expect([textOf(run, 'latest'), done.pointed]).toEqual(['elsewhere\n', []])
})

it('keeps its line end and its permissions', async () => {
  const run = copyOf('deepspeed')
  writeFileSync(join(run, 'latest'), 'global_step30\n')
  chmodSync(join(run, 'latest'), 0o664)
  await remove(run, 'step == 30')
  expect([textOf(run, 'latest'), statSync(join(run, 'latest')).mode & 0o777]).toEqual(['global_step20\n', 0o664])
})

const state = (...names: number[]): string =>
  [
    `model_checkpoint_path: "ckpt-${names.at(-1)}"`,
    ...names.map((name) => `all_model_checkpoint_paths: "ckpt-${name}"`),
    ...names.map((name) => `all_model_checkpoint_timestamps: ${times[name] ?? ''}`),
    'last_preserved_timestamp: 1795384569.0996044',
    '',
  ].join('\n')
const times: Record<number, string> = { 4: '1795384571.309998', 5: '1795384571.6818268', 6: '1795384571.8969584' }

it("TensorFlow's list loses each that goes, with its time", async () => {
  const run = copyOfTensorFlow()
  expect(textOf(run, 'checkpoint')).toBe(state(4, 5, 6))
  await remove(run, 'name == "ckpt-5"')
  expect(textOf(run, 'checkpoint')).toBe(state(4, 6))
  await remove(run, 'name == "ckpt-6"')
  expect(textOf(run, 'checkpoint')).toBe(state(4))
})

it("TensorFlow's paths may be absolute, escaped, and without times", async () => {
  const run = copyOfTensorFlow()
  const old = [5, 6].map((name) => `all_model_checkpoint_paths: "/old/caf\\303\\251/ckpt-${name}"\n`).join('')
  writeFileSync(join(run, 'checkpoint'), `model_checkpoint_path: "/old/caf\\303\\251/ckpt-6"\n${old}`)
  await remove(run, 'name == "ckpt-6"')
  const line = 'model_checkpoint_path: "/old/caf\\303\\251/ckpt-5"\n'
  expect(textOf(run, 'checkpoint')).toBe(`${line}all_${line.replace('path', 'paths')}`)
})

it('what comes back from the trash is named again, unless something newer is named', async () => {
  const run = copyOfTensorFlow()
  await remove(run, 'name != "ckpt-5"', { trash: true })
  expect(textOf(run, 'checkpoint')).toBe(state(5))
  const folderOfState = await stateFolderOf(plain, run)
  for (const name of ['ckpt-6', 'ckpt-4']) {
    const { entries } = await readTrash(plain, folderOfState)
    const entry = entries.find((one) => one.name === name)
    if (entry !== undefined) await restoreAndName(plain, run, folderOfState, entry, { wait })
  }
  const lines = textOf(run, 'checkpoint').split('\n')
  expect(lines.filter((line) => line.includes('path')).map((line) => line.slice(-2, -1))).toEqual(['6', '4', '5', '6'])
  expect(lines.filter((line) => line.includes('timestamps'))).toHaveLength(3)
})

it.each([
  ['deepspeed', 'latest', 'true', 'global_step30'],
  ['megatron', 'latest_checkpointed_iteration.txt', 'true', '400'],
])('%s: a book that went with the last one is there again with it', async (framework, file, which, text) => {
  const run = copyOf(framework)
  await remove(run, which, { trash: true, allowEmpty: true })
  expect(existsSync(join(run, file))).toBe(false)
  const place = await stateFolderOf(plain, run)
  for (const entry of (await readTrash(plain, place)).entries) await restoreAndName(plain, run, place, entry, { wait })
  expect(textOf(run, file)).toBe(text)
})

it('links are led to the newest that stays, one a rank', async () => {
  const run = copyOf('composer', 'checkpoints')
  for (const [epoch, batch] of [
    [3, 15],
    [4, 20],
  ] as const) {
    cpSync(join(run, `ep${epoch}-ba${batch}-rank0.pt`), join(run, `ep${epoch}-ba${batch}-rank1.pt`))
  }
  for (const rank of [0, 1]) {
    rmSync(join(run, `latest-rank${rank}.pt`), { force: true })
    symlinkSync(`ep4-ba20-rank${rank}.pt`, join(run, `latest-rank${rank}.pt`))
  }
  await remove(run, 'step == 20')
  expect([0, 1].map((rank) => readlinkSync(join(run, `latest-rank${rank}.pt`)))).toEqual([
    'ep3-ba15-rank0.pt',
    'ep3-ba15-rank1.pt',
  ])
})

it("Lightning's link last.ckpt stays and is led elsewhere when its checkpoint goes", async () => {
  const run = copyOf('lightning', 'lightning_logs/version_0/checkpoints')
  unlinkSync(join(run, 'last.ckpt'))
  symlinkSync('epoch=3-step=16-val_loss=1.0207.ckpt', join(run, 'last.ckpt'))
  const { plan } = await remove(run, 'step == 16')
  expect(plan.remove.map(({ checkpoint }) => checkpoint.name)).toEqual(['epoch=3-step=16-val_loss=1.0207.ckpt'])
  expect(readlinkSync(join(run, 'last.ckpt'))).toBe('epoch=2-step=12-val_loss=1.0105.ckpt')
})

it('ESPnet: latest.pth is led to an epoch, not to an average or to what is resumed from', async () => {
  const run = copyOf('espnet', 'exp/asr_train_tiny')
  for (const link of ['latest.pth', 'train.loss.best.pth']) {
    rmSync(join(run, link), { force: true })
    symlinkSync('6epoch.pth', join(run, link))
  }
  await remove(run, 'name == "6epoch.pth"')
  expect(readlinkSync(join(run, 'latest.pth'))).toBe('5epoch.pth')
  expect(existsSync(join(run, 'train.loss.best.pth'))).toBe(false)
})

it('what cannot be rewritten keeps its checkpoint from going', async () => {
  const run = copyOf('deepspeed')
  const calls = await dry(run)
  rmSync(run, { recursive: true })
  const outcome = copyOf('deepspeed')
  const at = calls.findIndex((call) => call.startsWith('rename') && call.endsWith('latest')) + 1
  const { done } = await remove(outcome, 'step == 30', {
    storage: faultyStorage(plain, { failAt: at, errno: 'EACCES' }).storage,
  })
  expect(done.failed.map(({ name, error }) => [name, error.code])).toEqual([['global_step30', 'refused']])
  expect([textOf(outcome, 'latest'), existsSync(join(outcome, 'global_step30'))]).toEqual(['global_step30', true])
})

it('killed anywhere, latest names one that is there', async () => {
  const first = copyOf('deepspeed')
  const calls = await dry(first)
  for (let n = 1; n <= calls.length; n += 1) {
    rmSync(first, { recursive: true, force: true })
    rmSync(join(folder, '.ckpt'), { recursive: true, force: true })
    const run = copyOf('deepspeed')
    const { storage } = faultyStorage(plain, { failAt: n, then: 'stops' })
    await remove(run, 'step == 30', { storage }).catch((error: unknown) => {
      if (!(error instanceof Stopped)) throw error
    })
    expect([n, existsSync(join(run, textOf(run, 'latest')))]).toEqual([n, true])
  }
})

async function dry(run: string): Promise<readonly string[]> {
  const faulty = faultyStorage(plain)
  await remove(run, 'step == 30', { storage: faulty.storage })
  return faulty.calls
}

it('every removal stands in the journal: who, when, which policy, which metrics', async () => {
  const run = copyOf('deepspeed')
  const self = { host: 'here', pid: 7, command: 'ckpt prune' }
  const opened = await openRun(plain, run)
  const request = { query: await where('step == 10'), keep: 0 }
  const plan = await planPrune(plain, opened, request, { now, wait, utcOffset: () => 0 })
  const by = { self, policy: describePolicy(request) }
  await carryOut(plain, opened, intentOf(plan).going, { now, wait, trash: false, by })
  const { entries } = await readJournal(plain, await stateFolderOf(plain, run))
  expect(removalsIn(entries)).toMatchObject([
    {
      what: 'removed',
      name: 'global_step10',
      time: now,
      by: { ...self, user: null },
      policy: "--keep 0 --where 'step == 10'",
      step: 10,
    },
  ])
  expect(removalsIn(entries)[0]?.metrics.get('val_loss')).toBeCloseTo(2.7, 0)
})

/** As a demotion does, whichever checkpoints are given to it. */
async function bookkeepingOfDemotion(run: string, ...names: readonly string[]) {
  const opened = await openRun(plain, run)
  const going = opened.checkpoints.filter(({ name }) => names.includes(name))
  const stays = opened.checkpoints
    .filter(({ name }) => !names.includes(name))
    .toSorted((a, b) => (b.step ?? 0) - (a.step ?? 0))
  return keepBooks(plain, opened, { going, stays, weightsStay: true }, { wait })
}

it('what loses its optimizer is resumed from no more: latest names the newest that can be', async () => {
  const run = copyOf('deepspeed')
  const { pointed } = await bookkeepingOfDemotion(run, 'global_step30')
  expect(textOf(run, 'latest')).toBe('global_step20')
  expect(pointed).toEqual([{ file: 'latest', from: 'global_step30', to: 'global_step20' }])
})

it('a damaged one is not what it is led to', async () => {
  const run = copyOf('deepspeed')
  truncateSync(join(run, 'global_step20', 'mp_rank_00_model_states.pt'), 100)
  await bookkeepingOfDemotion(run, 'global_step30')
  expect(textOf(run, 'latest')).toBe('global_step10')
})

it.each([
  ['all lose it', ['global_step10', 'global_step20', 'global_step30']],
  ['it names another', ['global_step10']],
])('latest stays as it is where %s', async (_, names) => {
  const run = copyOf('deepspeed')
  const { pointed, failed } = await bookkeepingOfDemotion(run, ...names)
  expect([textOf(run, 'latest'), pointed, failed.size]).toEqual(['global_step30', [], 0])
})

it("ESPnet's n best stay with the reason, and with another policy too", async () => {
  const run = copyOf('espnet', 'exp/asr_train_tiny')
  const opened = await openRun(plain, run)
  const request = { query: { orders: [], where: [] }, keep: 1 }
  const { keep } = await planPrune(plain, opened, request, { now, wait, utcOffset: () => 0 })
  const reasons = keep.flatMap(({ checkpoint, reasons: all }) =>
    all.filter(({ code }) => code === 'needed').map(({ text }) => `${checkpoint.name}: ${text}`),
  )
  expect(reasons.sort()).toEqual([
    '1epoch.pth: among the 2 best by valid.acc, which ESPnet averages at the end',
    '2epoch.pth: among the 2 best by valid.acc, which ESPnet averages at the end',
    '5epoch.pth: among the 2 best by train.loss, which ESPnet averages at the end',
    '6epoch.pth: among the 2 best by train.loss, which ESPnet averages at the end',
  ])
})

it("torchtune's shared state and fairseq's only copies are reported as reasons", async () => {
  const tune = await openRun(plain, copyOf('torchtune'))
  expect(tune.checkpoints.flatMap(({ name, neededFor }) => (neededFor === undefined ? [] : [name]))).toEqual([
    'epoch_1',
  ])
  const run = copyOf('fairseq')
  rmSync(join(run, 'checkpoint4.pt'))
  for (const name of readdirSync(run)) if (name.startsWith('checkpoint.best_loss')) rmSync(join(run, name))
  rmSync(join(run, 'checkpoint_best.pt'))
  const fairseq = await openRun(plain, run)
  const needed = fairseq.checkpoints.flatMap(({ name, neededFor }) =>
    neededFor === undefined ? [] : [[name, neededFor]],
  )
  expect(needed).toEqual([['checkpoint_last.pt', 'fairseq resumes from it, and it is the only copy']])
})
