/** A file of 0 bytes: sometimes all there is to save, mostly a save that was killed or met a full disk. */
import { bareJson } from './file-kind.js'

/** Formats that have no empty form. */
const neverEmptyFormat = /\.(safetensors|pt|pth|bin|json|npz|distcp|h5|keras|yaml)$/
/** What SpeechBrain's recipes save with torch.save under these keys: a full disk can have emptied it everywhere. */
const neverEmptyKey = /(^|[-_])(model|optimi[sz]er|scheduler|scaler)\.ckpt$/i

/**
 * True when 0 bytes are damage. `others` are the sizes in bytes of the same file in other checkpoints of the run,
 * as far as known; `isParameter` tells a parameter file from one that merely lies there.
 */
export function isEmptyDamage(name: string, isParameter: boolean, others: readonly number[]): boolean {
  if (neverEmptyFormat.test(name) || neverEmptyKey.test(name) || bareJson.test(name)) return true
  if (others.length === 0) return isParameter
  return others.some((size) => size > 0)
}
