/**
 * Checkpointing in a nutshell: what to save, recover if there is something, save after each epoch.
 *
 *     npm run build && node scripts/example.mjs nutshell DIRECTORY
 *
 * It "crashes" after every epoch. Run it again and again: it goes on where it was, and ends with the best model.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { Checkpointer, EpochCounter, registerHooks } from 'ckpt'

/** One parameter; the data say that it should be 3. */
class Model {
  weight = 0
}

class Optimizer {
  steps = 0
  rate = 0.6

  step(model: Model, gradient: number): void {
    model.weight -= this.rate * gradient
    // Too bold in the end, so that the last epoch is not the best.
    this.rate = this.steps === 2 ? 2.5 : 0.3
    this.steps += 1
  }
}

registerHooks(Model, {
  save: (model, path) => writeFileSync(path, JSON.stringify({ weight: model.weight })),
  load: (model, path) => void Object.assign(model, JSON.parse(readFileSync(path, 'utf8'))),
})
registerHooks(Optimizer, {
  save: (optimizer, path) => writeFileSync(path, JSON.stringify(optimizer)),
  load: (optimizer, path) => void Object.assign(optimizer, JSON.parse(readFileSync(path, 'utf8'))),
})

const model = new Model()
const optimizer = new Optimizer()
const epochs = new EpochCounter(4)
const checkpointer = new Checkpointer(process.argv[2] ?? 'exp/nutshell', {
  recoverables: { model, optimizer, counter: epochs },
})

await checkpointer.recoverIfPossible()
for (const epoch of epochs) {
  optimizer.step(model, model.weight - 3)
  const loss = (model.weight - 3) ** 2
  await checkpointer.saveAndKeepOnly({ meta: { epoch, loss }, numToKeep: 1, minKeys: ['loss'] })
  console.log(`epoch ${epoch}: loss ${loss.toFixed(4)}`)
  if (epoch < epochs.limit) throw new Error(`crashed after epoch ${epoch}: run it again`)
}
const best = await checkpointer.recoverIfPossible({ minKey: 'loss' })
console.log(`best: epoch ${Number(best?.meta.get('epoch'))}, weight ${model.weight.toFixed(4)}`)
