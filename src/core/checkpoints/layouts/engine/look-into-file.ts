/** Opening one file: what it is by its first bytes, and what its format tells without its data. */
import type { Meta, MetaValue } from '../../../checkpoint.js'
import { FormatError } from '../../../errors.js'
import type { ByteSource } from '../../../formats/bytes/byte-source.js'
import { inBlocks } from '../../../formats/bytes/byte-source.js'
import { crc32 } from '../../../formats/bytes/crc32.js'
import { parseJson } from '../../../formats/text/json.js'
import { auditPickle, isPickle } from '../../../formats/pickle/index.js'
import { isText } from '../../../formats/text/text.js'
import { describeCut } from '../../../formats/torch/cut.js'
import { isLegacyStream, isPlainBareStorage } from '../../../formats/torch-storages/legacy.js'
import type { UnpackingBudget } from '../../../formats/compression/unpacking-budget.js'
import { openTorchObject, type TorchObject } from '../../../formats/torch/object.js'
import { hasChecksums, readSmallEntry, readZip, type ZipArchive, ZipEndMissing } from '../../../formats/archives/zip.js'
import type { Head, KeyPath, OpenedFile, Question } from '../spec.js'
import { entriesOf, holdsAt, isStateDict, keyText, nodeAt, scalarsOf, valueOf } from './pickle-paths.js'
import { pathOf } from './unit-paths.js'

/** Bytes by which a file is known; a tar says what it is at 257, an HDF5 file of Keras names its version near there. */
const headLength = 4096
/** Bytes. Larger JSON files are not read for facts. */
const largestJson = 64 << 20
/** Bytes. Files up to this size are read whole to be compared with others. */
const largestSummed = 4 << 20

/** Throws StorageError. What is wrong with the file is in `broken`. */
export async function lookInto(path: string, file: ByteSource, unpacking?: UnpackingBudget): Promise<OpenedFile> {
  const source = inBlocks(file)
  const head = await source.read(0, Math.min(headLength, source.byteLength))
  const is = headsOf(head, source.byteLength)
  const size = source.byteLength
  if (size === 0) return nothingIn(path, size, head, is, '0 bytes')
  if (!is.has('zip') && !is.has('torch')) return new Looked(path, source, head, is, null)
  try {
    const object = await openTorchObject(source, unpacking)
    if (object === null) return new Looked(path, source, head, is, null)
    is.add('torch')
    const [call] = auditPickle(object.calls, isPlainBareStorage).unsafe
    const unsafe = call === undefined ? null : `unsafe: its pickle ${call}, which loading it with Python would run`
    return new Looked(path, source, head, is, null, object, unsafe)
  } catch (error) {
    if (error instanceof ZipEndMissing) return nothingIn(path, size, head, is, await describeCut(source))
    if (error instanceof FormatError) return nothingIn(path, size, head, is, error.message)
    throw error
  }
}

function nothingIn(path: string, size: number, head: Uint8Array, is: ReadonlySet<Head>, broken: string): OpenedFile {
  const nothing: ByteSource = { byteLength: 0, read: async () => Promise.resolve(new Uint8Array()) }
  return new Looked(path, nothing, head, is, broken, null, null, size)
}

class Looked implements OpenedFile {
  constructor(
    readonly path: string,
    readonly source: ByteSource,
    private readonly begins: Uint8Array,
    readonly is: ReadonlySet<Head>,
    readonly broken: string | null,
    readonly torch: TorchObject | null = null,
    readonly unsafe: string | null = null,
    readonly size = source.byteLength,
  ) {}

  async head(): Promise<Uint8Array> {
    return Promise.resolve(this.begins)
  }

  async answer<T extends MetaValue>(question: Question<T>): Promise<T> {
    return question.ask(this)
  }

  hasTorchKey(path: KeyPath): boolean {
    return this.torch !== null && nodeAt(this.torch.root, pathOf(path)) !== undefined
  }

  hasStateDict(path: KeyPath): boolean {
    return this.torch !== null && isStateDict(nodeAt(this.torch.root, pathOf(path)))
  }

  hasStateDictIn(): boolean {
    return this.torch !== null && entriesOf(this.torch.root).some(([, value]) => isStateDict(value))
  }

