import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  carryTransfer,
  prepareTransfer,
  findSides,
  type Arrangement,
} from '../../../../src/core/runs/with-tensors/transfer.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { parseFuse, parseSplit } from '../../../../src/core/tensors/names/index.js'
import { reportOf } from '../../../../src/core/tensors/transfer/index.js'
import { floats, floatsIn, readTensors, writeTensors } from './files.js'

const storage = localStorage()
let folder = ''

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-rearranged-'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

/** Shapes by name; each tensor has numbers of its own. */
type Model = Readonly<Record<string, readonly number[]>>

const file = (name: string) => join(folder, `${name}.safetensors`)

function make(name: string, model: Model, from: number): void {
  const contents = Object.entries(model).map(([tensor, shape], index) => {
    const count = shape.reduce((product, dim) => product * dim, 1)
    return floats(
      tensor,
      shape,
      Array.from({ length: count }, (_, at) => from + 100 * index + at),
    )
  })
  writeTensors(file(name), contents)
}

interface Flags {
  readonly transpose?: readonly string[]
  readonly split?: readonly string[]
  readonly fuse?: readonly string[]
  readonly heads?: number
}

async function prepared(flags?: Flags) {
  const arrange: Arrangement | undefined =
    flags === undefined
      ? undefined
      : {
          transpose: flags.transpose ?? [],
          splits: (flags.split ?? []).map(parseSplit),
          fuses: (flags.fuse ?? []).map(parseFuse),
          heads: flags.heads,
        }
  const request = {
    source: file('source'),
    target: file('target'),
    base: folder,
    query: { orders: [], where: [] },
    names: { include: [], exclude: [], map: new Map(), stripPrefixes: [], renames: [], addPrefix: '' },
    match: {},
    arrange,
  }
  const context = { now: 0 }
  return prepareTransfer(storage, request, await findSides(storage, request, context), context)
}

/** The command that is proposed, without the files. */
async function proposed(): Promise<string | undefined> {
  const { plan, close } = await prepared()
  await close()
  return reportOf(plan).commands[0]?.replace(/^ckpt transfer \S+ \S+ /, '')
}

async function transferred(flags: Flags): Promise<(name: string) => number[]> {
  const ready = await prepared(flags)
  try {
    await carryTransfer(storage, ready, { path: file('out'), inPlace: false }, { force: true })
  } finally {
    await ready.close()
  }
  const written = readTensors(file('out'))
  return (name) => floatsIn(written, name)
}

describe('matrices that lie the other way round', () => {
  it('are told by their shapes, with the square ones of the same kind, and turned', async () => {
    make('source', { 'h.0.mlp.c_fc.weight': [2, 3], 'h.0.attn.c_proj.weight': [2, 2] }, 0)
    make('target', { 'h.0.mlp.c_fc.weight': [3, 2], 'h.0.attn.c_proj.weight': [2, 2] }, 5000)
    expect(await proposed()).toBe("--transpose '**.c_fc.weight' --transpose '**.c_proj.weight'")
    const values = await transferred({ transpose: ['**.c_fc.weight', '**.c_proj.weight'] })
    expect(values('h.0.mlp.c_fc.weight')).toEqual([0, 3, 1, 4, 2, 5])
    expect(values('h.0.attn.c_proj.weight')).toEqual([100, 102, 101, 103])
  })

  it('are none where a shape differs in another way', async () => {
    make('source', { 'a.b.weight': [2, 3] }, 0)
    make('target', { 'a.b.weight': [3, 4] }, 0)
    expect(await proposed()).toBeUndefined()
  })
})

