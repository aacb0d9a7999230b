/** A file as one in which matrices lie the other way round, and tensors are taken apart or put together by rows. */
import { CkptError } from '../../errors.js'
import { bitsOf, isDtype } from '../../formats/safetensors/safetensors.js'
import { starOf, withStar, type Rearrangement, type Regrouping } from '../names/rearrangement.js'
import { chunksOf, isExtent } from './extent.js'
import { FileView } from './file-view.js'
import { gather } from './gather-strided.js'
import { plainBytes, type StorageBytes } from './storage-bytes.js'
import { joinParts, type Shape, type TensorData, type TensorFile, type TensorInfo } from './tensor.js'

export interface Rearranged {
  readonly file: TensorFile
  /** As they were typed, those that change nothing. */
  readonly idle: readonly string[]
}

interface Entry {
  readonly info: TensorInfo
  readonly data: () => Promise<TensorData>
  /** Of the file, where it is as it was. */
  readonly original?: TensorInfo
}

/**
 * A view of `file`, which stays open and is closed by it. `rowsOf` tells how many rows a part is to have, by its name;
 * where it does not, all parts have equally many. Throws CkptError `usage` where rows or shapes do not add up, or a new
 * name is there already.
 */
export function rearranged(
  file: TensorFile,
  { transposes, splits, fuses, heads }: Rearrangement,
  rowsOf: (name: string) => number | undefined,
): Rearranged {
  const work = new Rearranging(file, transposes, heads, rowsOf)
  const idle = [
    ...splits.filter((rule) => !work.split(rule)).map(({ text }) => `--split ${text}`),
    ...fuses.filter((rule) => !work.fuse(rule)).map(({ text }) => `--fuse ${text}`),
  ]
  return { file: new RearrangedFile(file, work.entries), idle }
}

interface Piece {
  /** Bytes. */
  readonly length: number
  readonly open: () => Promise<TensorData>
}

function requireShares(rows: readonly number[], heads: number, flag: string, name: string): void {
  const odd = rows.find((count) => count % heads !== 0)
  if (odd === undefined) return
  throw new CkptError('usage', `${flag}: ${odd} rows of ${JSON.stringify(name)} are not shared out to ${heads} heads`)
}

class Rearranging {
  entries: Entry[]

  constructor(
    file: TensorFile,
    private readonly transposes: (name: string) => boolean,
    private readonly heads: number,
    private readonly rowsOf: (name: string) => number | undefined,
  ) {
    this.entries = file.tensors.map((info) => this.#turned({ info, data: () => file.dataOf(info), original: info }))
  }

  /** False where no name matches. */
  split(rule: Regrouping): boolean {
    const before = this.entries
    this.entries = before.flatMap((entry) => {
      const star = starOf(rule.one, entry.info.name)
      return star === undefined ? [entry] : this.#parts(entry, rule, star)
    })
    return this.#changed(before, `--split ${rule.text}`)
  }

  /** False where no tensor has all its parts. */
  fuse(rule: Regrouping): boolean {
    const before = this.entries
    const [first = ''] = rule.several
    const byName = new Map(before.map((entry) => [entry.info.name, entry]))
    const gone = new Set<Entry>()
    const fused = new Map<Entry, Entry>()
    for (const entry of before) {
      const star = starOf(first, entry.info.name)
      const parts = star === undefined ? [] : rule.several.flatMap((one) => byName.get(withStar(one, star)) ?? [])
      if (star === undefined || parts.length < rule.several.length) continue
      for (const part of parts) gone.add(part)
      fused.set(entry, this.#whole(parts, withStar(rule.one, star), `--fuse ${rule.text}`))
    }
    this.entries = before.flatMap((entry) => fused.get(entry) ?? (gone.has(entry) ? [] : [entry]))
    return this.#changed(before, `--fuse ${rule.text}`)
  }

  #changed(before: readonly Entry[], flag: string): boolean {
    const names = new Set<string>()
    for (const { info } of this.entries) {
      if (names.size === names.add(info.name).size) {
        throw new CkptError('usage', `${flag}: there would be two tensors with the name ${JSON.stringify(info.name)}`)
      }
    }
    return this.entries.length !== before.length
  }

  #parts(entry: Entry, { several, text }: Regrouping, star: string): Entry[] {
    const { info } = entry
    const rows = rowsIn(info, `--split ${text}`)
    const names = several.map((one) => withStar(one, star))
    const wanted = names.map((name) => this.rowsOf(name))
    const known = wanted.every((count) => count !== undefined) ? wanted : names.map(() => rows / names.length)
    const sum = known.reduce((total, count) => total + count, 0)
    if (sum !== rows || !known.every(Number.isInteger)) {
      throw new CkptError(
        'usage',
        `--split ${text}: ${JSON.stringify(info.name)} has ${rows} rows, and its parts would have ${known.join(' + ')}`,
      )
    }
    let start = 0
    return names.map((name, index) => {
      const count = known[index] ?? 0
      const flag = `--split ${text}`
      const part = this.heads === 1 ? partOf(entry, name, start, count) : this.#byHeads(entry, name, start, count, flag)
      start += count
      return this.#turned(part, info.name)
    })
  }

