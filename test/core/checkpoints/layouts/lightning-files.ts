/** Files as Lightning writes them, small: a zip archive with a pickle of protocol 2, and a storage for each number. */
import { crc32 } from 'node:zlib'
import { makeZip } from '../../formats/archives/zip-bytes.js'

/** A Python value: plain ones, Maps for dicts, and what the functions here make. */
export type Python = null | boolean | number | string | readonly Python[] | ReadonlyMap<string | Global, Python> | Made
type Made = Float | Tensor | Global | Call

class Float {
  constructor(readonly value: number) {}
}
class Tensor {
  constructor(readonly values: readonly number[]) {}
}
class Global {
  constructor(readonly name: string) {}
}
class Call {
  constructor(
    readonly callee: Global,
    readonly args: readonly Python[],
  ) {}
}

/** A tensor of float32: without shape for one number. */
export const tensor = (...values: number[]): Tensor => new Tensor(values)
/** `module.name`. */
export const classOf = (name: string): Global => new Global(name)
export const call = (name: string, ...args: Python[]): Call => new Call(new Global(name), args)
export const dict = (entries: Readonly<Record<string, Python>>): ReadonlyMap<string, Python> =>
  new Map(Object.entries(entries))

class Pickler {
  private readonly parts: Buffer[] = [Buffer.from([0x80, 2])]
  readonly storages: Buffer[] = []

  dump(value: Python): Buffer {
    this.put(value)
    return Buffer.concat([...this.parts, Buffer.from('.')])
  }

  private op(text: string, ...rest: Buffer[]): void {
    this.parts.push(Buffer.from(text, 'latin1'), ...rest)
  }

  private put(value: Python): void {
    if (value === null) this.op('N')
    else if (typeof value === 'boolean') this.op(value ? '\x88' : '\x89')
    else if (typeof value === 'number') this.op('J', int32(value))
    else if (typeof value === 'string') this.op('X', int32(Buffer.byteLength(value)), Buffer.from(value))
    else if (value instanceof Float) this.op('G', float64(value.value))
    else if (value instanceof Global) this.global(value.name)
    else if (value instanceof Call) this.call(value.callee.name, () => this.tuple(value.args))
    else if (value instanceof Tensor) this.tensor(value.values)
    else if (value instanceof Map) this.map(value as ReadonlyMap<string | Global, Python>)
    else {
      this.op('](')
      for (const item of value as readonly Python[]) this.put(item)
      this.op('e')
    }
  }

  private map(entries: ReadonlyMap<string | Global, Python>): void {
    this.op('}(')
    for (const [key, item] of entries) {
      this.put(key)
      this.put(item)
    }
    this.op('u')
  }

  private global(name: string): void {
    const dot = name.lastIndexOf('.')
    this.op(`c${name.slice(0, dot)}\n${name.slice(dot + 1)}\n`)
  }

  private call(name: string, putArguments: () => void): void {
    this.global(name)
    putArguments()
    this.op('R')
  }

  private tuple(items: readonly Python[]): void {
    this.op('(')
    for (const item of items) this.put(item)
    this.op('t')
  }

  private tensor(values: readonly number[]): void {
    const key = String(this.storages.push(Buffer.from(Float32Array.from(values).buffer)) - 1)
    const shape = values.length === 1 ? [] : [values.length]
    this.call('torch._utils._rebuild_tensor_v2', () => {
      this.op('((')
      this.put('storage')
      this.global('torch.FloatStorage')
      for (const one of [key, 'cpu', values.length]) this.put(one)
      this.op('tQ')
      this.put(0)
      this.tuple(shape)
      this.tuple(shape.map(() => 1))
      this.put(false)
      this.call('collections.OrderedDict', () => this.tuple([]))
      this.op('t')
    })
  }
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}

function float64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return bytes
}

export const float = (value: number): Float => new Float(value)

/** What torch.save would write of it. */
export function torchFile(value: Python): Buffer {
  const pickler = new Pickler()
  const pickle = pickler.dump(value)
  const records = [
    { name: 'archive/data.pkl', data: pickle },
    ...pickler.storages.map((data, index) => ({ name: `archive/data/${index}`, data })),
    { name: 'archive/version', data: Buffer.from('3\n') },
  ]
  return makeZip(
    records.map((record) => ({ ...record, crc: crc32(record.data) })),
    { zip64: true },
  )
}

export interface Facts {
  readonly step: number
  readonly epoch?: number
  /** The weights. */
  readonly weights?: readonly number[]
  /** By the callbacks' keys. */
  readonly callbacks?: ReadonlyMap<string | Global, Python> | undefined
  readonly hyperParameters?: Python
  /** The state of its loops. */
  readonly loops?: Python
  readonly version?: string
}

/** A checkpoint of Lightning 2. */
export function lightningFile({
  step,
  epoch = 0,
  weights = [step],
  callbacks,
  hyperParameters,
  loops,
  version = '2.2.5',
}: Facts): Buffer {
  return torchFile(
    dict({
      epoch,
      global_step: step,
      'pytorch-lightning_version': version,
      state_dict: dict({ 'net.weight': tensor(...weights) }),
      ...(callbacks === undefined ? {} : { callbacks }),
      ...(hyperParameters === undefined ? {} : { hyper_parameters: hyperParameters }),
      ...(loops === undefined ? {} : { loops }),
    }),
  )
}

export interface CallbackFacts {
  readonly monitor: string
  readonly mode: 'min' | 'max'
  readonly folder: string
  /** By names in the folder. */
  readonly best: Readonly<Record<string, number>>
  readonly bestName: string
  readonly current?: number
  readonly lastPath?: string
}

/** The state of a ModelCheckpoint as Lightning 1.5 and later have it. */
export function modelCheckpoint({ monitor, mode, folder, best, bestName, current = 0, lastPath = '' }: CallbackFacts) {
  const key = `ModelCheckpoint{'monitor': '${monitor}', 'mode': '${mode}', 'every_n_train_steps': 0, 'every_n_epochs': 1}`
  const state = dict({
    monitor,
    best_model_score: tensor(best[bestName] ?? 0),
    best_model_path: `${folder}/${bestName}`,
    current_score: tensor(current),
    dirpath: folder,
    best_k_models: new Map(Object.entries(best).map(([name, score]) => [`${folder}/${name}`, tensor(score)])),
    last_model_path: lastPath,
  })
  return [key, state] as const
}
