/** What is remembered of runs is what summing them up gives, and holds for the very files that it was made of. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OpaqueValue } from '../../../../src/core/checkpoint.js'
import { stateFolderOf, writeDemotion } from '../../../../src/core/changes/state/index.js'
import { knownSpecs, useOwnLayouts } from '../../../../src/core/checkpoints/layouts/index.js'
import { parseExpression } from '../../../../src/core/choosing/expression/index.js'
import type { Order } from '../../../../src/core/choosing/selection/index.js'
import {
  eachRun,
  RememberedSummaries,
  summariseRun,
  type RunSummary,
  type SummaryRequest,
} from '../../../../src/core/runs/index.js'
import { statesIn } from '../../../../src/core/storage/file-states.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { recordInText, textOfRecord } from '../../../../src/core/storage/memory/plain-record.js'
import { ScanRecordFiles } from '../../../../src/core/storage/memory/record-files.js'
import { ScanMemory } from '../../../../src/core/storage/memory/scan-memory.js'
import type { ReadStorage } from '../../../../src/core/storage/storage.js'

const fixtures = fileURLToPath(new URL('../../../fixtures/runs', import.meta.url))

let home: string
let root: string
let cache: string
beforeEach(() => {
  useOwnLayouts([])
  home = mkdtempSync(join(tmpdir(), 'ckpt-summaries-'))
  // Settings are looked for in the folders above a run too: so deep that no other test changes one of those.
  const folder = join(home, 'a/lab/with/its/users')
  root = join(folder, 'exp')
  cache = join(folder, 'cache')
  for (const run of ['a', 'b']) for (const epoch of [1, 2, 3]) save(run, epoch, 10 - epoch)
  mkdirSync(cache, { mode: 0o700 })
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

function save(run: string, epoch: number, loss: number): void {
  const checkpoint = join(root, run, 'save', `CKPT+ep${epoch}`)
  mkdirSync(checkpoint, { recursive: true })
  writeFileSync(join(checkpoint, 'CKPT.yaml'), `epoch: ${epoch}\nloss: ${loss}.5\nunixtime: ${1.7e9 + epoch}\n`)
  writeFileSync(join(checkpoint, 'model.ckpt'), 'weights')
}

interface Asked {
  readonly where?: string
  readonly order?: Order
  readonly verify?: 'quick'
  readonly names?: readonly string[]
  readonly exclude?: readonly string[]
  readonly state?: string
}

interface Look {
  readonly summaries: readonly RunSummary[]
  /** Runs whose summaries were remembered. */
  readonly recalled: readonly string[]
  /** What was asked of the disk. */
  readonly read: readonly string[]
  readonly listed: readonly string[]
  readonly seen: readonly string[]
  /** What the user was told of. */
  readonly told: readonly string[]
}

/** Half a minute from now, so that what the test has just written is old, unless the test says otherwise. */
async function look(
  at: string,
  { where, order, verify, names = [], exclude = [], state }: Asked = {},
  { later = 30, remembers = true, build = 'this build', areTold = true } = {},
): Promise<Look> {
  const [read, listed, seen]: [string[], string[], string[]] = [[], [], []]
  const told: string[] = []
  const local = localStorage({ custody: { warn: (text) => told.push(text) } })
  const counting: ReadStorage = {
    ...local,
    list: (paths) => (listed.push(...paths), local.list(paths)),
    stat: (paths) => (seen.push(...paths), local.stat(paths)),
    lstat: (paths) => (seen.push(...paths), local.lstat(paths)),
    read: (paths, limit) => (read.push(...paths), local.read(paths, limit)),
    open: (path) => (read.push(path), local.open(path)),
    states: async (paths) => statesIn(await counting.lstat(paths)),
    foldersTellChanges: (path) => areTold && local.foldersTellChanges?.(path) === true,
  }
  const now = () => Date.now() / 1000 + later
  const memory = remembers ? new ScanMemory(new ScanRecordFiles(local, cache, build), now) : undefined
  const query = {
    orders: order === undefined ? [] : [order],
    where: where === undefined ? [] : [await parseExpression(where)],
  }
  // By one clock: what is compared is made of the same question.
  const request: SummaryRequest = {
    ...{ query, order, names, verify: verify ?? 'none', withSettings: true, withName: true, now: 1.8e9 },
  }
  const location = { stateDirectory: state }
  const answers = RememberedSummaries.of(memory, request, location, counting.custody)
  const summaries: RunSummary[] = []
  const options = { ...location, exclude, memory, ...(answers === null ? {} : { answers }) }
  for await (const { run, storage } of eachRun(counting, at, options)) {
    const summary = await summariseRun(storage, run, request)
    await answers?.keep(run, summary)
    summaries.push(summary)
  }
  const recalled = answers?.recalled ?? []
  const all = [...summaries, ...recalled].sort((a, b) => (a.path < b.path ? -1 : 1))
  return { summaries: all, recalled: recalled.map(({ path }) => path), read, listed, seen, told }
}