  holdsTorchKey(path: KeyPath): boolean {
    return this.torch !== null && holdsAt(this.torch.root, pathOf(path))
  }

  async torchValue(path: KeyPath): Promise<MetaValue | undefined> {
    return this.torch === null ? undefined : valueOf(this.torch, nodeAt(this.torch.root, pathOf(path)))
  }

  async torchScalars(path: KeyPath): Promise<Meta> {
    return this.torch === null ? new Map() : scalarsOf(this.torch, nodeAt(this.torch.root, pathOf(path)))
  }

  torchKeys(path: KeyPath): readonly string[] {
    if (this.torch === null) return []
    return entriesOf(nodeAt(this.torch.root, pathOf(path))).flatMap(([key]) => keyText(key) ?? [])
  }

  async zip(): Promise<ReadonlyMap<string, number> | null> {
    return this.is.has('zip') && this.broken === null ? sumsOf(await this.archive()) : null
  }

  private async archive(): Promise<ZipArchive> {
    return this.torch?.archive ?? readZip(this.source)
  }

  async sum(): Promise<number | null> {
    if (this.size > largestSummed || this.broken !== null) return null
    return crc32(await this.source.read(0, this.size), 0)
  }

  async zipJson(name: string): Promise<MetaValue> {
    if (!this.is.has('zip') || this.broken !== null) return null
    const archive = await this.archive()
    const entry = archive.find(name)
    return entry === undefined ? null : parseJson(await readSmallEntry(this.source, archive, entry, largestJson))
  }

  async bytes(most: number): Promise<Uint8Array> {
    if (this.size > most) throw new FormatError(`${this.size} bytes, more than ${most}`)
    return this.source.read(0, this.size)
  }

  async json(): Promise<MetaValue> {
    if (this.size > largestJson) throw new FormatError(`JSON: ${this.size} bytes, more than ${largestJson}`)
    return parseJson(await this.source.read(0, this.size))
  }
}

function sumsOf(archive: ZipArchive): ReadonlyMap<string, number> {
  const sums = new Map<string, number>()
  if (archive.count > mostEntries) return sums
  const known = hasChecksums(archive)
  for (let index = 0; index < archive.count; index += 1) {
    const { name, crc32, size } = archive.entry(index)
    sums.set(name, known ? crc32 : -size - 1)
  }
  return sums
}

/** Entries whose names are gathered: models of a million tensors are not compared by their zips. */
const mostEntries = 100_000

const magics = (
  [
    ['zip', 0, '504b0304'],
    ['hdf5', 0, '894844460d0a1a0a'],
    ['gzip', 0, '1f8b'],
    ['tar', 257, '7573746172'],
  ] as const
).map(([name, at, hex]) => ({ name, at, magic: Buffer.from(hex, 'hex') }))

function standsAt(head: Uint8Array, at: number, magic: Uint8Array): boolean {
  return head.length >= at + magic.length && magic.every((byte, index) => head[at + index] === byte)
}

function headsOf(head: Uint8Array, size: number): Set<Head> {
  const is = new Set<Head>()
  for (const { name, at, magic } of magics) if (standsAt(head, at, magic)) is.add(name)
  if (isLegacyStream(head)) return is.add('torch')
  if (isSafetensors(head, size)) return is.add('safetensors')
  // A map of msgpack: small, with 16 or with 32 bits of length.
  if (isPickle(head)) is.add('pickle')
  else if (((head[0] ?? 0) & 0xf0) === 0x80 || head[0] === 0xde || head[0] === 0xdf) is.add('msgpack')
  if (head.length > 0 && isText(head)) {
    is.add('text')
    if (/^\s*[{[]/.test(new TextDecoder().decode(head))) is.add('json')
  }
  return is
}

/** A header's length, then its object (safetensors: src/tensor.rs). */
function isSafetensors(head: Uint8Array, size: number): boolean {
  if (head.length < 10 || size < 10) return false
  const length = new DataView(head.buffer, head.byteOffset, 8).getBigUint64(0, true)
  return length >= 2n && length <= 100_000_000n && head[8] === 0x7b
}
