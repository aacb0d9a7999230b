/** Files that are changed at random: what reads them gives an error of its own or reads them, and does so at once. */
import * as library from 'yaml'
import { CkptError, StorageError } from '../src/core/errors.js'
import { unpackBlosc } from '../src/core/formats/compression/blosc.js'
import { unzstd } from '../src/core/formats/compression/zstd/zstd.js'
import { crc32c } from '../src/core/formats/bytes/crc32c.js'
import { lookup3 } from '../src/core/formats/hdf5/checksum.js'
import { chunksOfDataset } from '../src/core/formats/hdf5/chunks.js'
import { hdf5Start } from '../src/core/formats/hdf5/end.js'
import { readHdf5 } from '../src/core/formats/hdf5/hdf5.js'
import { parseJson } from '../src/core/formats/text/json.js'
import { bodyOf } from '../src/core/formats/tensorstore/ocdbt/block.js'
import { walk } from '../src/core/formats/tensorstore/ocdbt/b-tree.js'
import { parseZarr2, parseZarr3 } from '../src/core/formats/tensorstore/zarr.js'
import { readTables } from '../src/core/checkpoints/layouts/engine/log-tables.js'
import { auditPickle, readPickle } from '../src/core/formats/pickle/index.js'
import { parsePyYaml } from '../src/core/formats/pyyaml/index.js'
import { readSmallEntry, readZip } from '../src/core/formats/archives/zip.js'
import { parseConfig } from '../src/cli/settings/settings-file.js'
import { parseHooks } from '../src/core/jobs/hooks/index.js'
import { checkAnswer, isListing, isRepository } from '../src/core/pretrain/sources/hub-answers.js'
import type { ReadHandle, ReadStorage, Stat } from '../src/core/storage/storage.js'
import { openTensors } from '../src/core/tensors/read/open.js'
import { chunksOf } from '../src/core/tensors/read/tensor.js'
import { readRecordOf, recordSpecimens } from './fuzz-records.js'
import { gradeLone, loadFolders, loneSpecimens, readFolderWith } from './fuzz-folders.js'
import { loadRuns, readRunWith } from './fuzz-runs.js'
import { firstBlockOf, withFirstBlock } from './fuzz-tables.js'
import { makeZip, type Part } from './core/formats/archives/zip-bytes.js'

/** A small generator whose sequence hangs on the seed alone (mulberry32). */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const interesting = [0, 1, 0x7f, 0x80, 0xff, 0x2e, 0x28, 0x52, 0x62, 0x68, 0x6a, 0x71, 0x72, 0x7b, 0x7d, 0x22]

/** Some bytes changed, taken out, doubled or cut off. */
export function mutate(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  let mutant = Uint8Array.from(bytes)
  for (let change = 0, changes = 1 + random(6); change < changes && mutant.length > 0; change += 1) {
    const at = random(mutant.length)
    const length = 1 + random(16)
    switch (random(6)) {
      case 0:
        mutant[at] = random(256)
        break
      case 1:
        mutant[at] = interesting[random(interesting.length)] ?? 0
        break
      case 2:
        mutant[at] = (mutant[at] ?? 0) ^ (1 << random(8))
        break
      case 3:
        mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(at + length)])
        break
      case 4:
        mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(at, at + length), mutant.subarray(at)])
        break
      default:
        mutant = random(8) === 0 ? mutant.slice(0, at) : mutant.fill(0xff, at, Math.min(at + 4, mutant.length))
    }
  }
  return mutant
}

/** A file that lies in memory, under any path. */
function storageOf(bytes: Uint8Array): ReadStorage {
  const stat = { kind: 'file', size: bytes.length, modified: 0 } as Stat
  const handle: ReadHandle = {
    path: '/mutant',
    size: bytes.length,
    read: async (into, position) => {
      const part = bytes.subarray(position, position + into.length)
      into.set(part)
      return part.length
    },
    stat: async () => stat,
    close: async () => undefined,
  }
  const none = () => Promise.reject(new Error('only one file is there'))
  const custody = { user: null, stateHome: null, warn: () => undefined }
  const guard = () => null
  const rest = {
    custody,
    guard,
    // A file, and so no folder that could be listed.
    list: async (paths: readonly string[]) =>
      paths.map((path) => ({ ok: false as const, error: new StorageError(path, 'ENOTDIR', `${path}: no folder`) })),
    // What a mutant names beside it is the mutant too.
    stat: async (paths: readonly string[]) => paths.map(() => ({ ok: true as const, value: stat })),
    lstat: none,
    read: none,
    mayRead: none,
    resolve: none,
    sweep: none,
    space: none,
  }
  return { ...rest, open: async () => handle }
}