describe('query, key and value', () => {
  const fused = { 'blocks.0.attn.qkv.weight': [6, 2], 'blocks.0.attn.qkv.bias': [6] }
  const three = (before: string, words: readonly string[]): Model =>
    Object.fromEntries<readonly number[]>(
      words.flatMap((word) => [[`${before}${word}.weight`, [2, 2]] as const, [`${before}${word}.bias`, [2]] as const]),
    )

  it('in one matrix are taken apart', async () => {
    make('source', fused, 0)
    make('target', three('encoder.layer.0.attention.', ['query', 'key', 'value']), 5000)
    const [weight, bias] = ['weight', 'bias'].map(
      (leaf) =>
        `blocks.*.attn.qkv.${leaf}=encoder.layer.*.attention.query.${leaf},encoder.layer.*.attention.key.${leaf},encoder.layer.*.attention.value.${leaf}`,
    )
    expect(await proposed()).toBe(`--split '${weight ?? ''}' --split '${bias ?? ''}'`)
    const values = await transferred({ split: [weight ?? '', bias ?? ''] })
    expect(values('encoder.layer.0.attention.key.weight')).toEqual([4, 5, 6, 7])
    expect(values('encoder.layer.0.attention.value.bias')).toEqual([104, 105])
  })

  it('are put together in their order', async () => {
    make('source', three('blocks.0.attn.', ['q_proj', 'k_proj', 'v_proj']), 0)
    make('target', fused, 5000)
    const rule =
      'blocks.*.attn.q_proj.weight,blocks.*.attn.k_proj.weight,blocks.*.attn.v_proj.weight=blocks.*.attn.qkv.weight'
    expect(await proposed()).toContain(`--fuse '${rule}'`)
    const values = await transferred({ fuse: [rule] })
    expect(values('blocks.0.attn.qkv.weight')).toEqual([0, 1, 2, 3, 200, 201, 202, 203, 400, 401, 402, 403])
  })

  it('may have the query by itself: key and value are taken apart, and put together', async () => {
    const fusedPair = { 'l.0.attn.q.weight': [2, 2], 'l.0.attn.kv.weight': [4, 2] }
    const apart = { 'l.0.attn.q.weight': [2, 2], 'l.0.attn.k.weight': [2, 2], 'l.0.attn.v.weight': [2, 2] }
    make('source', fusedPair, 0)
    make('target', apart, 5000)
    const split = 'l.*.attn.kv.weight=l.*.attn.k.weight,l.*.attn.v.weight'
    expect(await proposed()).toBe(`--split '${split}'`)
    const values = await transferred({ split: [split] })
    expect([values('l.0.attn.k.weight'), values('l.0.attn.v.weight')]).toEqual([
      [100, 101, 102, 103],
      [104, 105, 106, 107],
    ])
    make('source', apart, 0)
    make('target', fusedPair, 5000)
    expect(await proposed()).toBe("--fuse 'l.*.attn.k.weight,l.*.attn.v.weight=l.*.attn.kv.weight'")
  })

  it('are those of the same layer and of the same side, where several share its number or have none', async () => {
    const sides = ['encoder.layers.0.self_attn.', 'decoder.layers.0.self_attn.', 'l0.attn.', 'l1.attn.']
    make('source', Object.fromEntries(sides.map((side) => [`${side}qkv.weight`, [6, 2]])), 0)
    make('target', Object.assign({}, ...sides.map((side) => three(`model.${side}`, ['q', 'k', 'v']))) as Model, 5000)
    const rules = [...((await proposed()) ?? '').matchAll(/--split '(\S+?)qkv\.weight=(\S+?)q\.weight,/g)]
    const expected = ['encoder.layers.*.self_attn.', 'decoder.layers.*.self_attn.', 'l0.attn.', 'l1.attn.']
    expect(new Map(rules.map(([, one = '', of = '']) => [one, of]))).toEqual(
      new Map(expected.map((side) => [side, `model.${side}`])),
    )
  })

  it('are not proposed where it is not clear which is which', async () => {
    make('source', { 'a.qkv.weight': [6, 2], 'b.qkv.weight': [6, 2] }, 0)
    make('target', { ...three('c.', ['q', 'k', 'v']), ...three('d.', ['q', 'k', 'v']) }, 5000)
    expect((await proposed()) ?? '').not.toContain('--split')
  })

  it('have as many rows as the target says, where heads are shared', async () => {
    make('source', { 'l.0.qkv_proj.weight': [4, 2] }, 0)
    make('target', { 'l.0.q_proj.weight': [2, 2], 'l.0.k_proj.weight': [1, 2], 'l.0.v_proj.weight': [1, 2] }, 5000)
    const rule = 'l.*.qkv_proj.weight=l.*.q_proj.weight,l.*.k_proj.weight,l.*.v_proj.weight'
    expect(await proposed()).toBe(`--split '${rule}'`)
    const values = await transferred({ split: [rule] })
    expect([values('l.0.q_proj.weight'), values('l.0.v_proj.weight')]).toEqual([
      [0, 1, 2, 3],
      [6, 7],
    ])
  })

  it('in a matrix of GPT-2 lie the other way round as well, there and back', async () => {
    const names = ['q_proj', 'k_proj', 'v_proj'].map((word) => `h.0.attn.${word}.weight`)
    make('source', { 'h.0.attn.c_attn.weight': [2, 6] }, 0)
    make('target', Object.fromEntries(names.map((name) => [name, [2, 2]])), 5000)
    const several = 'h.*.attn.q_proj.weight,h.*.attn.k_proj.weight,h.*.attn.v_proj.weight'
    const split = `h.*.attn.c_attn.weight=${several}`
    expect(await proposed()).toBe(`--transpose '**.c_attn.weight' --split '${split}'`)
    const apart = await transferred({ transpose: ['**.c_attn.weight'], split: [split] })
    expect(apart(names[1] ?? '')).toEqual([2, 8, 3, 9])
    fs.renameSync(file('source'), file('original'))
    fs.renameSync(file('out'), file('source'))
    make('target', { 'h.0.attn.c_attn.weight': [2, 6] }, 5000)
    const fuse = `${several}=h.*.attn.c_attn.weight`
    expect(await proposed()).toBe(`--transpose '**.c_attn.weight' --fuse '${fuse}'`)
    const whole = await transferred({ transpose: ['**.c_attn.weight'], fuse: [fuse] })
    expect(whole('h.0.attn.c_attn.weight')).toEqual(floatsIn(readTensors(file('original')), 'h.0.attn.c_attn.weight'))
  })

  it('of GPT-NeoX, which lie head by head, are not taken for rows', async () => {
    make('source', { 'l.0.query_key_value.weight': [6, 2] }, 0)
    make('target', three('l.0.', ['q_proj', 'k_proj', 'v_proj']), 0)
    expect(await proposed()).toBeUndefined()
  })
})

describe('a mistake in an arrangement', () => {
  it('is reported with the rows that do not add up', async () => {
    make('source', { qkv: [5, 2] }, 0)
    make('target', { a: [2, 2], b: [2, 2] }, 0)
    await expect(prepared({ split: ['qkv=a,b'] })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('2 + 2') as string,
    })
  })

  it.each(['a=b', 'a', 'a.*=b,c', '=b,c', 'a=b,b'])('%s is refused', (text) => {
    expect(() => parseSplit(text)).toThrow('--split')
  })
})

describe('query, key and value that lie head by head', () => {
  const parts = 'l.*.attention.q_proj.weight,l.*.attention.k_proj.weight,l.*.attention.v_proj.weight'
  const split = `l.*.attention.query_key_value.weight=${parts}`
  const three = (keys: number): Model => ({
    'l.0.attention.q_proj.weight': [4, 1],
    'l.0.attention.k_proj.weight': [keys, 1],
    'l.0.attention.v_proj.weight': [keys, 1],
  })

  function configure(config: Readonly<Record<string, unknown>>): void {
    fs.writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  }

  it('are taken apart with the heads that the configuration beside the file says, as GPT-NeoX has them', async () => {
    make('source', { 'l.0.attention.query_key_value.weight': [12, 1] }, 0)
    make('target', three(4), 5000)
    configure({ model_type: 'gpt_neox', num_attention_heads: 2 })
    expect(await proposed()).toBe(`--split '${split}' --heads 2`)
    const values = await transferred({ split: [split], heads: 2 })
    expect(values('l.0.attention.q_proj.weight')).toEqual([0, 1, 6, 7])
    expect(values('l.0.attention.k_proj.weight')).toEqual([2, 3, 8, 9])
    expect(values('l.0.attention.v_proj.weight')).toEqual([4, 5, 10, 11])
  })

  it('are put together again as they were', async () => {
    make('source', three(4), 0)
    make('target', { 'l.0.attention.query_key_value.weight': [12, 1] }, 5000)
    configure({ n_head: 2 })
    const fuse = `${parts}=l.*.attention.query_key_value.weight`
    expect(await proposed()).toBe(`--fuse '${fuse}' --heads 2`)
    const values = await transferred({ fuse: [fuse], heads: 2 })
    expect(values('l.0.attention.query_key_value.weight')).toEqual([0, 1, 100, 101, 200, 201, 2, 3, 102, 103, 202, 203])
  })

  it('lie by the heads of keys in Falcon, of which each has several of queries', async () => {
    make('source', { 'l.0.attention.query_key_value.weight': [8, 1] }, 0)
    make('target', three(2), 5000)
    configure({ new_decoder_architecture: true, num_attention_heads: 4, num_kv_heads: 2 })
    expect(await proposed()).toBe(`--split '${split}' --heads 2`)
    const values = await transferred({ split: [split], heads: 2 })
    expect(values('l.0.attention.q_proj.weight')).toEqual([0, 1, 4, 5])
    expect(values('l.0.attention.v_proj.weight')).toEqual([3, 7])
  })

  it('are not proposed where nothing tells the heads, and refused for heads that the rows are not shared out to', async () => {
    make('source', { 'l.0.attention.query_key_value.weight': [12, 1] }, 0)
    make('target', three(4), 5000)
    expect(await proposed()).toBeUndefined()
    await expect(transferred({ split: [split], heads: 5 })).rejects.toThrow(/12 rows of .* not shared out to 5 heads/)
  })
})
