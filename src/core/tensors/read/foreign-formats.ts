/** Files that hold no tensors: what they are, and what to do with them. */
import { Buffer } from 'node:buffer'
import { isLzma } from '../../formats/compression/lzma.js'
import { isZlib } from '../../formats/compression/zlib.js'
import { isText } from '../../formats/text/text.js'

/** A kind of file that people take for a file of tensors, known by its first bytes. */
export interface ForeignFormat {
  /** With its article. */
  readonly title: string
  readonly hint: string
  /** True where the file is sound, and only of a kind that is not read; false where something else was meant to be there. */
  readonly isSound: boolean
}

interface Signature extends Omit<ForeignFormat, 'isSound'> {
  readonly isSound?: true
  /** Hexadecimal. */
  readonly bytes: string
  readonly at?: number
}

const other = 'Name a safetensors file, or one that torch.save wrote.'

const signatures: readonly Signature[] = [
  { title: 'an empty zip archive', bytes: '504b0506', hint: other },
  {
    title: 'a tar archive (torch wrote such before 0.1.11)',
    bytes: '7573746172',
    at: 257,
    hint: 'unpack it first: tar xf PATH',
  },
]

/** What files are packed with as a whole, and what unpacks each. */
const packings: readonly { readonly name: string; readonly mark: string; readonly unpack: string }[] = [
  { name: 'gzip', mark: '\x1f\x8b', unpack: 'gunzip PATH' },
  { name: 'zstd', mark: '\x28\xb5\x2f\xfd', unpack: 'zstd -d PATH' },
  { name: 'xz', mark: '\xfd7zXZ\0', unpack: 'unxz PATH' },
  { name: 'bzip2', mark: 'BZh', unpack: 'bunzip2 PATH' },
  { name: 'lz4', mark: '\x04\x22\x4d\x18', unpack: 'lz4 -d PATH' },
]

/** A file that is packed as a whole. */
interface Packing {
  /** Such as `gzip`. */
  readonly name: string
  /** The command that unpacks it. */
  readonly unpack: string
}

/** What a file that begins with `head` is packed with; undefined for one that is not. */
export function namePacking(head: Uint8Array): Packing | undefined {
  const found = packings.find(({ mark }) => beginsWith(head, mark))
  return found ?? (isLzma(head) ? lzma : isZlib(head) ? zlib : undefined)
}

/** Asked of tens of thousands of files: nothing is made for it. A mark has a byte in each character. */
function beginsWith(head: Uint8Array, mark: string): boolean {
  for (let at = 0; at < mark.length; at += 1) if (head[at] !== mark.charCodeAt(at)) return false
  return true
}

const lzma: Packing = { name: 'lzma', unpack: 'unlzma PATH' }
const zlib: Packing = { name: 'zlib', unpack: 'pigz -d < PATH' }

function hexOf(head: Uint8Array, at: number, length: number): string {
  return Buffer.from(head.buffer, head.byteOffset, head.byteLength)
    .subarray(at, at + length)
    .toString('hex')
}

const joblibHint = 'joblib.dump(joblib.load(PATH), NEW) writes what joblib packed without packing it'

/** What a file that begins with `head` is, when it is one of these; by its name where its bytes have no form. */
export function nameForeignFormat(head: Uint8Array, path: string): ForeignFormat | undefined {
  const prefix = /([^/]+)\.data-\d{5}-of-\d{5}$/.exec(path)?.[1]
  if (prefix !== undefined) {
    const title = 'the data of a TensorFlow checkpoint, which its index alone makes sense of'
    return { title, hint: `name the index beside it: ${prefix}.index`, isSound: true }
  }
  const packing = namePacking(head)
  if (packing !== undefined) {
    const hint = `unpack it first: ${packing.unpack}; ${joblibHint}`
    return { title: `compressed with ${packing.name}`, hint, isSound: false }
  }
  const signature = signatures.find(({ bytes, at = 0 }) => hexOf(head, at, bytes.length / 2) === bytes)
  return signature === undefined ? nameStandIn(head) : { ...signature, isSound: signature.isSound === true }
}

