import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Network } from '../../../src/core/pretrain/download/index.js'
import type { RunProcess } from '../../../src/core/jobs/hooks/index.js'
import {
  collect,
  load,
  MadeRecord,
  parsePlan,
  planShards,
  removeOldParts,
  survey,
  type Failed,
  type Loaded,
  type PlanOptions,
  type Survey,
} from '../../../src/core/pretrain/index.js'
import type { HubSettings } from '../../../src/core/pretrain/sources/index.js'
import { stateFolderOf } from '../../../src/core/changes/state/index.js'
import { localStorage } from '../../../src/core/storage/local.js'
import { formatHeader } from '../../../src/core/formats/safetensors/safetensors.js'
import { faultyStorage, Stopped } from '../../faulty-storage.js'
import { Loopback, serve } from '../../loopback.js'

/** Never waits for long, but lets others have their turn. */
const network: Network = { fetch, wait: () => new Promise((resolve) => setImmediate(resolve)) }
let folder = ''
let server: Loopback
let warnings: string[] = []

beforeEach(async () => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-pretrain-'))
  server = await Loopback.start()
  warnings = []
})
afterEach(async () => {
  await server.stop()
  fs.rmSync(folder, { recursive: true })
})

const at = (...names: string[]) => join(folder, ...names)
const sha256 = (of: Uint8Array) => createHash('sha256').update(of).digest('hex')
const bytes = Uint8Array.from({ length: 5000 }, (_, index) => (index * 13) & 0xff)

function write(name: string, contents: string | Uint8Array): string {
  fs.mkdirSync(join(at(name), '..'), { recursive: true })
  fs.writeFileSync(at(name), contents)
  return at(name)
}

/** One F32 tensor for each name. */
function tensors(values: Readonly<Record<string, readonly number[]>>): Uint8Array {
  const list = Object.entries(values).map(([name, numbers]) => ({
    name,
    dtype: 'F32' as const,
    shape: [numbers.length],
    bytes: 4 * numbers.length,
  }))
  return Buffer.concat([
    formatHeader(list, new Map()),
    Buffer.from(Float32Array.from(Object.values(values).flat()).buffer),
  ])
}

interface Outcome extends Survey {
  readonly loaded: readonly Loaded[]
  readonly failed: readonly Failed[]
}

interface Options extends Partial<PlanOptions> {
  readonly force?: boolean
  /** Unix seconds. */
  readonly now?: number
  readonly update?: boolean
  readonly hub?: HubSettings
  readonly storage?: ReturnType<typeof localStorage>
  readonly runProcess?: RunProcess
  readonly onProgress?: (done: number, total: number) => void
}

/** As the command does it, without a lock. */
async function pretrain(text: string, options: Options = {}): Promise<Outcome> {
  const { force = false, update = false, hub = { endpoint: null, token: null }, storage = localStorage() } = options
  // Later than what the samples were saved at.
  const { now = 1_900_000_000 } = options
  const work = options.onProgress === undefined ? {} : { onProgress: options.onProgress }
  const plan = await parsePlan(storage, text, at('plan.yaml'), { workingFolder: folder, ...options })
  const state = plan.collectIn === null ? null : await stateFolderOf(storage, plan.collectIn)
  const record = state === null ? null : await MadeRecord.open(storage, state)
  const context = { storage, network, hub, now, onWarning: (one: string) => void warnings.push(one) }
  const found = await survey(plan, context, { record, force, update })
  const failed = [...found.failed]
  const items = [...found.items]
  if (plan.collectIn !== null && record !== null && state !== null) {
    const into = { storage, network, record, state, work }
    const first = await collect(into, plan.collectIn, found.items)
    failed.push(...first.failed)
    const whole = first.items.filter(({ loadable }) => !failed.some((one) => one.loadable === loadable))
    const shards = await planShards(storage, plan, whole, true)
    const beside = await survey(shards.plan, context, { record, force, update })
    const second = await collect(into, plan.collectIn, beside.items)
    failed.push(...shards.failed, ...beside.failed, ...second.failed)
    await removeOldParts(storage, state, plan.collectIn, [...plan.loadables, ...shards.plan.loadables], now)
    items.splice(0, items.length, ...first.items, ...second.items)
  }
  const runProcess = options.runProcess ?? (() => Promise.reject(new Error('nothing was to be run')))
  if (failed.length > 0) return { ...found, items, loaded: [], failed }
  return {
    ...found,
    items,
    ...(await load({ storage, runProcess, record, force, work: {}, wait: network.wait }, plan, found.items)),
  }
}

/** Of a server that is down. */
const nothingMore = Array.from({ length: 20 }, () => 0)
const actions = ({ items }: Survey) => items.map(({ loadable, action }) => [loadable.key, action.kind])
const errors = ({ failed }: Outcome) => failed.map(({ error: { code, message } }) => [code, message])
const collected = (key: string) => at('collected', `${key}.ckpt`)

