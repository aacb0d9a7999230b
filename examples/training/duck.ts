/**
 * What quacks like a duck is saved like one: hooks are found by an object's class, those of a nearer class first, and
 * one key can have hooks of its own.
 *
 *     npm run build && node scripts/example.mjs duck DIRECTORY
 *
 * One epoch each time; each ends with a "crash", until the last.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { Checkpointer, EpochCounter, registerHooks } from 'ckpt'

class Duck {
  quacks = 0

  quack(): void {
    this.quacks += 1
  }
}

/** Has no hooks of its own: those of Duck do. */
class Mallard extends Duck {}

/** Remembers more, so it is saved in a way of its own. */
class Parrot extends Duck {
  words: string[] = []

  override quack(): void {
    super.quack()
    this.words.push(`hello ${this.quacks}`)
  }
}

registerHooks(Duck, {
  save: (duck, path) => writeFileSync(path, String(duck.quacks)),
  // Left in the middle of an epoch, the last quack is done again.
  load: (duck, path, endOfEpoch) => {
    duck.quacks = Number(readFileSync(path, 'utf8')) - (endOfEpoch ? 0 : 1)
  },
})
registerHooks(Parrot, {
  save: (parrot, path) => writeFileSync(path, JSON.stringify(parrot)),
  load: (parrot, path) => void Object.assign(parrot, JSON.parse(readFileSync(path, 'utf8'))),
})

const ducks = { duck: new Duck(), mallard: new Mallard(), parrot: new Parrot() }
/** No class at all, and loaded where it is there: it came to the pond late. */
const pond = { visitors: 0 }
const epochs = new EpochCounter(3)

const checkpointer = new Checkpointer(process.argv[2] ?? 'exp/duck', { recoverables: { ...ducks, counter: epochs } })
checkpointer.addRecoverable('pond', pond, {
  save: ({ visitors }, path) => writeFileSync(path, `${visitors} visitors\n`),
  load: (object, path) => {
    object.visitors = Number.parseInt(readFileSync(path, 'utf8'), 10)
  },
  optional: true,
})

await checkpointer.recoverIfPossible()
for (const epoch of epochs) {
  for (const duck of Object.values(ducks)) duck.quack()
  pond.visitors += 10
  await checkpointer.saveAndKeepOnly({ meta: { epoch } })
  if (epoch < epochs.limit) throw new Error(`crashed after epoch ${epoch}: run it again`)
}
const { duck, mallard, parrot } = ducks
console.log(
  `duck ${duck.quacks}, mallard ${mallard.quacks}, parrot ${parrot.words.join(', ')}; ${pond.visitors} visitors`,
)
