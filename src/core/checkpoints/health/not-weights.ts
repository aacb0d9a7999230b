/** Recognises what lies in place of weights: a Git LFS pointer, a web page, an error message. */
import { FormatError } from '../../errors.js'
import { suffixOf } from '../../formats/suffix.js'
import { isText } from '../../formats/text.js'
import { nameStandIn } from '../../tensors/read/index.js'
import { isGzip } from '../../formats/gzip.js'

/** Names that files of weights have, and hardly any others. */
const weightsSuffixes = new Set(
  'safetensors gguf onnx h5 hdf5 keras pt pth ckpt bin npz npy nemo msgpack pdparams'.split(' '),
)

/**
 * Throws FormatError for a page, a pointer and the like under the name of weights. Plain text is refused where
 * `isAlone`: in a run a small state can be text, and the other checkpoints tell what it should be.
 */
export function refuseStandIn(name: string, head: Uint8Array, isAlone: boolean): void {
  const suffix = suffixOf(name).toLowerCase()
  if (!weightsSuffixes.has(suffix)) return
  const standIn = nameStandIn(head)
  if (standIn?.isCertain === true || (standIn !== undefined && isAlone)) {
    throw new FormatError(`this is ${standIn.title}`, { offset: 0 })
  }
  if (!isAlone) return
  if (suffix === 'safetensors' && isZip(head)) {
    throw new FormatError('this is a zip archive, as torch.save writes them, and not safetensors', { offset: 0 })
  }
  if (isGzip(head) && suffix !== 'nemo')
    throw new FormatError('this is compressed with gzip: unpack it first (gunzip PATH)', { offset: 0 })
  if (head.length === 0 || !isText(head)) return
  const text = Buffer.from(head).toString('utf8').trim()
  if (!/^[{[]/.test(text)) return
  throw new FormatError(`this is a JSON document that begins ${JSON.stringify(text.slice(0, 60))}, and no weights`, {
    offset: 0,
  })
}

function isZip(head: Uint8Array): boolean {
  return head[0] === 0x50 && head[1] === 0x4b && head[2] === 3 && head[3] === 4
}