describe('a folder', () => {
  const plan = (link: string) =>
    `collect_in: collected\ndefault_source: pretrained\nlink: ${link}\nloadables: {lm: , am: }`

  beforeEach(() => {
    write('pretrained/lm.ckpt', 'the language model')
    write('pretrained/am.ckpt', bytes)
  })

  it.each(['symbolic', 'hard', 'copy'])(
    'is collected by %s, and the second time there is nothing to do',
    async (link) => {
      expect(actions(await pretrain(plan(link)))).toEqual([
        ['lm', 'link'],
        ['am', 'link'],
      ])
      expect(fs.readFileSync(collected('lm'), 'utf8')).toBe('the language model')
      const [stat, source] = [fs.lstatSync(collected('lm')), fs.lstatSync(at('pretrained/lm.ckpt'))]
      expect([stat.isSymbolicLink(), stat.ino === source.ino]).toEqual([link === 'symbolic', link === 'hard'])
      if (link === 'symbolic') expect(fs.readlinkSync(collected('lm'))).toBe(at('pretrained/lm.ckpt'))
      expect(actions(await pretrain(plan(link)))).toEqual([
        ['lm', 'keep'],
        ['am', 'keep'],
      ])
      expect(fs.readdirSync(at('collected')).sort()).toEqual(['am.ckpt', 'lm.ckpt'])
    },
  )

  it('tells how far a copy is', async () => {
    write('pretrained/am.ckpt', new Uint8Array(20 << 20))
    const steps: number[] = []
    await pretrain(plan('copy'), { onProgress: (done) => void steps.push(done) })
    expect(steps).toEqual(steps.toSorted((a, b) => a - b))
    expect(steps.at(-1)).toBe((20 << 20) + 18)
  })

  it('is used where it lies without collect_in, or with link: none', async () => {
    const { items } = await pretrain('default_source: pretrained\nloadables: {lm: }')
    expect(items[0]).toMatchObject({ path: at('pretrained/lm.ckpt'), action: { kind: 'use' } })
    await pretrain(plan('none'))
    expect(fs.existsSync(at('collected'))).toBe(false)
  })

  it('is taken anew where it, or how it is to be linked, changed', async () => {
    await pretrain(plan('copy'))
    write('pretrained/lm.ckpt', 'a newer one')
    expect(actions(await pretrain(plan('copy')))).toEqual([
      ['lm', 'link'],
      ['am', 'keep'],
    ])
    expect(fs.readFileSync(collected('lm'), 'utf8')).toBe('a newer one')
    expect(actions(await pretrain(plan('hard')))).toEqual([
      ['lm', 'link'],
      ['am', 'link'],
    ])
  })

  it('takes the place of nothing that is not ours', async () => {
    write('collected/lm.ckpt', 'mine')
    expect(errors(await pretrain(plan('copy')))).toEqual([
      ['refused', expect.stringContaining(`${collected('lm')}: is there already`)],
    ])
    expect(fs.readFileSync(collected('lm'), 'utf8')).toBe('mine')
    await pretrain(plan('copy'), { force: true })
    expect(fs.readFileSync(collected('lm'), 'utf8')).toBe('the language model')
  })

  it('knows what is the same though somebody else put it there', async () => {
    write('collected/lm.ckpt', 'the language model')
    expect(actions(await pretrain(plan('symbolic')))).toEqual([
      ['lm', 'keep'],
      ['am', 'link'],
    ])
  })

  it('that lacks a file is reported with the nearest name; the others are collected', async () => {
    const outcome = await pretrain(`${plan('copy')}\npaths: {lm: pretrained/ln.ckpt}`)
    expect(errors(outcome)).toEqual([['not-found', `${at('pretrained/ln.ckpt')}: there is no such file`]])
    expect(outcome.failed[0]?.error.hint).toBe('did you mean lm.ckpt?')
    expect(fs.readdirSync(at('collected'))).toEqual(['am.ckpt'])
  })

  it('is held against the digest that the plan gives', async () => {
    const text = (digest: string) => `${plan('copy')}\npaths: {lm: {file: lm.ckpt, sha256: ${digest}}}`
    const right = sha256(Buffer.from('the language model'))
    expect(errors(await pretrain(text('0'.repeat(64))))).toEqual([['damaged', expect.stringContaining(right)]])
    expect(fs.existsSync(collected('lm'))).toBe(false)
    expect(errors(await pretrain(text(right)))).toEqual([])
  })

  it('is whole or not there whatever call the process stops at, and the next call does the rest', async () => {
    const counting = faultyStorage(localStorage())
    await pretrain(plan('copy'), { storage: counting.storage })
    for (let failAt = 1; failAt <= counting.calls.length; failAt += 1) {
      for (const name of ['collected', '.ckpt']) fs.rmSync(at(name), { recursive: true, force: true })
      const faulty = faultyStorage(localStorage(), { failAt, then: 'stops' })
      await expect(pretrain(plan('copy'), { storage: faulty.storage })).rejects.toThrow(Stopped)
      const there = fs.existsSync(at('collected')) ? fs.readdirSync(at('collected')) : []
      for (const name of there) {
        expect(sha256(fs.readFileSync(at('collected', name)))).toBe(sha256(fs.readFileSync(at('pretrained', name))))
      }
      expect(errors(await pretrain(plan('copy')))).toEqual([])
      expect(fs.readdirSync(at('collected')).sort()).toEqual(['am.ckpt', 'lm.ckpt'])
    }
  })
})