/** A fixture, and how it is read. */
export interface Specimen {
  readonly name: string
  readonly reader: Reader
  /** A changed copy. */
  readonly mutant: (random: (below: number) => number) => Uint8Array
}

/** Every fixture in a folder and below it, by what its name says that it is; `files` gives paths and their bytes. */
export async function specimensOf(files: Iterable<readonly [name: string, bytes: Uint8Array]>): Promise<Specimen[]> {
  const specimens: Specimen[] = []
  for (const [name, bytes] of files) {
    const reader = readerFor(name)
    if (reader === undefined || bytes.length > 300_000) continue
    const repair = await repairFor(name, reader, bytes)
    specimens.push({ name, reader, mutant: (random) => repair(mutate(bytes, random)) })
    const pickle = reader === 'tensors' ? await insideOf(bytes) : null
    if (pickle === null) continue
    // A changed byte anywhere in an archive breaks a checksum; to come further, its pickle is changed and packed anew.
    specimens.push({ name: `${name}: pickle`, reader: 'pickle', mutant: (random) => mutate(pickle.data, random) })
    specimens.push({ name: `${name}: packed anew`, reader: 'tensors', mutant: (random) => repacked(pickle, random) })
  }
  return specimens
}

/** What ckpt reads that no fixture is: settings, and what a hub answers. */
const written: readonly (readonly [name: string, reader: Reader, text: string])[] = [
  [
    'ckpt.yaml',
    'settings',
    'prune: {keep: 2, min: [WER, loss], keep-where: ["epoch % 5 == 0"]}\nfind: &a {by: "-loss / n", max: acc}\ntrust: [/projects, group]\n' +
      'hooks:\n  - match: "*.zst"\n    load: "zstd -d {source} -o {target}"\n    timeout: 30s\n  - {key: model, verify: "sh check.sh {source}", shell: false}\n',
  ],
  [
    'a repository',
    'answer',
    `{"_id": "1", "id": "org/m", "sha": "${'a'.repeat(40)}", "siblings": [{"rfilename": "m.pt"}]}`,
  ],
  [
    'a list of files',
    'answer',
    `[{"type": "file", "path": "m.pt", "size": 12, "oid": "${'b'.repeat(40)}", "lfs": {"oid": "${'c'.repeat(64)}", "size": 12, "pointerSize": 130}}, {"type": "directory", "path": "d", "size": 0, "oid": ""}]`,
  ],
]

const logs: readonly (readonly [name: string, reader: Reader, text: string])[] = [
  ['metrics.csv', 'csv', 'step,"a ""quoted"" name",loss\n1,x,0.5\r\n2,"a,b\nc",nan\n3,,1e-4\n'],
  ['log.jsonl', 'jsonl', '{"step": 1, "loss": 0.5}\n{"step": 2, "loss": NaN, "a": [1, {"b": null}]}\n{"step": 3}\n'],
]

export function writtenSpecimens(): Specimen[] {
  const texts = [...written, ...logs].map(([name, reader, text]): Specimen => ({
    name,
    reader,
    mutant: (random) => mutate(Buffer.from(text), random),
  }))
  const records = recordSpecimens.map(({ name, bytes }): Specimen => {
    const kind = name.replace('record: ', '')
    return { name, reader: 'record', mutant: (random) => Buffer.concat([label(kind), mutateText(bytes, random)]) }
  })
  return [...texts, ...records, { name: 'a short frame', reader: 'zstd', mutant: shortFrame }]
}