/** What a browser or a copy may put under the name of weights, by marks long enough that no numbers have them. */
const binaries: readonly { readonly title: string; readonly mark: string }[] = [
  { title: 'a PDF document', mark: '%PDF-1.' },
  { title: 'a PDF document', mark: '%PDF-2.' },
  { title: 'a program or library for Linux (ELF)', mark: '\x7fELF\x02\x01\x01' },
  { title: 'a program or library for Linux (ELF)', mark: '\x7fELF\x01\x01\x01' },
  { title: 'a program or library for Windows', mark: 'MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff' },
  { title: 'a program or library for macOS (Mach-O)', mark: '\xcf\xfa\xed\xfe\x0c\0\0\x01\0\0\0\0' },
  { title: 'a program or library for macOS (Mach-O)', mark: '\xcf\xfa\xed\xfe\x07\0\0\x01\x03\0\0\0' },
  { title: 'a PNG image', mark: '\x89PNG\r\n\x1a\n' },
  { title: 'a JPEG image', mark: '\xff\xd8\xff\xe0\0\x10JFIF' },
  { title: 'an SQLite database', mark: 'SQLite format 3\0' },
]

function nameBinary(head: Uint8Array): StandIn | undefined {
  const found = binaries.find(({ mark }) => beginsWith(head, mark))
  return found === undefined ? undefined : { title: found.title, hint: again, isSound: false, isCertain: true }
}

const again = 'if it was downloaded, something else came in its place: fetch it again'

/** Something that never is a checkpoint, or that only here is none. */
export interface StandIn extends ForeignFormat {
  readonly isCertain?: true
}

/**
 * False where `nameStandIn` gives nothing that is certain, by the first byte behind white space: a tag begins with `<`, a
 * pointer with `v`, and others with their marks. What is beyond ASCII may be white space too.
 */
export function mayBeCertainStandIn(head: Uint8Array): boolean {
  const first = head.find((byte) => byte > space)
  return first !== undefined && (firstOfCertain.has(first) || first > lastOfAscii)
}

const [space, lastOfAscii] = [0x20, 0x7e]
const firstOfCertain = new Set(['<', 'v', ...binaries.map(({ mark }) => mark)].map((mark) => mark.charCodeAt(0)))

/** What downloads leave in place of a file. */
export function nameStandIn(head: Uint8Array): StandIn | undefined {
  if (head.length >= fewestZeros && head.every((byte) => byte === 0)) {
    const title = `a file whose first ${head.length} bytes are all zero, as they are where they were never written`
    return { title, hint: again, isSound: false }
  }
  if (head.length === 0) return undefined
  const binary = nameBinary(head)
  if (binary !== undefined) return binary
  if (!isText(head)) return undefined
  const text = Buffer.from(head).toString('utf8')
  if (text.startsWith('version https://git-lfs.github.com/spec/')) {
    const size = /^size (\d{1,20})$/m.exec(text)?.[1]
    const title = `a Git LFS pointer${size === undefined ? '' : ` to a file of ${size} bytes`}, not the file itself`
    return { title, hint: 'fetch the file itself: git lfs pull', isSound: false, isCertain: true }
  }
  const content = text.trim()
  const beginning = content.slice(0, longestMark).toLowerCase()
  if (htmlMarks.some((mark) => beginning.startsWith(mark)))
    return { title: 'an HTML page', hint: again, isSound: false, isCertain: true }
  if (beginning.startsWith('<?xml')) return { title: 'an XML document', hint: again, isSound: false, isCertain: true }
  if (beginning.startsWith('{') || beginning.startsWith('[')) return undefined
  const line = content.split('\n', 1)[0]?.slice(0, 60) ?? ''
  return { title: `text that begins ${JSON.stringify(line)}`, hint: again, isSound: false }
}

const htmlMarks = ['<!doctype html', '<html', '<head', '<body']
const longestMark = 16

/** Fewer zeros can begin a file of another kind. */
const fewestZeros = 16