describe('a run', () => {
  const sample = new URL('../../../examples/asr/save', import.meta.url).pathname
  const plan = (rest: string) => `collect_in: collected\nloadables: {model: }\npaths: {model: {run: save, ${rest}}}`

  beforeEach(() => fs.cpSync(sample, at('save'), { recursive: true, preserveTimestamps: true }))

  it('gives the file of the best checkpoint', async () => {
    const { items } = await pretrain(plan('min: WER'))
    expect(items[0]?.checkpoint?.name).toBe('CKPT+2026-11-02+13-44-08+00')
    expect(fs.readlinkSync(collected('model'))).toBe(at('save/CKPT+2026-11-02+13-44-08+00/model.ckpt'))
  })

  it('passes over a checkpoint that is not whole, and tells it', async () => {
    const damaged = at('save/CKPT+2026-11-02+13-44-08+00/model.ckpt')
    fs.truncateSync(damaged, fs.statSync(damaged).size - 1)
    const { items } = await pretrain(plan('min: WER'))
    expect(items[0]?.checkpoint?.name).toBe('CKPT+2026-11-02+15-14-09+00')
    expect(warnings).toEqual([expect.stringContaining('passed over CKPT+2026-11-02+13-44-08+00')])
  })

  it.each([
    ['where: epoch > 100', 'no-match'],
    ['key: decoder', 'no-match'],
  ])('without what is asked for (%s) is %s', async (rest, code) => {
    expect(errors(await pretrain(plan(rest)))).toEqual([[code, expect.anything()]])
  })
})

