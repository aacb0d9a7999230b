/** The members of a tar archive, as NeMo's `.nemo` is one (POSIX.1-2017, pax, ustar; GNU's long names). */
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../bytes/byte-source.js'

export interface TarMember {
  /** As it is unpacked: whole, also where it is too long for the header. */
  readonly name: string
  /** Bytes from the start of the archive, and how many. */
  readonly offset: number
  readonly size: number
  readonly kind: 'file' | 'folder' | 'hard link' | 'symbolic link' | 'device' | 'named pipe' | 'sparse file'
  /** Where a link leads; empty for all others. */
  readonly target: string
}

const block = 512
/** A model has some ten. */
const mostMembers = 100_000

/** `ustar`. */
const signature = [0x75, 0x73, 0x74, 0x61, 0x72]

/** The word of POSIX and GNU at byte 257. */
export function isTar(head: Uint8Array): boolean {
  return signature.every((byte, index) => head[257 + index] === byte)
}

/**
 * All members, one after the other. Nothing is read twice, nor before what was read already: what the source has after
 * the last byte that it gave may be taken from elsewhere meanwhile, up to the member's own end. Throws FormatError for a
 * header that is broken, a member that is cut, and an end that is not there.
 */
export async function* membersOf(source: ByteSource): AsyncGenerator<TarMember> {
  const further = new Further()
  for (let at = 0, count = 0; ; count += 1) {
    const header = Buffer.from(await source.read(at, block))
    if (header.length < block) throw endless(source, at)
    if (header.every((byte) => byte === 0)) return
    requireSum(header, at)
    if (count > mostMembers) throw new FormatError(`tar: more than ${mostMembers} members`, { offset: at })
    const type = header.toString('latin1', 156, 157)
    const isMember = !furtherTypes.has(type)
    const extended = isMember ? further.take() : new Map<string, string>()
    const name = extended.get('path') ?? nameIn(header)
    const size = sizeIn(header, extended.get('size'), at)
    const end = at + block + size
    if (end > source.byteLength) throw cut(source, name, size, end)
    if (isMember) {
      const kind = extended.has(sparse) ? 'sparse file' : kindOf(type, name)
      const target = kind.endsWith('link') ? (extended.get('linkpath') ?? textIn(header.subarray(157, 257))) : ''
      yield { name, offset: at + block, size, kind, target }
    } else {
      further.add(type, await readFurther(source, at + block, size))
    }
    at = Math.ceil(end / block) * block
  }
}

/** Headers that tell more of what follows: GNU's long names, and records of pax for one member or for all. */
const furtherTypes = new Set(['L', 'K', 'x', 'X', 'g'])
/** Bytes of one; names are shorter than 4,096. */
const longestFurther = 1 << 20
/** Stands for all keys of GNU's sparse files. */
const sparse = 'GNU.sparse'

async function readFurther(source: ByteSource, at: number, size: number): Promise<Buffer> {
  if (size <= longestFurther) return Buffer.from(await source.read(at, size))
  throw new FormatError(`tar: a header of ${size} bytes, and at most ${longestFurther} are read`, { offset: at })
}

/** What is said of the next member beside its header, by pax's keys. */
class Further {
  readonly #ofAll = new Map<string, string>()
  #ofNext = new Map<string, string>()

