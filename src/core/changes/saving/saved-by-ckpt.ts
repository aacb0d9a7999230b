/** Tells checkpoints that ckpt saved from those of SpeechBrain: by a YAML comment, which every reader skips. */
import { join } from 'node:path'
import { StorageError } from '../../errors.js'
import type { ReadStorage } from '../../storage/storage.js'
import { metaFile } from './checkpoint-names.js'

/** The second line of the meta; the first is SpeechBrain's own. */
export const savedMark = '# saved whole by ckpt'

/** Bytes that hold both lines. */
const headLength = 64

/** True for the folder of a checkpoint that `ckpt save` made: it appeared whole, under its name. */
export async function isSavedByCkpt(storage: ReadStorage, folder: string): Promise<boolean> {
  try {
    const file = await storage.open(join(folder, metaFile))
    try {
      const head = new Uint8Array(headLength)
      const length = await file.read(head, 0)
      return new TextDecoder().decode(head.subarray(0, length)).split('\n').slice(0, 2).includes(savedMark)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    return false
  }
}