  /** Rows `start` to `start + count` of the parts, of which each head has its share in its own rows. */
  #byHeads({ info, data }: Entry, name: string, start: number, count: number, flag: string): Entry {
    const heads = this.heads
    const rows = rowsIn(info, flag)
    requireShares([rows, start, count], heads, flag, info.name)
    const itemSize = bytesOfOne(info)
    const row = info.bytes / Math.max(1, rows) / itemSize
    const [first, taken, all] = [(start / heads) * row, (count / heads) * row, (rows / heads) * row]
    const view = { offset: first, shape: [heads, taken], strides: [all, 1], itemSize }
    const bytes = count * row * itemSize
    return {
      info: plain(info, name, [count, ...info.shape.slice(1)], bytes),
      data: async () => {
        const whole = await seekable(await data(), info)
        return { length: bytes, read: (length, chunk) => gather(whole, view, length, chunk) }
      },
    }
  }

  /** The parts' rows, head by head, each with its share of every part. */
  #piecesByHeads(parts: readonly Entry[], flag: string): Piece[] {
    const heads = this.heads
    for (const { info } of parts) requireShares([rowsIn(info, flag)], heads, flag, info.name)
    return Array.from({ length: heads }, (_, head) =>
      parts.map(({ info, data }): Piece => {
        const length = info.bytes / heads
        const itemSize = bytesOfOne(info)
        const view = { offset: (head * length) / itemSize, shape: [length / itemSize], strides: [1], itemSize }
        return {
          length,
          open: async () => {
            const whole = await data()
            if (isExtent(whole)) return { ...whole, position: whole.position + head * length, length }
            const held = await seekable(whole, info)
            return { length, read: (most, chunk) => gather(held, view, most, chunk) }
          },
        }
      }),
    ).flat()
  }

  #whole(parts: readonly Entry[], name: string, flag: string): Entry {
    const [first] = parts
    if (first === undefined) throw new RangeError('there are no parts')
    const rows = parts.reduce((sum, { info }) => sum + rowsIn(info, flag), 0)
    const { dtype, shape } = first.info
    for (const { info } of parts) {
      if (info.dtype === dtype && String(info.shape.slice(1)) === String(shape.slice(1))) continue
      const forms = parts.map((one) => `${one.info.dtype} [${one.info.shape.join(', ')}]`).join(', ')
      throw new CkptError('usage', `${flag}: the parts of ${JSON.stringify(name)} have other forms: ${forms}`)
    }
    const bytes = parts.reduce((sum, { info }) => sum + info.bytes, 0)
    const inTurn = parts.map(({ info, data }): Piece => ({ length: info.bytes, open: data }))
    const pieces = this.heads === 1 ? inTurn : this.#piecesByHeads(parts, flag)
    const info = { name, dtype, shape: [rows, ...shape.slice(1)], bytes }
    return this.#turned({ info, data: async () => joinParts(pieces) }, ...parts.map((part) => part.info.name))
  }

  /** Turned round where its name is meant, but not once more where that of what it came from was. */
  #turned(entry: Entry, ...origins: readonly string[]): Entry {
    const { info, data } = entry
    const [rows, columns] = info.shape
    const isMeant = this.transposes(info.name) && !origins.some((name) => this.transposes(name))
    if (!isMeant || info.shape.length !== 2 || typeof rows !== 'number' || typeof columns !== 'number') return entry
    const size = bytesOfOne(info)
    const view = { offset: 0, shape: [columns, rows], strides: [1, columns], itemSize: size }
    return {
      info: plain(info, info.name, [columns, rows], info.bytes),
      data: async () => {
        const bytes = await seekable(await data(), info)
        return { length: info.bytes, read: (length, chunk) => gather(bytes, view, length, chunk) }
      },
    }
  }
}