/** Any bytes behind a header, most of them as the only block of a frame of one segment, so that they are reached. */
export function shortFrame(random: (below: number) => number): Uint8Array {
  const bytes = Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, ...Array.from({ length: random(60) }, () => random(256))])
  const size = bytes.length - 9
  if (size < 0 || random(8) === 0) return bytes
  const [raw, repeated, packed] = [0, 1, 2]
  const kind = [raw, repeated, packed, packed, packed, packed][random(6)] ?? packed
  bytes.set([0x20, random(64), ((size << 3) & 0xff) | (kind << 1) | 1, size >> 5, 0], 4)
  return bytes
}

/** Metas, indexes and pointers in the runs of real frameworks below `folder`, each changed where it lies. */
export function runSpecimens(folder: string): Specimen[] {
  return loadRuns(folder).map(({ kind, name, bytes }) => ({
    name: `${kind}: ${name}`,
    reader: kind,
    mutant: (random) => Buffer.concat([label(name), mutateText(bytes, random)]),
  }))
}

/**
 * Files of the folders of torch.distributed.checkpoint, DeepSpeed's ZeRO, Orbax and TensorFlow below `fixtures`, each
 * changed where it lies, a pickle in an archive within it; and files that are graded by themselves.
 */
export async function folderSpecimens(fixtures: string): Promise<Specimen[]> {
  const specimens: Specimen[] = []
  for (const { name, bytes } of loadFolders(fixtures)) {
    const add = (what: string, mutant: Specimen['mutant']) =>
      specimens.push({
        name: `${name}: ${what}`,
        reader: 'folder',
        mutant: (random) => Buffer.concat([label(name), mutant(random)]),
      })
    add('bytes', (random) => mutate(bytes, random))
    if (readerFor(name) === 'ocdbt') add('checksum made right', (random) => withChecksum(mutate(bytes, random)))
    const block = name.endsWith('.index') ? firstBlockOf(bytes) : null
    if (block !== null) {
      const entries = bytes.subarray(block.offset, block.offset + block.size)
      add('checksum made right', (random) => withFirstBlock(bytes, block, mutate(entries, random)))
    }
    const pickle = name.endsWith('.pt') ? await insideOf(bytes) : null
    if (pickle !== null) add('packed anew', (random) => repacked(pickle, random))
  }
  const alone = loneSpecimens.map(({ name, bytes }): Specimen => ({
    name: `alone: ${name}`,
    reader: 'lone',
    mutant: (random) => Buffer.concat([label(name), mutate(bytes, random)]),
  }))
  return [...specimens, ...alone]
}

function repacked({ parts, part }: Inside, random: (below: number) => number): Uint8Array {
  return makeZip(parts.map((one) => (one === part ? { ...one, data: mutate(one.data, random) } : one)))
}

/** What kind of a record, or which file of which run, follows: one line. */
function label(kind: string): Uint8Array {
  return Buffer.from(`${kind}\n`)
}

function labelled(bytes: Uint8Array): { readonly label: string; readonly rest: Uint8Array } {
  const end = bytes.indexOf(0x0a)
  return { label: Buffer.from(bytes.subarray(0, end)).toString('utf8'), rest: bytes.subarray(end + 1) }
}

async function readLabelledRun(bytes: Uint8Array): Promise<void> {
  const { label, rest } = labelled(bytes)
  await readRunWith(label, rest)
}

const hostileTexts = [
  '"../../x"',
  '"/etc/passwd"',
  '"a/../../b"',
  '".."',
  '"ckpt.yaml"',
  '".git/config"',
  '"a\\u0000b"',
]
const hostileValues = [...hostileTexts, '1e999', '-1', 'null', 'true', '[]', '{}', '9007199254740993', '"\\u001b[2J"']

