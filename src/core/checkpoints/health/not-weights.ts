/** Recognises what lies in place of weights: a Git LFS pointer, a web page, an error message. */
import { FormatError } from '../../errors.js'
import { isGguf } from '../../formats/gguf/gguf.js'
import { isHdf5 } from '../../formats/hdf5/end.js'
import { isNpy } from '../../formats/numpy/npy.js'
import { isPickle, isReadAsPickle } from '../../formats/pickle/index.js'
import { suffixOf } from '../../formats/text/suffix.js'
import { isUnpackable } from '../../formats/compression/unpack-first.js'
import { isText } from '../../formats/text/text.js'
import { isLegacyStream } from '../../formats/torch-storages/legacy.js'
import { mayBeCertainStandIn, namePacking, nameStandIn } from '../../tensors/read/index.js'

/** Names that files of weights have, and hardly any others. */
const weightsSuffixes = new Set(
  'safetensors gguf onnx h5 hdf5 keras pt pth ckpt bin npz npy nemo msgpack pdparams pdckpt'.split(' '),
)

/** Of what is packed and no pickle: logs, tables. */
const textSuffixes = new Set('csv tsv txt log json jsonl html tar'.split(' '))

/** Pickles, which may be packed as a whole (joblib, pandas) and, by protocol 0, are text. */
const pickleSuffixes = new Set('pkl pickle joblib pdopt'.split(' '))

/** What is known of a file besides its first bytes. */
interface StandInLook {
  /** In no run: its bytes alone tell. */
  readonly isAlone: boolean
  readonly size: number
}

/**
 * Throws FormatError for a page, a pointer and the like under the name of weights. Plain text is refused where
 * `isAlone`: in a run a small state can be text, and the other checkpoints tell what it should be.
 */
export function refuseStandIn(name: string, head: Uint8Array, { isAlone, size }: StandInLook): void {
  const suffix = suffixOf(name).toLowerCase()
  const mayBePickle = pickleSuffixes.has(suffix)
  if (!weightsSuffixes.has(suffix) && !mayBePickle && !(isAlone && isNamelessStandIn(name, head))) return
  if (!isAlone && !mayBeCertainStandIn(head)) return
  const standIn = nameStandIn(head)
  if (standIn?.isCertain === true) throw notThat(standIn.title)
  if (!isAlone || (mayBePickle && isReadAsPickle(head, size))) return
  if (standIn !== undefined) throw notThat(standIn.title)
  if (!mayBePickle) refusePacked(suffix, head)
  const other = suffix === 'safetensors' ? otherThanSafetensors(head) : null
  if (other !== null) throw notThat(`${other}, and not safetensors`)
  if (head.length === 0 || !isText(head)) return
  const text = Buffer.from(head).toString('utf8').trim()
  if (/^[{[]/.test(text)) {
    throw notThat(`a JSON document that begins ${JSON.stringify(text.slice(0, 60))}, and no weights`)
  }
}

/**
 * A file whose name tells nothing of what it was meant to be: a pointer, a page, zeros alone are reported, for notes are
 * text too.
 */
export function isNamelessStandIn(name: string, head: Uint8Array): boolean {
  if (suffixOf(name) !== '') return false
  const standIn = nameStandIn(head)
  return standIn !== undefined && (standIn.isCertain === true || !isText(head))
}

function refusePacked(suffix: string, head: Uint8Array): void {
  const packing = namePacking(head)
  if (packing === undefined || (packing.name === 'gzip' && suffix === 'nemo')) return
  throw notThat(`compressed with ${packing.name}: unpack it first (${packing.unpack})`)
}

/**
 * What a file is packed with that Python would unpack and read as a pickle, and that is not unpacked here; null for any
 * other file. joblib goes by the first bytes alone, pandas by the name.
 */
export function findPackedPickle(name: string, head: Uint8Array): string | null {
  const own = name.slice(name.lastIndexOf('/') + 1)
  const packing = chunkName.test(own) || isUnpackable(head) ? undefined : namePacking(head)
  if (packing === undefined) return null
  const suffix = suffixOf(own).toLowerCase()
  if (packing.name === 'zstd' && !suffix.startsWith('zst') && !pickleSuffixes.has(suffix)) return null
  return textSuffixes.has(suffixOf(own.slice(0, -suffix.length - 1)).toLowerCase()) ? null : packing.name
}

/** A part of an array (Zarr), which may be packed as a pickle is, is called by numbers. */
const chunkName = /^\d+(?:\.\d+)*$/

function notThat(title: string): FormatError {
  return new FormatError(`this is ${title}`, { offset: 0 })
}

/** What a safetensors' header begins with, behind its length, whose bytes can look like anything. */
const openBrace = 0x7b

/** What a file is by its first bytes; null where it may be safetensors. */
function otherThanSafetensors(head: Uint8Array): string | null {
  if (isZip(head)) return 'a zip archive, as torch.save writes them'
  if (isLegacyStream(head)) return 'what torch.save wrote before 1.6'
  if (isHdf5(head)) return 'an HDF5 file'
  if (isGguf(head)) return 'a GGUF file'
  if (isNpy(head)) return 'a NumPy array'
  return isPickle(head) && head[8] !== openBrace ? 'a Python pickle' : null
}

function isZip(head: Uint8Array): boolean {
  return head[0] === 0x50 && head[1] === 0x4b && head[2] === 3 && head[3] === 4
}