describe('an address', () => {
  const plan = (url: string, rest = '') =>
    `collect_in: collected\nloadables: {lm: }\npaths: {lm: {url: "${url}"${rest}}}`

  it('is fetched, and the next time no server is asked', async () => {
    const url = server.on('/lm.ckpt', { bytes, etag: '"a"' })
    await pretrain(plan(url))
    expect(sha256(fs.readFileSync(collected('lm')))).toBe(sha256(bytes))
    expect(fs.readdirSync(at('.ckpt/collected'))).toEqual(['collected.json'])
    const count = server.seen.length
    expect(actions(await pretrain(plan(url)))).toEqual([['lm', 'keep']])
    expect(server.seen.length).toBe(count)
  })

  it('is asked again with --update, and fetched where its tag has changed', async () => {
    const url = server.on('/lm.ckpt', { bytes, etag: '"a"' })
    await pretrain(plan(url))
    expect(actions(await pretrain(plan(url), { update: true }))).toEqual([['lm', 'keep']])
    server.on('/lm.ckpt', { bytes: bytes.toReversed(), etag: '"b"' })
    expect(actions(await pretrain(plan(url), { update: true }))).toEqual([['lm', 'download']])
    expect(sha256(fs.readFileSync(collected('lm')))).toBe(sha256(bytes.toReversed()))
  })

  it('of a default source with a query is asked for with it, below its path', async () => {
    server.on('/store/deep/lm.ckpt?sig=a%2Fb&v=1', { bytes, etag: '"a"' })
    server.on('/store/deep/x.pt?part=2&sig=a%2Fb&v=1', { bytes, etag: '"a"' })
    const text = `collect_in: collected\ndefault_source: "${server.origin}/store/deep/?sig=a%2Fb&v=1"\nloadables: {lm: , x: }\npaths: {x: {file: "x.pt?part=2"}}`
    expect(errors(await pretrain(text))).toEqual([])
    for (const key of ['lm', 'x']) expect(sha256(fs.readFileSync(collected(key)))).toBe(sha256(bytes))
    const shown = (await pretrain(text)).items.map(({ from }) => from)
    expect(shown.join()).not.toContain('sig=')
  })

  it('gives nothing a name that is not what the plan says', async () => {
    const url = server.on('/lm.ckpt', { bytes })
    expect(errors(await pretrain(plan(url, `, sha256: ${'0'.repeat(64)}`)))).toEqual([
      ['damaged', expect.stringContaining(sha256(bytes))],
    ])
    expect(fs.readdirSync(at('collected'))).toEqual([])
    expect(errors(await pretrain(plan(url, `, sha256: ${sha256(bytes)}`)))).toEqual([])
  })

  it('needs a folder to collect in, and https', async () => {
    const url = server.on('/lm.ckpt', { bytes })
    await expect(pretrain(plan(url).replace('collect_in: collected', ''))).rejects.toMatchObject({ code: 'usage' })
    for (const more of ['', `, sha256: ${sha256(bytes)}`]) {
      expect(errors(await pretrain(plan('http://models.example/lm.ckpt', more)))).toEqual([
        ['refused', expect.stringContaining('plain http')],
      ])
    }
  })

  it('is fetched beside a few others at once, never more than four', async () => {
    let open = 0
    let largest = 0
    const keys = Array.from({ length: 9 }, (_, index) => `part-${index}`)
    for (const key of keys) {
      server.on(`/${key}.ckpt`, (request, response) => {
        if (request.headers.range !== undefined) {
          serve({ bytes, etag: '"a"' }, request, response)
          return
        }
        largest = Math.max(largest, (open += 1))
        // Whoever sends one after another would never come to a second.
        const send = () => {
          if (largest < 4) return void setTimeout(send, 5)
          open -= 1
          serve({ bytes, etag: '"a"' }, request, response)
        }
        send()
      })
    }
    const text = `collect_in: collected\ndefault_source: ${server.origin}\nloadables: {${keys.join(': , ')}: }`
    const { items, failed } = await pretrain(text)
    expect(failed).toEqual([])
    expect([largest, items.map(({ loadable }) => loadable.key)]).toEqual([4, keys])
    for (const key of keys) expect(sha256(fs.readFileSync(collected(key)))).toBe(sha256(bytes))
    // Each is remembered, however close together they came.
    expect(actions(await pretrain(text)).map(([, action]) => action)).toEqual(keys.map(() => 'keep'))
  })

  it('may be that of two loadables', async () => {
    const url = server.on('/lm.ckpt', { bytes, etag: '"a"', breaks: [1000, 2000] })
    const { failed } = await pretrain(
      `collect_in: collected\nloadables: {one: , two: }\npaths: {one: "${url}", two: "${url}"}`,
    )
    expect(failed).toEqual([])
    for (const key of ['one', 'two']) expect(sha256(fs.readFileSync(collected(key)))).toBe(sha256(bytes))
  })

  it('of several loadables is fetched once, each has a file of its own, and the next time no server is asked', async () => {
    const url = server.on('/lm.ckpt', { bytes, etag: '"a"' })
    const other = server.on('/other.ckpt', { bytes, etag: '"a"' })
    const text = `collect_in: collected\nloadables: {one: , two: , other: , three: }\npaths: {one: "${url}", two: "${url}", other: "${other}", three: "${url}"}`
    const { failed, items } = await pretrain(text)
    expect(failed).toEqual([])
    expect(items.map(({ loadable, size }) => [loadable.key, size])).toEqual([
      ['one', 5000],
      ['two', 5000],
      ['other', 5000],
      ['three', 5000],
    ])
    expect(server.asked.filter((asked) => !asked.endsWith('bytes=0-0')).sort()).toEqual(['/lm.ckpt', '/other.ckpt'])
    const inodes = ['one', 'two', 'three'].map((key) => fs.statSync(collected(key)).ino)
    expect(new Set(inodes).size).toBe(3)
    for (const key of ['two', 'three']) expect(sha256(fs.readFileSync(collected(key)))).toBe(sha256(bytes))
    expect(fs.readdirSync(at('.ckpt/collected'))).toEqual(['collected.json'])
    const count = server.seen.length
    expect(actions(await pretrain(text)).map(([, action]) => action)).toEqual(['keep', 'keep', 'keep', 'keep'])
    expect(server.seen.length).toBe(count)
  })

  it('of several loadables that fails is asked once, and told for each', async () => {
    const url = server.on('/lm.ckpt', { bytes, etag: '"a"' })
    const wrong = `{url: "${url}", sha256: ${'0'.repeat(64)}}`
    const told = errors(
      await pretrain(`collect_in: collected\nloadables: {one: , two: }\npaths: {one: ${wrong}, two: ${wrong}}`),
    )
    expect(told.map(([code]) => code)).toEqual(['damaged', 'damaged'])
    expect(server.asked.filter((asked) => !asked.endsWith('bytes=0-0'))).toEqual(['/lm.ckpt'])
    expect(fs.readdirSync(at('collected'))).toEqual([])
  })

  it('has a size once it is here, though the server told none', async () => {
    const url = server.on('/lm.ckpt', (_, response) => void response.write(bytes, () => response.end()))
    expect((await pretrain(plan(url))).items.map(({ size }) => size)).toEqual([bytes.length])
  })

  it('that left the plan leaves a part, which goes after a week', async () => {
    const url = server.on('/lm.ckpt', { bytes, etag: '"a"', breaks: [1000, ...nothingMore] })
    expect((await pretrain(plan(url))).failed.length).toBe(1)
    const parts = () => fs.readdirSync(at('.ckpt/collected/downloads'))
    expect(parts().length).toBe(2)
    write('pretrained/am.ckpt', 'am')
    const other = 'collect_in: collected\ndefault_source: pretrained\nloadables: {am: }'
    const today = Date.now() / 1000
    for (const days of [0, 6]) await pretrain(other, { now: today + days * 86_400 })
    expect(parts().length).toBe(2)
    // Also when there is nothing else to do.
    await pretrain(other, { now: today + 8 * 86_400 })
    expect(fs.readdirSync(at('.ckpt/collected'))).toEqual(['collected.json'])
  })

  it('still in the plan keeps its part, however old', async () => {
    const url = server.on('/lm.ckpt', { bytes, etag: '"a"', breaks: [1000, ...nothingMore] })
    await pretrain(plan(url))
    await pretrain(plan(url), { now: Date.now() / 1000 + 90 * 86_400 })
    expect(fs.readdirSync(at('.ckpt/collected/downloads')).length).toBe(2)
    // A condition leaves it out, or the server does not even say what it has.
    const leftOut = `${plan(url)}\nconditions: {lm: false}`
    await pretrain(leftOut, { now: Date.now() / 1000 + 90 * 86_400 })
    server.on('/lm.ckpt', (_, response) => void response.writeHead(404).end())
    await pretrain(plan(url), { now: Date.now() / 1000 + 90 * 86_400 })
    expect(fs.readdirSync(at('.ckpt/collected/downloads')).length).toBe(2)
  })

  it('that is not there fails alone', async () => {
    write('pretrained/am.ckpt', 'am')
    const text = `${plan(`${server.origin}/lm.ckpt`).replace('{lm: }', '{lm: , am: }')}\ndefault_source: pretrained`
    expect(errors(await pretrain(text))).toEqual([['not-found', expect.stringContaining('answered 404')]])
    expect(fs.readFileSync(collected('am'), 'utf8')).toBe('am')
  })
})

