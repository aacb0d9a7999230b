/** Bytes that no program can have written under the name that they have: ciphers, disk blocks of others, noise. */
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../../formats/bytes/byte-source.js'
import { isTar } from '../../formats/archives/tar.js'
import { isUnpackable } from '../../formats/compression/unpack-first.js'
import { isGguf } from '../../formats/gguf/gguf.js'
import { hdf5Start } from '../../formats/hdf5/end.js'
import { checkMsgpack } from '../../formats/msgpack/msgpack.js'
import { isNpy } from '../../formats/numpy/npy.js'
import { isPickle, isReadAsPickle } from '../../formats/pickle/index.js'
import { suffixOf } from '../../formats/text/suffix.js'
import { namePacking } from '../../tensors/read/index.js'

/** Names of what is always a pickle, an archive, or one of the formats below. */
const suffixes = new Set('pt pth ckpt pkl pickle joblib pdparams pdopt pdckpt'.split(' '))
/** `.bin` stands for anything but under these names, which transformers, diffusers and PEFT give to what torch saves. */
const binName = /(?:^|\/)(?:pytorch_model|adapter_model|diffusion_pytorch_model|training_args)[^/]*\.bin$/

/**
 * Throws FormatError for such a file. `head` are the first bytes of one that begins as no archive, no safetensors, no
 * stream of torch's and no text.
 */
export async function refuseUnknownBytes(name: string, head: Uint8Array, source: ByteSource): Promise<void> {
  const suffix = suffixOf(name).toLowerCase()
  if (suffix === 'msgpack') return refuseNoMsgpack(head, source)
  if (!suffixes.has(suffix) && !binName.test(name)) return
  if (isPickle(head) || isReadAsPickle(head, source.byteLength)) return
  if (isUnpackable(head) || namePacking(head) !== undefined || isTar(head)) return
  if (isGguf(head) || isNpy(head) || isMindSpore(head) || (await hdf5Start(source)) !== null) return
  if (await isTable(source)) return
  throw new FormatError('does not begin as any kind of file that is saved under such a name', { offset: 0 })
}

/** A map is looked at as one; what else holds several values is an array. */
async function refuseNoMsgpack(head: Uint8Array, source: ByteSource): Promise<void> {
  const [first = 0] = head
  if ((first >= 0x90 && first <= 0x9f) || first === 0xdc || first === 0xdd) return checkMsgpack(source)
  if ((first >= 0x80 && first <= 0x8f) || first === 0xde || first === 0xdf) return checkMsgpack(source)
  throw new FormatError('does not begin as a map or an array of msgpack', { offset: 0 })
}

/** `Checkpoint { repeated Value { string tag } }` (mindspore/ccsrc/utils/checkpoint.proto): field 1 in field 1. */
function isMindSpore(head: Uint8Array): boolean {
  const lengthEnd = head.findIndex((byte, index) => index > 0 && byte < 0x80)
  return head[0] === 0x0a && lengthEnd > 0 && lengthEnd <= 5 && head[lengthEnd + 1] === 0x0a
}

/** TensorFlow's first format of checkpoints: a table, whose last eight bytes are its mark (leveldb, table_format.md). */
async function isTable(source: ByteSource): Promise<boolean> {
  if (source.byteLength < 48) return false
  const mark = await source.read(source.byteLength - 8, 8)
  return Buffer.from(mark).toString('hex') === '57fb808b247547db'
}