function plain({ dtype }: TensorInfo, name: string, shape: Shape, bytes: number): TensorInfo {
  return { name, dtype, shape, bytes }
}

function rowsIn({ name, shape }: TensorInfo, flag: string): number {
  const [rows] = shape
  if (typeof rows === 'number') return rows
  throw new CkptError('usage', `${flag}: ${JSON.stringify(name)} has the shape [${shape.join(', ')}], and no rows`)
}

function bytesOfOne({ name, dtype }: TensorInfo): number {
  const bits = isDtype(dtype) ? bitsOf[dtype] : 0
  if (bits >= 8) return bits / 8
  throw new CkptError('refused', `${JSON.stringify(name)} is ${dtype}, of which elements cannot be moved one by one`)
}

function partOf({ info, data }: Entry, name: string, start: number, count: number): Entry {
  const [rows = 1] = info.shape
  const row = info.bytes / Math.max(1, Number(rows))
  const [skipped, bytes] = [start * row, count * row]
  return {
    info: plain(info, name, [count, ...info.shape.slice(1)], bytes),
    data: async () => {
      const whole = await data()
      if (isExtent(whole)) return { handle: whole.handle, position: whole.position + skipped, length: bytes }
      return { length: bytes, read: (length, chunk) => behind(whole.read(skipped + length, chunk), skipped) }
    },
  }
}

/** All but the first `skipped` bytes. */
async function* behind(chunks: AsyncIterable<Uint8Array>, skipped: number): AsyncGenerator<Uint8Array> {
  let left = skipped
  for await (const chunk of chunks) {
    if (chunk.length > left) yield chunk.subarray(left)
    left = Math.max(0, left - chunk.length)
  }
}

/** What is put together on the way is held in memory to be turned round: up to this many bytes. */
const largestHeld = 1 << 28

async function seekable(data: TensorData, { name }: TensorInfo): Promise<StorageBytes> {
  if (isExtent(data)) return plainBytes(data.handle, data.length, async () => data.position)
  if (data.length > largestHeld) {
    throw new CkptError('refused', `${JSON.stringify(name)}: ${data.length} bytes that do not lie together`, {
      hint: 'write it in the form that it has first (ckpt convert --to safetensors), then transpose that',
    })
  }
  const held = new Uint8Array(data.length)
  let filled = 0
  for await (const chunk of chunksOf(data)) {
    held.set(chunk, filled)
    filled += chunk.length
  }
  return {
    length: held.length,
    extent: async () => null,
    stream: async function* (offset, length) {
      yield held.subarray(offset, offset + length)
    },
    read: async (offset, length) => held.subarray(offset, offset + length),
  }
}

class RearrangedFile extends FileView {
  readonly tensors: readonly TensorInfo[]
  readonly composites: ReadonlyMap<string, string>
  readonly #entries: ReadonlyMap<string, Entry>

  constructor(whole: TensorFile, entries: readonly Entry[]) {
    super(whole)
    this.composites = whole.composites ?? new Map<string, string>()
    this.tensors = entries.map(({ info }) => info)
    this.#entries = new Map(entries.map((entry) => [entry.info.name, entry]))
  }

  locationOf({ name }: TensorInfo): string | undefined {
    const original = this.#entries.get(name)?.original
    return original === undefined ? undefined : this.whole.locationOf?.(original)
  }

  async dataOf({ name }: TensorInfo): Promise<TensorData> {
    const entry = this.#entries.get(name)
    if (entry === undefined) throw new RangeError(`${JSON.stringify(name)} is not in ${this.path}`)
    return entry.data()
  }
}
