/** The members of a tar archive, as NeMo's `.nemo` is one (POSIX.1-2017, pax, ustar; GNU's long names). */
import { FormatError } from '../errors.js'
import type { ByteSource } from './byte-source.js'

export interface TarMember {
  /** As its header has it; a name too long for that is cut. */
  readonly name: string
  /** Bytes from the start of the archive, and how many. */
  readonly offset: number
  readonly size: number
  readonly isFile: boolean
}

const block = 512
/** A model has some ten. */
const mostMembers = 100_000

/** The word of POSIX and GNU at byte 257. */
export function isTar(head: Uint8Array): boolean {
  return Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1', 257, 262) === 'ustar'
}

/** All members. Throws FormatError for a header that is broken, a member that is cut, and an end that is not there. */
export async function readTar(source: ByteSource): Promise<TarMember[]> {
  const members: TarMember[] = []
  for (let at = 0; ;) {
    const header = Buffer.from(await source.read(at, block))
    if (header.length < block) throw endless(source, at)
    if (header.every((byte) => byte === 0)) return members
    requireSum(header, at)
    const size = numberIn(header.subarray(124, 136), at)
    const name = textIn(header.subarray(0, 100))
    const type = header.toString('latin1', 156, 157)
    members.push({ name, offset: at + block, size, isFile: type === '0' || type === '\0' || type === '7' })
    if (members.length > mostMembers) throw new FormatError(`tar: more than ${mostMembers} members`, { offset: at })
    const end = at + block + size
    if (end > source.byteLength) {
      throw new FormatError(
        `tar: ends early: ${source.byteLength} bytes, and ${JSON.stringify(name)} of ${size} bytes ends at byte ${end}`,
        { offset: source.byteLength },
      )
    }
    at = Math.ceil(end / block) * block
  }
}

function endless({ byteLength }: ByteSource, at: number): FormatError {
  return new FormatError(`tar: ends early: ${byteLength} bytes, without the zeros that end it at byte ${at}`, {
    offset: byteLength,
  })
}

/** The sum of the header's bytes, with spaces in place of the sum itself. */
function requireSum(header: Buffer, at: number): void {
  const told = numberIn(header.subarray(148, 156), at)
  const sum = header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 0x20 : byte), 0)
  if (sum === told) return
  throw new FormatError(`tar: the header at byte ${at} has the sum ${sum}, and ${told} is told`, { offset: at })
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