const fresh = (at: string, asked?: Asked) => look(at, asked, { remembers: false })

function keepingTimes(path: string, change: () => void): void {
  const { atime, mtime } = statSync(path)
  change()
  utimesSync(path, atime, mtime)
}

describe('summaries of runs', () => {
  it('are remembered of every framework as they are made, and nothing is read, or listed twice', async () => {
    const bare = await fresh(fixtures)
    expect(bare.summaries.length).toBeGreaterThan(40)
    expect((await look(fixtures)).summaries).toEqual(bare.summaries)
    const warm = await look(fixtures)
    expect(warm.summaries).toEqual(bare.summaries)
    expect(warm.recalled).toHaveLength(bare.summaries.length)
    expect(warm.read.filter((path) => existsSync(path))).toEqual([])
    expect(new Set(warm.listed).size).toBe(warm.listed.length)
  })

  it.each([true, false])(
    'cost one listing of each folder and one look at each file, told by times: %s',
    async (areTold) => {
      await look(root, {}, { areTold })
      const { recalled, read, listed, seen } = await look(root, {}, { areTold })
      expect([recalled.length, read]).toEqual([2, []])
      expect(new Set(listed).size).toBe(listed.length)
      const files = seen.filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true)
      expect(files).toHaveLength(12)
      expect(new Set(files).size).toBe(12)
    },
  )

  it('cost no listing of a checkpoint where the times of folders tell what is in them', async () => {
    if (localStorage().foldersTellChanges?.(root) !== true) return
    await look(root)
    const { recalled, listed } = await look(root)
    expect(recalled).toHaveLength(2)
    expect(listed.filter((path) => path.includes('CKPT+'))).toEqual([])
    expect((await look(root, {}, { areTold: false })).recalled).toEqual([])
  })

  describe.each([true, false])('told by times: %s', (areTold) => {
    it.each<[what: string, change: () => void | Promise<void>]>([
      ['a meta is written anew with its old size and time', () => rewriteKeepingTimes(meta('a', 2), '8', '1')],
      [
        'a file that nobody read is larger',
        () => writeFileSync(join(root, 'a/save/CKPT+ep2/model.ckpt'), 'more weights'),
      ],
      ['a file comes into a checkpoint', () => writeFileSync(join(root, 'a/save/CKPT+ep2/optimizer.ckpt'), 'state')],
      ['a checkpoint comes', () => save('a', 9, 1)],
      ['a checkpoint goes', () => rmSync(join(root, 'a/save/CKPT+ep3'), { recursive: true })],
      ['a checkpoint has another name', () => renameSync(join(root, 'a/save/CKPT+ep3'), join(root, 'a/save/CKPT+x'))],
      [
        'a file becomes a link to another one',
        () => linkInstead('a/save/CKPT+ep1/model.ckpt', 'b/save/CKPT+ep1/CKPT.yaml'),
      ],
      ['its hyper-parameters are written above it', () => writeFileSync(join(root, 'a/hyperparams.yaml'), 'lr: 0.5\n')],
      [
        'its hyper-parameters come right into it',
        () => writeFileSync(join(root, 'a/save/hyperparams.yaml'), 'lr: 0.5\n'),
      ],
      ['a checkpoint is demoted', demote],
      [
        'a file comes into a checkpoint, whose folder gets its old times back',
        () =>
          keepingTimes(join(root, 'a/save/CKPT+ep2'), () =>
            writeFileSync(join(root, 'a/save/CKPT+ep2/more.ckpt'), 'x'),
          ),
      ],
      [
        'another folder with such files comes in the place of a checkpoint',
        () => {
          const [one, other] = [join(root, 'a/save/CKPT+ep3'), join(root, '..', 'other')]
          keepingTimes(join(root, 'a/save'), () => {
            renameSync(one, other)
            cpSync(join(root, 'b/save/CKPT+ep1'), one, { recursive: true, preserveTimestamps: true })
          })
          rmSync(other, { recursive: true })
        },
      ],
      [
        'a link to another folder comes in the place of a checkpoint',
        () => {
          rmSync(join(root, 'a/save/CKPT+ep3'), { recursive: true })
          symlinkSync(join(root, 'b/save/CKPT+ep1'), join(root, 'a/save/CKPT+ep3'))
        },
      ],
    ])('are made anew where %s', async (_, change) => {
      const before = await look(root, {}, { areTold })
      expect((await look(root, {}, { areTold })).recalled).toHaveLength(2)
      await change()
      const after = await look(root, {}, { areTold })
      expect(after.recalled).toEqual([join(root, 'b/save')])
      expect(after.summaries).toEqual((await fresh(root)).summaries)
      expect(after.summaries).not.toEqual(before.summaries)
      expect((await look(root, {}, { areTold })).recalled).toHaveLength(2)
    })
  })

  it('are made anew where what a link leads to has changed', async () => {
    const elsewhere = join(root, '..', 'elsewhere.yaml')
    writeFileSync(elsewhere, readFileSync(meta('a', 1)))
    unlinkSync(meta('a', 1))
    symlinkSync(elsewhere, meta('a', 1))
    await look(root)
    expect((await look(root)).recalled).toHaveLength(2)
    rewriteKeepingTimes(elsewhere, '9', '3')
    const after = await look(root)
    expect(after.recalled).toEqual([join(root, 'b/save')])
    expect(after.summaries).toEqual((await fresh(root)).summaries)
  })

  it('answer the very question that was asked', async () => {
    const questions: Asked[] = [
      {},
      { order: { kind: 'min', key: 'loss' } },
      { order: { kind: 'max', key: 'loss' } },
      { where: 'loss < 8' },
      { where: 'loss < 9' },
      { names: ['lr'] },
      { exclude: ['CKPT+ep3'] },
      { state: join(root, '..', 'state') },
    ]
    for (const question of questions) {
      const first = await look(root, question)
      expect([question, first.recalled]).toEqual([question, []])
      expect(first.summaries).toEqual((await fresh(root, question)).summaries)
    }
    for (const question of questions) {
      const again = await look(root, question)
      expect([question, again.recalled.length]).toEqual([question, 2])
      expect(again.summaries).toEqual((await fresh(root, question)).summaries)
    }
    expect((await look(root, {}, { build: 'another build' })).recalled).toEqual([])
  })

  it('are not remembered where the clock, the bytes of files or own layouts decide', async () => {
    for (const question of [{ where: 'age > 1d' }, { where: 'health == "whole"' }, { verify: 'quick' as const }]) {
      await look(root, question)
      expect((await look(root, question)).recalled).toEqual([])
    }
    // Nothing tells whether a layout of people's own is the one of the day before.
    await look(root)
    useOwnLayouts(knownSpecs().slice(0, 1))
    expect((await look(root)).recalled).toEqual([])
    useOwnLayouts([])
  })

  it('of files that changed less than two seconds before are not remembered', async () => {
    await look(root, {}, { later: 0 })
    expect((await look(root)).recalled).toEqual([])
    expect((await look(root)).recalled).toHaveLength(2)
  })

  it('that were damaged are made anew', async () => {
    const { summaries } = await look(root)
    for (const name of readdirSync(cache)) {
      const bytes = readFileSync(join(cache, name))
      bytes.writeUInt8(bytes.readUInt8(bytes.length - 20) ^ 1, bytes.length - 20)
      writeFileSync(join(cache, name), bytes)
    }
    const after = await look(root)
    expect(after.recalled).toEqual([])
    expect(after.summaries).toEqual(summaries)
    for (const name of readdirSync(cache)) writeFileSync(join(cache, name), 'ckpt answer 1 "this build"\n')
    expect((await look(root)).summaries).toEqual(summaries)
  })

  it('are not remembered of what was reported, so that it is reported again', async () => {
    const records = join(root, 'a/.ckpt/save/demoted')
    mkdirSync(records, { recursive: true })
    writeFileSync(join(records, 'CKPT+ep1.json'), '{')
    const first = await look(root)
    expect(first.told).toEqual([expect.stringContaining('CKPT+ep1.json')])
    const second = await look(root)
    expect([second.told, second.recalled]).toEqual([first.told, [join(root, 'b/save')]])
  })

  it.each([
    ['no JSON', '[[['],
    ['nested too deep', '{"a":'.repeat(200_000)],
    ['nothing', 'null'],
    ['a list', '[]'],
    ['another form', '{"reads":{},"sum":"x","inside":[],"summary":null}'],
  ])('that are %s are made anew, whatever their checksum', async (_, text) => {
    const { summaries } = await look(root)
    const files = new ScanRecordFiles(localStorage(), cache, 'this build')
    const questions: string[] = []
    files.loadAnswer = (question) => (questions.push(question), Promise.resolve(text))
    const memory = new ScanMemory(files, () => Date.now() / 1000 + 30)
    const request = {
      query: { orders: [], where: [] },
      order: undefined,
      verify: 'none',
      withSettings: true,
      withName: true,
      now: 1.8e9,
    } as const
    const answers = RememberedSummaries.of(memory, request, {}, localStorage().custody)
    const made: RunSummary[] = []
    for await (const { run, storage } of eachRun(localStorage(), root, { memory, ...(answers && { answers }) })) {
      made.push(await summariseRun(storage, run, request))
    }
    expect(questions.length).toBeGreaterThan(2)
    expect(answers?.recalled).toEqual([])
    expect(made.map(({ path }) => path)).toEqual(summaries.map(({ path }) => path))
  })

  it.skipIf(process.getuid?.() === 0)(
    'are not remembered of what could not be read, which is reported again',
    async () => {
      chmodSync(join(root, 'a/save/CKPT+ep2'), 0)
      try {
        const first = await look(root)
        const second = await look(root)
        expect(second.recalled).toEqual([join(root, 'b/save')])
        expect(second.summaries).toEqual(first.summaries)
      } finally {
        chmodSync(join(root, 'a/save/CKPT+ep2'), 0o700)
      }
    },
  )

  it('are found where a folder had no checkpoints before', async () => {
    mkdirSync(join(root, 'c/save/not yet'), { recursive: true })
    await look(root)
    save('c', 1, 2)
    const after = await look(root)
    expect(after.summaries.map(({ path }) => path)).toContain(join(root, 'c/save'))
    writeFileSync(join(root, 'c/save/not yet/CKPT.yaml'), 'loss: 1\n')
    renameSync(join(root, 'c/save/not yet'), join(root, 'c/save/CKPT+2'))
    expect((await look(root)).summaries).toEqual((await fresh(root)).summaries)
  })

  it('lead to the runs that lie in a run', async () => {
    save('a/save/inner', 4, 1)
    const first = await look(root)
    expect(first.summaries).toHaveLength(3)
    const second = await look(root)
    expect(second.recalled).toHaveLength(3)
    expect(second.summaries).toEqual(first.summaries)
  })
})

