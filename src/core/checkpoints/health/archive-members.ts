/**
 * Files that are others put together, as a `.nemo` is a tar archive, packed with gzip or not: what each member is known by
 * is asked of it as of a file of its own. What is packed is read once, forwards, and within bounds.
 */
import type { Finding } from '../../checkpoint.js'
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../../formats/bytes/byte-source.js'
import { Gunzip, isGzip, UnpackedEnough } from '../../formats/compression/gzip.js'
import { UnpackingBudget } from '../../formats/compression/unpacking-budget.js'
import { isTar, membersOf, whyUnfit, type TarMember } from '../../formats/archives/tar.js'
import type { ReadHandle } from '../../storage/storage.js'
import { WindowHandle } from '../../tensors/read/index.js'
import { keepParts, NotKept } from './kept-parts.js'
import { refuseStandIn } from './not-weights.js'

export interface MemberLook {
  /** Throws FormatError for a member that is broken. */
  readonly inspect: (handle: ReadHandle, member: TarMember) => Promise<void>
  /** Gets what could not be looked into, in words that follow the file's name. */
  readonly tell: (what: string) => void
}

/** Gives the first thing that is wrong, with the member's name. */
export async function inspectTar(handle: ReadHandle, source: ByteSource, file: string, look: MemberLook) {
  const open = async ({ offset, size }: TarMember) => new WindowHandle(handle, offset, size)
  return inspectMembers(membersOf(source), open, file, look)
}

async function inspectMembers(
  members: AsyncIterable<TarMember>,
  open: (member: TarMember) => Promise<ReadHandle>,
  file: string,
  { inspect, tell }: MemberLook,
): Promise<Finding[]> {
  for await (const member of members) {
    const unfit = whyUnfit(member)
    if (unfit === null && (member.kind !== 'file' || member.size === 0)) continue
    const name = JSON.stringify(member.name)
    try {
      if (unfit !== null) throw new FormatError(unfit)
      await inspect(await open(member), member)
    } catch (error) {
      if (error instanceof FormatError) return [{ grade: 'corrupt', file, reason: `its ${name}: ${error.message}` }]
      if (!(error instanceof NotKept)) throw error
      tell(`is packed, and its ${name} of ${member.size} bytes was not looked into as a whole`)
    }
  }
  return []
}

const packedName = /\.(?:nemo|gz|tgz)$/i
const nemoName = /\.nemo$/i

/** Whether it is packed with gzip, by its name too: programs that load it unpack it. */
export function isPacked(name: string, head: Uint8Array): boolean {
  return isGzip(head) && packedName.test(name)
}

/** Bytes of a packed file that is unpacked for a quick look. */
const smallPacked = 1 << 24
/**
 * Bytes that are unpacked of one at most, where its own size times the ratio is no more. A `.nemo` is looked into as well,
 * which takes ten times as long, and weights do not come to an eighth.
 */
const mostUnpacked = { nemo: { bytes: 32 << 20, ratio: 8 }, other: { bytes: 512 << 20, ratio: 64 } }

/** What is packed, to its end; the members of a `.nemo`. `source` is the file that `handle` is. */
export async function inspectPacked(
  handle: ReadHandle,
  source: ByteSource,
  name: string,
  level: 'quick' | 'deep',
  look: MemberLook,
): Promise<Finding[]> {
  const isNemo = nemoName.test(name)
  if (source.byteLength > smallPacked && level === 'quick') {
    if (isNemo) look.tell(`is packed, and was not looked into; to unpack it: ckpt verify --deep`)
    return []
  }
  const { bytes, ratio } = mostUnpacked[isNemo ? 'nemo' : 'other']
  const unpacked = new Gunzip(source, new UnpackingBudget(Math.max(bytes, ratio * source.byteLength)))
  try {
    const first = await unpacked.take(headLength)
    const findings = isNemo ? await inspectNemo(unpacked, first, handle, name, look) : refusePacked(name, first)
    if (findings.length === 0) await unpacked.skip()
    return findings
  } catch (error) {
    if (!(error instanceof UnpackedEnough)) throw error
    look.tell(`is packed, and no more than the first ${unpacked.position} bytes in it were looked into`)
    return []
  } finally {
    await unpacked.close()
  }
}

/** Bytes of the header of a tar's member, which tell what it is. */
const headLength = 512

async function inspectNemo(unpacked: Gunzip, first: Uint8Array, file: ReadHandle, name: string, look: MemberLook) {
  if (!isTar(first))
    throw new FormatError('gzip: what is packed is not a tar archive, as NeMo packs one', { offset: 0 })
  const open = async (member: TarMember) => {
    const kept = await keepParts(unpacked, member.size, file)
    if (kept.size === member.size) return kept
    throw new FormatError(`tar: ends early, ${kept.size} of ${member.size} bytes`, { offset: unpacked.position })
  }
  return inspectMembers(membersOf(new Forwards(unpacked, first)), open, name, look)
}

/** What is unpacked, for a reader that goes forwards. */
class Forwards implements ByteSource {
  #ended = false

  constructor(
    private readonly unpacked: Gunzip,
    private readonly first: Uint8Array,
  ) {}

  /** Known at its end. */
  get byteLength(): number {
    return this.#ended ? this.unpacked.position : Infinity
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset === 0) return this.first
    await this.unpacked.skip(offset - this.unpacked.position)
    const bytes = await this.unpacked.take(length)
    this.#ended = bytes.length < length
    return bytes
  }
}

/** A page or a message can lie packed as well. */
function refusePacked(name: string, first: Uint8Array): Finding[] {
  try {
    refuseStandIn(name.replace(/\.gz$/i, ''), first, { isAlone: true, size: Infinity })
    return []
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    throw new FormatError(`gzip: what is packed: ${error.message}`, { offset: 0, cause: error })
  }
}