/** JSON whose values are changed for others, or that is changed as any bytes are. */
function mutateText(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  if (random(4) === 0) return mutate(bytes, random)
  let text = Buffer.from(bytes).toString('utf8')
  for (let change = 0, changes = 1 + random(3); change < changes; change += 1) {
    const values = [...text.matchAll(/("(?:[^"\\]|\\.)*"|-?\d[\d.]*|true|false|null)(?=\s*[,\]}])/g)]
    const value = values[random(Math.max(1, values.length))]
    if (value === undefined) break
    const other = hostileValues[random(hostileValues.length)] ?? 'null'
    text = text.slice(0, value.index) + other + text.slice(value.index + value[0].length)
  }
  return Buffer.from(text)
}

function readerFor(name: string): Reader | undefined {
  if (/\.zarray$|zarr\.json$/.test(name)) return 'zarr'
  if (/manifest\.ocdbt$|\/d\/[0-9a-f]{32}$/.test(name)) return 'ocdbt'
  if (/packings\/b[a-z-]+\/\d/.test(name)) return 'blosc'
  if (name.endsWith('.zst')) return 'zstd'
  if (/\.ya?ml$/.test(name)) return 'yaml'
  if (name.endsWith('.json')) return 'json'
  return /\.(?:pt|pth|tar|ckpt|bin|pkl|safetensors|npy|npz|gguf|h5|keras|msgpack)$/.test(name) ? 'tensors' : undefined
}

/** What reads a specimen: a fixture of a format lies in a folder of its name, the others are told by their endings. */
export function formatOf({ name, reader }: Specimen): string {
  if (reader === 'lone') return 'lone'
  if (reader !== 'tensors' && reader !== 'pickle' && reader !== 'folder') return reader
  const known = /(?:^|\/)(hdf5|tensorflow|numpy|gguf|flax|torchscript|orbax|dcp|deepspeed|pickle)(?:\/|_|-)/.exec(
    name,
  )?.[1]
  if (known !== undefined) return known
  const ending = /\.(safetensors|npz|npy|gguf|h5|keras|msgpack|pkl)\b/.exec(name)?.[1]
  return ending === undefined ? 'torch' : (formatsByEnding[ending] ?? ending)
}

const formatsByEnding: Readonly<Record<string, string>> = {
  npz: 'numpy',
  npy: 'numpy',
  h5: 'hdf5',
  keras: 'hdf5',
  msgpack: 'flax',
  pkl: 'pickle',
}

async function repairFor(name: string, reader: Reader, bytes: Uint8Array): Promise<(mutant: Uint8Array) => Uint8Array> {
  if (reader === 'ocdbt') return withChecksum
  if (!name.endsWith('.h5')) return (mutant) => mutant
  const checked = await checkedParts(bytes)
  return (mutant) => withHdf5Checksums(mutant, checked)
}

interface CheckedPart {
  readonly start: number
  readonly end: number
}

/** The structures of an HDF5 file that end with their checksum. */
async function checkedParts(bytes: Uint8Array): Promise<readonly CheckedPart[]> {
  const parts: CheckedPart[] = []
  const note = (start: number, part: Uint8Array): Uint8Array => {
    const end = part.length - 4
    const sum = end < 0 ? null : Buffer.from(part).readUInt32LE(end)
    if (sum !== null && lookup3(part.subarray(0, end)) === sum) parts.push({ start, end: start + end })
    return part
  }
  const read = async (at: number, length: number) => note(at, bytes.slice(at, at + length))
  const userBlock = (await hdf5Start({ byteLength: bytes.length, read })) ?? 0
  const behind = {
    byteLength: bytes.length - userBlock,
    read: (at: number, length: number) => read(userBlock + at, length),
  }
  const { source, entries } = await readHdf5(behind, userBlock)
  for (const { dataset } of entries) {
    if (dataset.layout.kind === 'chunked') await chunksOfDataset(source, dataset, dataset.layout)
  }
  return parts
}

/** Where a mutant is longer or shorter than its specimen, what lies behind that is not at its place anyway. */
function withHdf5Checksums(mutant: Uint8Array, parts: readonly CheckedPart[]): Uint8Array {
  const view = new DataView(mutant.buffer, mutant.byteOffset, mutant.byteLength)
  for (const { start, end } of parts) {
    if (end + 4 <= mutant.length) view.setUint32(end, lookup3(mutant.subarray(start, end)), true)
  }
  return mutant
}

/** A changed byte would break the checksum; to come further, length and checksum are made right. */
function withChecksum(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 18) return bytes
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  view.setBigUint64(4, BigInt(bytes.length), true)
  view.setUint32(bytes.length - 4, crc32c(bytes.subarray(0, -4)), true)
  return bytes
}

interface Inside {
  readonly parts: readonly Part[]
  readonly part: Part
  readonly data: Uint8Array
}