it('a record is read back as it was', () => {
  const record = {
    text: '{"$map":[]}',
    numbers: [1, -0, Number.NaN, Number.POSITIVE_INFINITY, -1e-300, 2n ** 70n],
    meta: new Map<unknown, unknown>([
      ['__proto__', new OpaqueValue('a.B', 'B(1)')],
      ['list', [new Map([['$map', null]]), [true]]],
    ]),
    names: new Set(['x']),
  }
  expect(recordInText(textOfRecord(record))).toEqual(record)
})

const meta = (run: string, epoch: number) => join(root, run, 'save', `CKPT+ep${epoch}`, 'CKPT.yaml')

function rewriteKeepingTimes(path: string, from: string, to: string): void {
  const { atime, mtime } = statSync(path)
  writeFileSync(path, readFileSync(path, 'utf8').replace(`loss: ${from}`, `loss: ${to}`))
  utimesSync(path, atime, mtime)
}

function linkInstead(file: string, to: string): void {
  unlinkSync(join(root, file))
  symlinkSync(join(root, to), join(root, file))
}

/** As `ckpt demote` leaves it: a record, and the file is not there. */
async function demote(): Promise<void> {
  const storage = localStorage()
  const state = await stateFolderOf(storage, join(root, 'a/save'))
  const dropped = [{ name: 'optimizer.ckpt', key: 'optimizer', inode: '1', size: 1, modified: 1.7e9 }]
  const demotion = { name: 'CKPT+ep3', time: 1.7e9, modified: 1.7e9, dropped, finished: true }
  await writeDemotion(storage, state, demotion)
}