  add(type: string, bytes: Buffer): void {
    if (type === 'L') this.#ofNext.set('path', textIn(bytes))
    else if (type === 'K') this.#ofNext.set('linkpath', textIn(bytes))
    else for (const [key, value] of paxRecords(bytes)) (type === 'g' ? this.#ofAll : this.#ofNext).set(key, value)
  }

  take(): ReadonlyMap<string, string> {
    const extended = new Map([...this.#ofAll, ...this.#ofNext])
    this.#ofNext = new Map()
    return extended
  }
}

/** Each is `LENGTH KEY=VALUE` and a line's end; the length counts all of it. */
function* paxRecords(bytes: Buffer): Generator<[string, string]> {
  for (let at = 0; at < bytes.length && bytes[at] !== 0;) {
    const digits = /^(\d{1,7}) /.exec(bytes.toString('latin1', at, at + 8))?.[1] ?? ''
    const end = at + Number(digits)
    const equals = bytes.indexOf('=', at)
    if (digits === '' || end > bytes.length || equals < 0 || equals >= end) {
      throw new FormatError('tar: a record of pax that is broken')
    }
    const key = bytes.toString('utf8', at + digits.length + 1, equals)
    if (key.startsWith(sparse)) yield [sparse, key]
    else if (/^(?:path|linkpath|size)$/.test(key)) yield [key, bytes.toString('utf8', equals + 1, end - 1)]
    at = end
  }
}

/** In the form of POSIX what stands before a long name has a field of its own. */
function nameIn(header: Buffer): string {
  const name = textIn(header.subarray(0, 100))
  const isPosix = header.toString('latin1', 257, 263) === 'ustar\0'
  const before = isPosix ? textIn(header.subarray(345, 500)) : ''
  return before === '' ? name : `${before}/${name}`
}

function sizeIn(header: Buffer, text: string | undefined, at: number): number {
  if (text === undefined) return numberIn(header.subarray(124, 136), at)
  const size = /^\d+$/.test(text) ? Number(text) : NaN
  if (Number.isSafeInteger(size)) return size
  throw new FormatError(`tar: the size ${JSON.stringify(text.slice(0, 40))} is not a number of bytes`, { offset: at })
}

const kinds: Readonly<Record<string, TarMember['kind']>> = {
  '1': 'hard link',
  '2': 'symbolic link',
  '3': 'device',
  '4': 'device',
  '5': 'folder',
  '6': 'named pipe',
  S: 'sparse file',
}

/** What is of no type that is known is unpacked as a file (CPython Lib/tarfile.py, `makeunknown`). */
function kindOf(type: string, name: string): TarMember['kind'] {
  if (type === '\0' && name.endsWith('/')) return 'folder'
  return kinds[type] ?? 'file'
}

/**
 * Why a member is one that no model needs and unpacking it could do harm: it would lie outside of the folder, lead there,
 * or be no file at all; null for all others.
 */
export function whyUnfit({ name, kind, size, target }: TarMember): string | null {
  if (leadsOut(name)) return 'unpacking it would write outside of the folder'
  if (kind === 'device' || kind === 'named pipe' || kind === 'sparse file')
    return `is a ${kind}, and no model needs one`
  if (kind.endsWith('link') && leadsOut(target)) {
    return `is a ${kind} to ${JSON.stringify(target)}, outside of what is unpacked`
  }
  if (kind !== 'file' && size > 0) return `is a ${kind} with ${size} bytes, which readers take for different things`
  return null
}

function leadsOut(path: string): boolean {
  return path.startsWith('/') || path.split('/').includes('..')
}

function cut({ byteLength }: ByteSource, name: string, size: number, end: number): FormatError {
  return new FormatError(
    `tar: ends early: ${byteLength} bytes, and ${JSON.stringify(name)} of ${size} bytes ends at byte ${end}`,
    { offset: byteLength },
  )
}

function endless({ byteLength }: ByteSource, at: number): FormatError {
  return new FormatError(`tar: ends early: ${byteLength} bytes, without the zeros that end it at byte ${at}`, {
    offset: byteLength,
  })
}

/** The sum of the header's bytes, with spaces in place of the sum itself. */
function requireSum(header: Buffer, at: number): void {
  const said = numberIn(header.subarray(148, 156), at)
  const sum = header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 0x20 : byte), 0)
  if (sum === said) return
  throw new FormatError(`tar: the header at byte ${at} has the sum ${sum}, and says ${said}`, { offset: at })
}

/** Octal digits, or GNU's big-endian number behind a byte 0x80. */
function numberIn(field: Buffer, at: number): number {
  if (field[0] === 0x80) {
    const value = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0)
    if (Number.isSafeInteger(value)) return value
  } else {
    const text = textIn(field).trim()
    if (/^[0-7]*$/.test(text)) return text === '' ? 0 : Number.parseInt(text, 8)
  }
  throw new FormatError(`tar: the header at byte ${at} has no number where one is expected`, { offset: at })
}

function textIn(field: Buffer): string {
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end < 0 ? field.length : end)
}
