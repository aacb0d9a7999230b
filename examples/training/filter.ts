/**
 * Not every checkpoint counts for everything. Most epochs are validated on a part of the data only; those losses are
 * not to be compared with the ones of a full validation, so a filter keeps them apart.
 *
 *     npm run build && node scripts/example.mjs filter DIRECTORY
 *
 * One epoch each time; each ends with a "crash", until the last.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { Checkpointer, EpochCounter, type Checkpoint } from 'ckpt'

/** Losses that validation gives after each epoch: those of a part are always too good. */
const losses = [9, 5.5, 1, 4.5, 0.5, 4.9]

const isFull = ({ meta }: Checkpoint) => meta.get('validation-type') === 'full'
const isPart = ({ meta }: Checkpoint) => meta.get('validation-type') === 'part'

const model = { trainedFor: 0 }
const epochs = new EpochCounter(losses.length)
const checkpointer = new Checkpointer(process.argv[2] ?? 'exp/filter', { recoverables: { counter: epochs } })
checkpointer.addRecoverable('model', model, {
  save: ({ trainedFor }, path) => writeFileSync(path, String(trainedFor)),
  load: (object, path) => {
    object.trainedFor = Number(readFileSync(path, 'utf8'))
  },
})

await checkpointer.recoverIfPossible()
for (const epoch of epochs) {
  model.trainedFor = epoch
  const full = epoch % 2 === 0
  const meta = { epoch, loss: losses[epoch - 1] ?? 0, 'validation-type': full ? 'full' : 'part' }
  await checkpointer.saveCheckpoint({ meta })
  // Of those of a part only the newest is of use; of the full ones the newest and the best.
  await checkpointer.deleteCheckpoints({ numToKeep: 1, predicate: isPart })
  await checkpointer.deleteCheckpoints({ numToKeep: 1, minKeys: ['loss'], predicate: isFull })
  if (epoch < epochs.limit) throw new Error(`crashed after epoch ${epoch}: run it again`)
}
const best = await checkpointer.recoverIfPossible({ minKey: 'loss', predicate: isFull })
console.log(`best of the full ones: epoch ${model.trainedFor}, loss ${Number(best?.meta.get('loss'))}`)