describe('a repository on a hub', () => {
  const commit = 'c0ffee'.padEnd(40, '0')
  const plan =
    'collect_in: collected\ndefault_source: org/asr\nloadables: {lm: , hparams: }\npaths: {hparams: org/asr/hparams.yaml}'
  const small = new TextEncoder().encode('sample_rate: 16000\n')
  const gitHash = createHash('sha1').update(`blob ${small.length}\0`).update(small).digest('hex')
  /** An index, and a shard of as many bytes. */
  const model = Buffer.from(JSON.stringify({ weight_map: { a: 'm-1.bin' } }))
  let hub: HubSettings

  /** As much of a hub as is asked for here. */
  beforeEach(() => {
    hub = { endpoint: server.origin, token: 'hf_secret' }
    const files = [
      {
        type: 'file',
        path: 'lm.ckpt',
        size: bytes.length,
        oid: 'b'.repeat(40),
        lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 },
      },
      { type: 'file', path: 'hparams.yaml', size: small.length, oid: gitHash },
      ...['m.index.json', 'm-1.bin'].map((path) => ({ type: 'file', path, size: model.length, oid: '' })),
    ]
    const json =
      (status: number, body: unknown, code = '') =>
      (_: unknown, response: import('node:http').ServerResponse) =>
        void response
          .writeHead(status, { 'content-type': 'application/json', 'x-error-code': code })
          .end(JSON.stringify(body))
    server.on('/api/models/org/asr/revision/main', json(200, { _id: '1', id: 'org/asr', sha: commit }))
    server.on('/api/models/org/asr/revision/v9', json(404, {}, 'RevisionNotFound'))
    server.on('/api/models/org/none/revision/main', json(401, {}, 'RepoNotFound'))
    server.on('/api/models/org/gated/revision/main', json(403, {}, 'GatedRepo'))
    server.on(`/api/models/org/asr/tree/${commit}`, json(200, files))
    server.on(`/api/models/org/asr/paths-info/${commit}`, (_, response, body) => {
      const { paths } = JSON.parse(body) as { paths: string[] }
      json(
        200,
        files.filter(({ path }) => paths.includes(path)),
      )(_, response)
    })
    server.on(`/org/asr/resolve/${commit}/lm.ckpt`, { bytes, breaks: [1000, 2000] })
    server.on(`/org/asr/resolve/${commit}/hparams.yaml`, { bytes: small, etag: '"x"' })
  })

  it.each([
    ['no JSON', '{"sha": nope'],
    ['null', 'null'],
    ['a list', '[]'],
    ['brackets without end', '['.repeat(100_000)],
    ['another kind of commit', '{"sha": "../../etc"}'],
    ['no commit', '{"_id": "1", "id": "org/asr"}'],
    ['no text', '\ufffd\u0000'],
    ['too long', `"${' '.repeat(17 << 20)}"`],
  ])('a commit that is %s is damage, told with the address', async (_, text) => {
    server.on('/api/models/org/asr/revision/main', answerWith(text))
    expect(errors(await pretrain(planned, { hub }))).toEqual([
      ['damaged', expect.stringContaining("/api/models/org/asr/revision/main?…: the server's answer")],
    ])
  })

  it.each([
    ['[null]'],
    ['{"a": 1}'],
    ['[{"type": "file", "path": "lm.ckpt", "size": "lots", "oid": 5, "lfs": 7}]'],
    ['[{"type": "file", "path": "lm.ckpt", "size": -1}]'],
    ['[{"type": "file", "path": ["lm.ckpt"], "size": 1}]'],
    ['[{"type": "file", "path": "lm.ckpt", "size": 1, "lfs": {"oid": "x"}}]'],
    ['[{"type": "pipe", "path": "lm.ckpt", "size": 1}]'],
  ])('a list of files that is %s, too', async (text) => {
    server.on(`/api/models/org/asr/paths-info/${commit}`, answerWith(text))
    expect(errors(await pretrain(planned, { hub }))).toEqual([
      ['damaged', expect.stringMatching(/paths-info.*: the server's answer (is not a list|describes no file)/)],
    ])
  })

  it('an answer that is compressed unasked is not unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(10 << 20))
    server.on('/api/models/org/asr/revision/main', (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(bomb)
    })
    expect(errors(await pretrain(planned, { hub }))).toEqual([
      ['damaged', expect.stringContaining('compressed its answer (content-encoding: gzip)')],
    ])
  })

  it('a list of files whose pages never end is not read to its end, nor with the token elsewhere', async () => {
    const other = await Loopback.start()
    const next = other.on('/more', (_, response) => {
      response.writeHead(200, { link: `<${next}>; rel="next"` }).end('[]')
    })
    server.on(`/api/models/org/asr/tree/${commit}`, (_, response) => {
      response.writeHead(200, { link: `<${next}>; rel="next"` }).end('[]')
    })
    const missing = 'collect_in: collected\nloadables: {x: }\npaths: {x: org/asr/none.ckpt}'
    expect(errors(await pretrain(missing, { hub }))).toEqual([
      ['not-found', expect.stringContaining('none.ckpt: there is no such file')],
    ])
    await other.stop()
    expect(other.seen.length).toBeLessThan(20)
    expect(other.seen.filter(({ headers }) => 'authorization' in headers)).toEqual([])
  })

  it('over plain http to another machine is refused, though HF_ENDPOINT names it', async () => {
    const mirror = { endpoint: 'http://mirror.example', token: null }
    expect(errors(await pretrain(planned, { hub: mirror }))).toEqual([
      ['refused', expect.stringContaining('plain http')],
    ])
  })

  const planned = 'collect_in: collected\nloadables: {lm: }\npaths: {lm: org/asr/lm.ckpt}'

  function answerWith(text: string) {
    return (_: unknown, response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(text)
    }
  }

  it('gives the shards that an index names', async () => {
    for (const name of ['m.index.json', 'm-1.bin']) server.on(`/org/asr/resolve/${commit}/${name}`, { bytes: model })
    const text = 'collect_in: collected\nloadables: {lm: }\npaths: {lm: org/asr/m.index.json}'
    expect(errors(await pretrain(text, { hub }))).toEqual([])
    expect(fs.existsSync(at('collected/m-1.bin'))).toBe(true)
  })

  it('gives its files of one commit, checked by its own hashes', async () => {
    expect(errors(await pretrain(plan, { hub }))).toEqual([])
    expect(sha256(fs.readFileSync(collected('lm')))).toBe(sha256(bytes))
    expect(fs.readFileSync(collected('hparams'), 'utf8')).toBe('sample_rate: 16000\n')
    expect(server.seen.every(({ headers }) => headers.authorization === 'Bearer hf_secret')).toBe(true)
    const made = fs.readFileSync(at('.ckpt/collected/collected.json'), 'utf8')
    expect(made).not.toContain('hf_secret')
  })

  it('keeps its token from the servers that it sends one to', async () => {
    const other = await Loopback.start()
    const location = other.on('/store', { bytes })
    server.on(`/org/asr/resolve/${commit}/lm.ckpt`, (_, response) => void response.writeHead(302, { location }).end())
    expect(errors(await pretrain(plan, { hub }))).toEqual([])
    await other.stop()
    expect(other.seen.length).toBe(1)
    expect(other.seen.every(({ headers }) => headers.authorization === undefined)).toBe(true)
  })

  it('that sends something else than it says is found out', async () => {
    server.on(`/org/asr/resolve/${commit}/lm.ckpt`, { bytes: bytes.toReversed() })
    server.on(`/org/asr/resolve/${commit}/hparams.yaml`, (asked, response) =>
      serve({ bytes: new TextEncoder().encode('sample_rate: 8000_\n') }, asked, response),
    )
    expect(errors(await pretrain(plan, { hub }))).toEqual([
      ['damaged', expect.stringContaining(`and ${sha256(bytes)} was expected`)],
      ['damaged', expect.stringContaining(`and ${gitHash} was expected`)],
    ])
    expect(fs.readdirSync(at('collected'))).toEqual([])
  })

  it.each([
    [
      'org/none/lm.ckpt',
      null,
      'not-found',
      /there is no such model, or it is private, and there is no folder .*org\/none/,
    ],
    ['org/gated/lm.ckpt', null, 'system', /give access to those who ask/],
    ['org/asr@v9/lm.ckpt', 'hf_secret', 'not-found', /no such revision/],
    ['org/asr/ln.ckpt', 'hf_secret', 'not-found', /ln\.ckpt: there is no such file/],
  ])('%s is reported plainly', async (path, token, code, message) => {
    const outcome = await pretrain(`collect_in: collected\nloadables: {lm: }\npaths: {lm: ${path}}`, {
      hub: { ...hub, token },
    })
    expect(errors(outcome)).toEqual([[code, expect.stringMatching(message)]])
  })
})

