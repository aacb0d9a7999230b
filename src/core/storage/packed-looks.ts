/** Looks at very many files in columns: an object for each would take four times the memory. */
import type { EntryKind, FolderLook, Looks, Result, Stat } from './storage.js'

const kinds: readonly EntryKind[] = ['file', 'directory', 'link', 'other']
const asFile = kinds.indexOf('file')

/** Numbers of a file in each kind of column. */
const longs = 4
const doubles = 2
const words = 5

/** Nanoseconds: later times, which few file systems can hold, are kept as they came. */
const latest = 2n ** 63n - 1n

/** What was looked at together. */
class Columns {
  /** When it was modified and changed (signed), its device and inode. */
  readonly times: BigInt64Array
  readonly identities: BigUint64Array
  /** Size and what is allocated. */
  readonly sizes: Float64Array
  /** Kind, links, mode, owner, group. */
  readonly traits: Uint32Array
  /** What has no place in the columns: errors, and what nobody has looked at. */
  readonly others = new Map<number, Result<Stat> | null>()

  constructor(count: number) {
    const longer = new ArrayBuffer(8 * longs * count)
    this.times = new BigInt64Array(longer)
    this.identities = new BigUint64Array(longer)
    this.sizes = new Float64Array(doubles * count)
    this.traits = new Uint32Array(words * count)
  }

  set(row: number, look: Result<Stat> | null): void {
    if (look?.ok === true && fits(look.value)) this.setStat(row, look.value)
    else this.others.set(row, look)
  }

  private setStat(row: number, stat: Stat): void {
    const { times, identities, sizes, traits } = this
    const [long, double, word] = [longs * row, doubles * row, words * row]
    times[long] = stat.modifiedNs
    times[long + 1] = stat.changedNs
    identities[long + 2] = stat.device
    identities[long + 3] = stat.inode
    sizes[double] = stat.size
    sizes[double + 1] = stat.allocated
    traits[word] = kinds.indexOf(stat.kind)
    traits[word + 1] = stat.links
    traits[word + 2] = stat.mode
    traits[word + 3] = stat.owner
    traits[word + 4] = stat.group
  }

  at(row: number): Result<Stat> | null {
    const other = this.others.size === 0 ? undefined : this.others.get(row)
    return other === undefined ? { ok: true, value: this.statAt(row) } : other
  }

  private statAt(row: number): Stat {
    return new StatInColumns(this, row)
  }
}

/** Of tens of thousands of files two or three numbers are asked for, and a whole stat has a dozen, four of them large. */
class StatInColumns implements Stat {
  constructor(
    private readonly columns: Columns,
    private readonly row: number,
  ) {}

  get kind(): EntryKind {
    return kinds[this.word(0)] ?? 'other'
  }

  get size(): number {
    return this.columns.sizes[doubles * this.row] ?? 0
  }

  get allocated(): number {
    return this.columns.sizes[doubles * this.row + 1] ?? 0
  }

  get modified(): number {
    return Number(this.modifiedNs) / 1e9
  }

  get modifiedNs(): bigint {
    return this.columns.times[longs * this.row] ?? 0n
  }

  get changedNs(): bigint {
    return this.columns.times[longs * this.row + 1] ?? 0n
  }

  get device(): bigint {
    return this.columns.identities[longs * this.row + 2] ?? 0n
  }

  get inode(): bigint {
    return this.columns.identities[longs * this.row + 3] ?? 0n
  }

  get links(): number {
    return this.word(1)
  }

  get mode(): number {
    return this.word(2)
  }

  get owner(): number {
    return this.word(3)
  }

  get group(): number {
    return this.word(4)
  }

  private word(at: number): number {
    return this.columns.traits[words * this.row + at] ?? 0
  }
}

function fits({ modifiedNs, changedNs }: Stat): boolean {
  return isLong(modifiedNs) && isLong(changedNs)
}

function isLong(time: bigint): boolean {
  return time <= latest && time >= -latest
}

/** Those of one folder. */
export class PackedLooks implements Looks {
  /** All are regular files, and none failed. */
  readonly areFiles: boolean

  constructor(
    private readonly columns: Columns,
    private readonly first: number,
    readonly length: number,
  ) {
    const { others, traits } = columns
    let areFiles = true
    for (let row = first; row < first + length && areFiles; row += 1) {
      areFiles = traits[words * row] === asFile && !(others.size > 0 && others.has(row))
    }
    this.areFiles = areFiles
  }

  at(index: number): Result<Stat> | null {
    return this.columns.at(this.first + index)
  }

  /** Bytes; of a file. */
  sizeAt(index: number): number {
    return this.columns.sizes[doubles * (this.first + index)] ?? 0
  }

  /** Bytes on the medium; of a file. */
  allocatedAt(index: number): number {
    return this.columns.sizes[doubles * (this.first + index) + 1] ?? 0
  }

  /** How many names it has; of a file. */
  linksAt(index: number): number {
    return this.columns.traits[words * (this.first + index) + 1] ?? 0
  }

  /** Unix seconds; of a file. */
  modifiedAt(index: number): number {
    return Number(this.columns.times[longs * (this.first + index)] ?? 0n) / 1e9
  }
}

/** The same looks, as they are to be remembered. */
export function packed(looks: readonly Result<FolderLook>[]): Result<FolderLook>[] {
  const columns = new Columns(looks.reduce((sum, one) => sum + (one.ok ? one.value.looks.length : 0), 0))
  let next = 0
  return looks.map((one) => {
    if (!one.ok) return one
    const { entries, looks: each } = one.value
    const first = next
    for (let index = 0; index < each.length; index += 1) columns.set(next++, each.at(index) ?? null)
    return { ok: true, value: { entries, looks: new PackedLooks(columns, first, each.length) } }
  })
}