async function insideOf(bytes: Uint8Array): Promise<Inside | null> {
  const source = { byteLength: bytes.length, read: async (at: number, length: number) => bytes.slice(at, at + length) }
  try {
    const archive = await readZip(source)
    const parts: Part[] = []
    for (const entry of archive.entries) {
      parts.push({ name: entry.name, data: await readSmallEntry(source, archive, entry, 300_000) })
    }
    const part = parts.find(({ name }) => name.endsWith('/data.pkl'))
    return part === undefined ? null : { parts, part, data: part.data }
  } catch (error) {
    if (error instanceof CkptError) return null
    throw error
  }
}

/** Bytes that are read of one mutant's tensors: what is after them is read the same way. */
const mostRead = 16 << 20

async function readTensors(bytes: Uint8Array): Promise<void> {
  const file = await openTensors(storageOf(bytes), '/mutant')
  let read = 0
  for (const tensor of file.tensors) {
    for await (const chunk of chunksOf(await file.dataOf(tensor))) {
      read += chunk.length
      if (read > mostRead) return
    }
  }
}

async function readTable(bytes: Uint8Array, from: 'csv' | 'jsonl'): Promise<void> {
  const source = { from, beside: 'log', by: 'step' } as const
  await readTables(storageOf(bytes), ['/mutant'], [{ source, wanted: new Set([1, 2, 3]) }])
}

export const readers = {
  tensors: readTensors,
  pickle: async (bytes: Uint8Array) => {
    auditPickle(readPickle(bytes).calls)
  },
  zarr: async (bytes: Uint8Array) => {
    if (Buffer.from(bytes).includes('dimension_separator')) parseZarr2(bytes)
    else parseZarr3(bytes)
  },
  ocdbt: async (bytes: Uint8Array) => {
    const isManifest = bytes[2] === 0x3a
    if (!isManifest) bodyOf(bytes, 0x0cdb20de, 'a node')
    else for await (const found of walk(bytes, async () => bytes)) if (found.kind === 'value') return
  },
  blosc: async (bytes: Uint8Array) => {
    await unpackBlosc(bytes, 2560)
  },
  zstd: async (bytes: Uint8Array) => {
    unzstd(bytes, 1 << 20)
  },
  yaml: async (bytes: Uint8Array) => {
    await parsePyYaml(Buffer.from(bytes).toString('utf8'))
  },
  json: async (bytes: Uint8Array) => {
    parseJson(bytes)
  },
  settings: async (bytes: Uint8Array) => {
    const { yaml, hooks } = parseConfig(
      Buffer.from(bytes).toString('utf8'),
      '/exp/ckpt.yaml',
      ['prune', 'find'],
      library,
    )
    parseHooks(yaml, hooks)
  },
  answer: async (bytes: Uint8Array) => {
    const first = bytes[0]
    checkAnswer(bytes, 'https://hub.example/api', first === '['.charCodeAt(0) ? isListing : isRepository)
  },
  csv: (bytes: Uint8Array) => readTable(bytes, 'csv'),
  jsonl: (bytes: Uint8Array) => readTable(bytes, 'jsonl'),
  record: async (bytes: Uint8Array) => {
    const { label, rest } = labelled(bytes)
    await readRecordOf(label, rest)
  },
  folder: async (bytes: Uint8Array) => {
    const { label, rest } = labelled(bytes)
    await readFolderWith(label, rest)
  },
  lone: async (bytes: Uint8Array) => {
    const { label, rest } = labelled(bytes)
    await gradeLone(label, rest)
  },
  meta: readLabelledRun,
  index: readLabelledRun,
  pointer: readLabelledRun,
} satisfies Record<string, (bytes: Uint8Array) => Promise<void>>

export type Reader = keyof typeof readers

export interface Trial {
  /** True for a parse, false for an error of ours. */
  readonly read: boolean
  /** Of the processor: what other processes do is not this one's. */
  readonly milliseconds: number
}

/** Reads one mutant. Anything but a CkptError is a bug and goes on. */
export async function attempt(reader: Reader, bytes: Uint8Array): Promise<Trial> {
  const before = process.cpuUsage()
  const read = await readers[reader](bytes).then(
    () => true,
    (error: unknown) => {
      if (error instanceof CkptError) return false
      throw error
    },
  )
  const { user, system } = process.cpuUsage(before)
  return { read, milliseconds: (user + system) / 1000 }
}