describe('the index of a sharded model', () => {
  const [one, two] = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const
  const index = JSON.stringify({ metadata: { total_size: 16 }, weight_map: { a: one, b: two } })
  const files: Readonly<Record<string, Uint8Array>> = {
    [one]: tensors({ a: [1, 2] }),
    [two]: tensors({ b: [3, 4] }),
    'model.safetensors.index.json': Buffer.from(index),
  }
  const plan = (source: string, rest = '') =>
    `collect_in: collected\noutput: init${rest}\nloadables: {lm: new.safetensors}\npaths: {lm: "${source}"}`

  beforeEach(() => {
    write('new.safetensors', tensors({ a: [0, 0], b: [0, 0] }))
  })

  function ensureLoaded({ loaded, items }: Outcome): void {
    expect(items.map(({ loadable }) => loadable.key)).toEqual(['lm', `lm/${one}`, `lm/${two}`])
    expect(loaded.map(({ how }) => how)).toEqual(['transfer'])
    const result = fs.readFileSync(at('init/lm.safetensors'))
    expect(result.subarray(-16)).toEqual(Buffer.from(Float32Array.of(1, 2, 3, 4).buffer))
  }

  it.each(['symbolic', 'hard', 'copy'])('in a folder comes with its shards (%s), which stay', async (link) => {
    for (const [name, data] of Object.entries(files)) write(`hub/${name}`, data)
    const text = plan('./hub/model.safetensors.index.json', `\nlink: ${link}`)
    ensureLoaded(await pretrain(text))
    expect(fs.lstatSync(at('collected', one)).isSymbolicLink()).toBe(link === 'symbolic')
    expect((await pretrain(text)).items.map(({ action }) => action.kind)).toEqual(['keep', 'keep', 'keep'])
  })

  it('at an address comes with its shards, and the next time no server is asked', async () => {
    for (const [name, data] of Object.entries(files)) server.on(`/m/${name}`, { bytes: data })
    const text = plan(`${server.origin}/m/model.safetensors.index.json`)
    ensureLoaded(await pretrain(text))
    const count = server.seen.length
    expect((await pretrain(text)).items.map(({ action }) => action.kind)).toEqual(['keep', 'keep', 'keep'])
    expect(server.seen.length).toBe(count)
  })

  it('in a run comes with its shards', async () => {
    const sample = new URL('../../fixtures/runs/frameworks/hf_trainer_sharded/run', import.meta.url).pathname
    fs.cpSync(sample, at('run'), { recursive: true })
    const text = 'collect_in: collected\nloadables: {lm: }\npaths: {lm: {run: run, key: model}}'
    const { items, failed } = await pretrain(text)
    expect(failed).toEqual([])
    expect(items.length).toBeGreaterThan(1)
    for (const { path } of items) expect(fs.existsSync(path)).toBe(true)
  })

  it('at an address with a query comes with its shards, asked for with the same query', async () => {
    for (const [name, data] of Object.entries(files)) server.on(`/m/${name}`, { bytes: data })
    ensureLoaded(await pretrain(plan(`${server.origin}/m/model.safetensors.index.json?download=true&sig=a/b`)))
    expect(server.asked).toContain(`/m/${one}?download=true&sig=a/b`)
  })

  it('names a shard that another loadable has: that one fails, and the others are collected', async () => {
    for (const name of ['hub', 'other']) write(`${name}/model.safetensors.index.json`, index)
    for (const [name, data] of Object.entries(files)) write(`hub/${name}`, data)
    const paths = 'paths: {lm: ./hub/model.safetensors.index.json, am: ./other/model.safetensors.index.json}'
    const outcome = await pretrain(`collect_in: collected\nloadables: {lm: , am: }\n${paths}`)
    expect(outcome.failed.map(({ loadable }) => loadable.key)).toEqual(['am'])
    expect(errors(outcome)).toEqual([['usage', expect.stringContaining(`am has a shard called ${one}, as lm has`)]])
    expect(fs.existsSync(at('collected', two))).toBe(true)
  })

  it.each([
    ...['../secret.bin', '/etc/passwd', 'a/b.bin', '..', '', 'ckpt.yaml', 'CKPT.yaml', '.ckpt', '.ckpt.bin', '-x.bin'],
    ...['config.json', 'model.safetensors.json', 'a b.bin', 'a\u001b[2J.bin', 'a\n.bin', `${'a'.repeat(200)}.bin`],
  ])('is refused when it names a shard as no file of weights is called: %j', async (shard) => {
    const text = JSON.stringify({ weight_map: { a: shard } })
    write('hub/model.safetensors.index.json', text)
    const url = server.on('/model.safetensors.index.json', { bytes: Buffer.from(text) })
    for (const source of ['./hub/model.safetensors.index.json', url]) {
      expect(errors(await pretrain(plan(source)))).toEqual([
        ['damaged', expect.stringContaining('which is not a name of a file of weights beside it')],
      ])
      expect(fs.readdirSync(at('collected'))).toEqual(['lm.ckpt'])
      fs.rmSync(at('collected'), { recursive: true })
    }
  })

  it('of a server leads to nothing called ckpt.yaml', async () => {
    const text = JSON.stringify({ weight_map: { a: 'ckpt.yaml' } })
    const url = server.on('/model.safetensors.index.json', { bytes: Buffer.from(text) })
    server.on('/ckpt.yaml', { bytes: Buffer.from('hooks: [{match: "*", load: "touch ran"}]') })
    await pretrain(plan(url))
    expect(server.asked.some((path) => path.startsWith('/ckpt.yaml'))).toBe(false)
  })
})

