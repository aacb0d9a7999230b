import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StorageError } from '../../../../src/core/errors.js'
import { writeOutput, type OutputTensor, type WriteOptions } from '../../../../src/core/tensors/write/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { Storage } from '../../../../src/core/storage/storage.js'
import { openTensors } from '../../../../src/core/tensors/read/index.js'
import { chunksOf } from '../../../../src/core/tensors/read/tensor.js'
import { faultyStorage } from '../../../faulty-storage.js'

const storage = localStorage()
let folder = ''

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-replace-'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)
const shard = (index: number, count: number) => `m-0000${index}-of-0000${count}.safetensors`
const index = 'm.safetensors.index.json'
const namesOf = (count: number) =>
  count === 1 ? ['m.safetensors'] : [...Array.from({ length: count }, (_, at) => shard(at + 1, count)), index]

function tensor(name: string, value: number): OutputTensor {
  const bytes = new Uint8Array(8).fill(value)
  return { name, dtype: 'U8', shape: [8], bytes: 8, writeTo: (sink) => sink.write(bytes) }
}

/** A model of so many files, each value of which is `value`. */
function write(count: number, value: number, options: WriteOptions = { force: true }, through = storage) {
  const tensors = Array.from({ length: count }, (_, at) => tensor(`t${at}`, value))
  const output = {
    path: at('m.safetensors'),
    format: 'safetensors',
    tensors,
    metadata: new Map(),
    shardSize: 8,
  } as const
  return writeOutput(through, output, options)
}

/** What a loader gets: it takes the one file where there is one, else what the index names. */
async function load(): Promise<string> {
  const file = await openTensors(storage, at(fs.existsSync(at('m.safetensors')) ? 'm.safetensors' : index))
  const values: string[] = []
  for (const info of file.tensors) {
    for await (const chunk of chunksOf(await file.dataOf(info))) values.push(Buffer.from(chunk).toString('hex'))
  }
  await file.close()
  return values.sort().join(' ')
}

const model = (count: number, value: number) =>
  Array.from({ length: count }, () => Buffer.alloc(8, value).toString('hex')).join(' ')

/** Files of others, and shards that the old index does not name. */
const others = [shard(3, 9), 'm-00001-of-00002.bin', 'n-00001-of-00003.safetensors', 'notes.txt']

/** As on a file system without hard links. */
const withoutLinks: Storage = {
  ...storage,
  hardLink: (_, path) => Promise.reject(new StorageError(path, 'EPERM', `${path}: no links`)),
}

const changes = [[3, 2], [2, 3], [3, 3], [2, 1], [1, 2]] as const // prettier-ignore

describe.each(changes)('of %i files to %i', (before, after) => {
  const stale = namesOf(before).filter((name) => !namesOf(after).includes(name))

  function reset(): Promise<unknown> {
    for (const name of fs.readdirSync(folder)) fs.unlinkSync(at(name))
    for (const name of others) fs.writeFileSync(at(name), name)
    return write(before, 1)
  }

  const names = () => fs.readdirSync(folder).filter((name) => !others.includes(name))

  it('the old ones go, told before anything is written; all others stay', async () => {
    await reset()
    let told: readonly string[] = []
    let toldAfter = 0
    const { storage: through, calls } = faultyStorage(storage)
    const onOutdated = (paths: readonly string[]) => {
      told = paths
      toldAfter = calls.length
    }
    const { removed = [] } = await write(after, 2, { force: true, onOutdated }, through)
    expect([[...removed].sort(), toldAfter]).toEqual([stale.map(at).sort(), 0])
    expect(told).toEqual(removed)
    expect(names().sort()).toEqual(namesOf(after).sort())
    for (const name of others) expect(fs.readFileSync(at(name), 'utf8')).toBe(name)
    expect(await load()).toBe(model(after, 2))
  })

  it.each(before === after ? ([true, false] as const) : ([true] as const))(
    'stopped or failed at each call, a whole model is there, and can be replaced again; with hard links: %s',
    async (hasLinks) => {
      const inner = hasLinks ? storage : withoutLinks
      await reset()
      const { storage: through, calls } = faultyStorage(inner)
      await write(after, 2, { force: true }, through)
      for (const [n, call] of calls.entries()) {
        for (const then of ['stops', 'goes on'] as const) {
          await reset()
          const faulty = faultyStorage(inner, { failAt: n + 1, then }).storage
          await write(after, 2, { force: true }, faulty).catch(() => undefined)
          expect([model(before, 1), model(after, 2)], `${then} ${call}`).toContain(await load())
          for (const name of others) expect(fs.readFileSync(at(name), 'utf8')).toBe(name)
          // Where a name may not be on the medium yet, the one before it is left; and what cannot be removed stays.
          if (then === 'stops' || /^(syncDirectory|unlink) /.test(call)) continue
          expect(names().filter((name) => name.startsWith('.') && !isNamed(name))).toEqual([])
        }
        await write(after, 3)
        expect(await load()).toBe(model(after, 3))
      }
    },
    60_000,
  )
})

const isNamed = (name: string) => fs.readFileSync(at(index), 'utf8').includes(name)

describe('without --force', () => {
  it.each([
    [1, 2],
    [2, 2],
  ])('%i files stay before %i', async (before, after) => {
    await write(before, 1)
    await expect(write(after, 2, {})).rejects.toMatchObject({ code: 'refused' })
    expect(fs.readdirSync(folder).sort()).toEqual(namesOf(before).sort())
    expect(await load()).toBe(model(before, 1))
  })
})

it('what an index names elsewhere, or otherwise, is never removed', async () => {
  const named = [
    '../m-00001-of-00003.safetensors',
    'optimizer.safetensors',
    'n-00001-of-00003.safetensors',
    'config.json',
  ]
  fs.writeFileSync(at(index), JSON.stringify({ weight_map: Object.fromEntries(named.map((name) => [name, name])) }))
  for (const name of named.slice(1)) fs.writeFileSync(at(name), name)
  await write(2, 2)
  expect(fs.readdirSync(folder).sort()).toEqual([...named.slice(1), ...namesOf(2)].sort())
})
