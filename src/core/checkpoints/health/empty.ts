/** A file of 0 bytes: sometimes all there is to save, mostly a save that was killed or met a full disk. */
import { suffixOf } from '../../formats/text/suffix.js'
import { isBareJson } from './file-kind.js'

/** Formats that have no empty form. */
const neverEmptyFormats = new Set('safetensors pt pth bin json npz distcp h5 keras yaml'.split(' '))
/** What SpeechBrain's recipes save with torch.save under these keys: a full disk can have emptied it everywhere. */
const neverEmptyKeys = new Set(['model', 'optimizer', 'optimiser', 'scheduler', 'scaler'])

/**
 * True when 0 bytes are damage. `others` are the sizes in bytes of the same file in other checkpoints of the run,
 * as far as known; `isParameter` tells a parameter file from one that merely lies there.
 */
export function isEmptyDamage(name: string, isParameter: boolean, others: readonly number[]): boolean {
  if (neverEmptyFormats.has(suffixOf(name)) || hasNeverEmptyKey(name) || isBareJson(name)) return true
  if (others.length === 0) return isParameter
  return others.some((size) => size > 0)
}

/** The last word of a key counts: `encoder_model.ckpt`. */
function hasNeverEmptyKey(name: string): boolean {
  const small = name.toLowerCase()
  if (!small.endsWith(keyEnd)) return false
  const start = Math.max(small.lastIndexOf('-'), small.lastIndexOf('_')) + 1
  return neverEmptyKeys.has(small.slice(start, -keyEnd.length))
}

const keyEnd = '.ckpt'