describe('loading', () => {
  const plan =
    'collect_in: collected\ndefault_source: pretrained\noutput: init\nloadables:\n  model: new/model.safetensors'

  beforeEach(() => {
    write('pretrained/model.ckpt', tensors({ a: [1, 2], b: [3], c: [9] }))
    write('new/model.safetensors', tensors({ a: [0, 0], b: [0], d: [7] }))
  })

  it('carries tensors by name into the structure of the target, and leaves the target', async () => {
    const { loaded, failed } = await pretrain(plan)
    expect(failed).toEqual([])
    expect(loaded[0]).toMatchObject({ how: 'transfer', load: { output: at('init/model.safetensors') } })
    expect(fs.readFileSync(at('init/model.safetensors'))).toEqual(Buffer.from(tensors({ a: [1, 2], b: [3], d: [7] })))
    expect(fs.readFileSync(at('new/model.safetensors'))).toEqual(Buffer.from(tensors({ a: [0, 0], b: [0], d: [7] })))
    expect(fs.readdirSync(at('init'))).toEqual(['model.safetensors'])
  })

  it('is not done again until a source, a target or the plan changes', async () => {
    await pretrain(plan)
    expect((await pretrain(plan)).loaded[0]?.how).toBe('keep')
    write('new/model.safetensors', tensors({ a: [5, 5] }))
    expect((await pretrain(plan)).loaded[0]?.how).toBe('transfer')
    expect(fs.readFileSync(at('init/model.safetensors'))).toEqual(Buffer.from(tensors({ a: [1, 2] })))
  })

  it('is whole or not there whatever call the process stops at, and the next call does the rest', async () => {
    write('pretrained/tokenizer.ckpt', 'pieces')
    const text = `${plan}\n  tokenizer: new/tokenizer.model`
    const counting = faultyStorage(localStorage())
    await pretrain(text, { storage: counting.storage })
    const whole = {
      'model.safetensors': fs.readFileSync(at('init/model.safetensors')),
      'tokenizer.model': Buffer.from('pieces'),
    }
    for (let failAt = 1; failAt <= counting.calls.length; failAt += 1) {
      for (const name of ['collected', '.ckpt', 'init']) fs.rmSync(at(name), { recursive: true, force: true })
      const faulty = faultyStorage(localStorage(), { failAt, then: 'stops' })
      await expect(pretrain(text, { storage: faulty.storage })).rejects.toThrow(Stopped)
      for (const [name, contents] of Object.entries(whole)) {
        const path = at('init', name)
        if (fs.existsSync(path)) expect(fs.readFileSync(path)).toEqual(contents)
      }
      const { failed } = await pretrain(text)
      expect(failed).toEqual([])
      expect(fs.readdirSync(at('init')).sort()).toEqual(Object.keys(whole))
    }
  })

  it('replaces no output that is not ours', async () => {
    write('init/model.safetensors', 'mine')
    const { loaded, failed } = await pretrain(plan)
    expect([loaded, failed.map(({ error }) => error.code)]).toEqual([[], ['refused']])
    expect(fs.readFileSync(at('init/model.safetensors'), 'utf8')).toBe('mine')
  })

  it('copies whole what holds no tensors', async () => {
    write('pretrained/tokenizer.ckpt', 'pieces')
    const { loaded } = await pretrain(`${plan}\n  tokenizer: new/tokenizer.model`)
    expect(loaded.map(({ how }) => how)).toEqual(['transfer', 'copy'])
    expect(fs.readFileSync(at('init/tokenizer.model'), 'utf8')).toBe('pieces')
  })

  it.each<[string, Record<string, string | Uint8Array>, string]>([
    ['shapes that differ', { 'new/model.safetensors': tensors({ a: [0] }) }, 'refused'],
    ['nothing in common', { 'new/model.safetensors': tensors({ z: [0] }) }, 'refused'],
    ['no tensors for a model', { 'pretrained/model.ckpt': '<html>' }, 'refused'],
    ['a target that is not a file of tensors', { 'new/model.safetensors': 'text' }, 'damaged'],
  ])('%s: nothing at all is written', async (_, files, code) => {
    write('pretrained/other.ckpt', tensors({ a: [1] }))
    write('new/other.safetensors', tensors({ a: [0] }))
    for (const [name, contents] of Object.entries(files)) write(name, contents)
    const { loaded, failed } = await pretrain(`${plan}\n  other: new/other.safetensors`)
    expect([loaded, failed.map(({ error }) => error.code)]).toEqual([[], [code]])
    expect(fs.readdirSync(at('init'))).toEqual([])
  })

  it('that needs more says so in the words of a plan', async () => {
    write('new/model.safetensors', tensors({ a: [0] }))
    const { failed } = await pretrain(plan)
    expect(failed[0]?.error.hint).toContain('in the plan: model: {target: …, skip-mismatched: true}')
    expect(failed[0]?.error.hint).not.toContain('--')
    const text = plan.replace('new/model.safetensors', '{target: new/model.safetensors, skip-mismatched: true}')
    const { failed: still } = await pretrain(text)
    expect(still.map(({ error }) => error.message)).toEqual([expect.stringContaining('nothing to transfer')])
  })

  it('with names that nearly match says how they would', async () => {
    write('new/model.safetensors', tensors({ 'net.enc.a': [0, 0] }))
    write('pretrained/model.ckpt', tensors({ 'old.enc.a': [1, 2] }))
    const { failed } = await pretrain(plan)
    expect(failed[0]?.error.message).toContain('old=net')
    expect(failed[0]?.error.hint).toContain('in the plan: model: {target: …, map: {old: new}}')
  })

  it('takes the names that a map says', async () => {
    write('new/model.safetensors', tensors({ 'x.y': [0, 0], b: [0] }))
    const { loaded } = await pretrain(
      `${plan.slice(0, plan.lastIndexOf(' '))} {target: new/model.safetensors, map: {a: x.y}}`,
    )
    expect(loaded[0]?.plan?.matched.map(({ target }) => target.name)).toEqual(['x.y', 'b'])
  })

  it('is done by hooks where there are some: a load hook makes what is read, a transfer hook what comes of it', async () => {
    write('pretrained/tokenizer.ckpt', 'pieces')
    const ran: string[][] = []
    const runProcess: RunProcess = async ({ command, args }) => {
      ran.push([command, ...args])
      const [source = '', target = ''] = args
      fs.copyFileSync(source, target)
      return { reason: { kind: 'exited', status: 0 }, output: '' }
    }
    const hooks =
      'hooks:\n  - {match: "mod*", load: "unpack {source} {target}"}\n  - {key: tokenizer, transfer: "cp {source} {target} {template}"}'
    const { loaded, failed } = await pretrain(`${plan}\n  tokenizer: new/tokenizer.model\n${hooks}`, { runProcess })
    expect(failed).toEqual([])
    expect(loaded.map(({ how }) => how)).toEqual(['transfer', 'hook'])
    expect(ran.map(([command, source]) => [command, source])).toEqual([
      ['unpack', collected('model')],
      ['cp', collected('tokenizer')],
    ])
    expect(ran[1]?.[3]).toBe(at('new/tokenizer.model'))
    expect(fs.readFileSync(at('init/tokenizer.model'), 'utf8')).toBe('pieces')
    expect(fs.readdirSync(at('init')).sort()).toEqual(['model.safetensors', 'tokenizer.model'])
  })

  it('by a hook that fails leaves nothing', async () => {
    const runProcess: RunProcess = async () => ({ reason: { kind: 'exited', status: 3 }, output: 'no such codec' })
    const { failed } = await pretrain(`${plan}\nhooks: [{key: model, transfer: "cp {source} {target}"}]`, {
      runProcess,
    })
    expect(failed[0]?.error).toMatchObject({
      code: 'hook-failed',
      message: expect.stringContaining('no such codec') as string,
    })
    expect(fs.readdirSync(at('init'))).toEqual([])
  })
})
