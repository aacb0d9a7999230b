/** The disk of a lab: many runs of several frameworks, and trees of files that are not checkpoints. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeRun } from './runs.mjs'

const fixtures = join(dirname(fileURLToPath(import.meta.url)), '..', 'test', 'fixtures')
const lightningFile = join(fixtures, 'parts', 'epoch=0-step=10.ckpt')
const plainFile = join(fixtures, 'runs', 'frameworks', 'torch_plain', 'run', 'checkpoints', 'model_epoch_8.pt')

const yieldToEvents = () => new Promise((resolve) => setImmediate(resolve))

/** Each makes a run of `count` checkpoints in a folder of its own. */
const makers = {
  speechbrain: async (path, count) => makeRun(dirname(path), count, 'plain', path),
  hf: makeTrainerRun,
  lightning: async (path, count) =>
    copies(path, lightningFile, count, (index) => `epoch=${index}-step=${10 * (index + 1)}.ckpt`),
  plain: async (path, count) => copies(path, plainFile, count, (index) => `model_epoch_${index + 1}.pt`),
}

/** `runs` runs of `each` checkpoints, of the four kinds in turn. */
export async function makeLab(folder, runs, each) {
  const lab = join(folder, 'lab')
  const kinds = Object.keys(makers)
  for (let index = 0; index < runs; index++) {
    const kind = kinds[index % kinds.length]
    const path = join(lab, `group${index % 10}`, `${kind}-${index}`, 'save')
    mkdirSync(dirname(path), { recursive: true })
    await makers[kind](path, each)
    await yieldToEvents()
  }
  return lab
}

function copies(path, file, count, nameOf) {
  mkdirSync(path)
  for (let index = 0; index < count; index++) copyFileSync(file, join(path, nameOf(index)))
}

/** As the Trainer of transformers writes them, without the weights' bytes. */
async function makeTrainerRun(path, count) {
  mkdirSync(path)
  for (let index = 0; index < count; index++) {
    const step = 100 * (index + 1)
    const checkpoint = join(path, `checkpoint-${step}`)
    mkdirSync(checkpoint)
    const rows = [
      { epoch: index + 1, loss: 2 / (index + 1), learning_rate: 5e-5, step },
      { epoch: index + 1, eval_loss: 2.5 / (index + 1), eval_accuracy: 1 - 1 / (index + 2), step },
    ]
    const state = { best_metric: null, best_model_checkpoint: null, epoch: index + 1, global_step: step }
    const files = {
      'trainer_state.json': JSON.stringify({ ...state, log_history: rows }, null, 2),
      'config.json': '{"model_type": "bert"}',
      'model.safetensors': Buffer.from('0200000000000000' + '7b7d', 'hex'),
      'optimizer.pt': 'x'.repeat(200),
      'scheduler.pt': 'x'.repeat(100),
      'rng_state.pth': 'x'.repeat(100),
      'training_args.bin': 'x'.repeat(100),
    }
    for (const [name, content] of Object.entries(files)) writeFileSync(join(checkpoint, name), content)
  }
}

/** What lies beside checkpoints on a disk: packages, data sets, repositories, pictures, models that were exported. */
const others = [
  ['app/node_modules/package', ['index.js', 'index.d.ts', 'package.json', 'README.md']],
  ['src/package', ['model.py', 'train.py', 'best.txt', 'last.log']],
  ['data/images/class', ['00001.jpg', '00002.jpg', '00003.png', '00004.webp']],
  ['data/arrays', ['100.npy', '200.npy', 'labels.npz', 'norm_stats.json']],
  ['repository/.git/objects', ['0a1b2c3d4e5f60718293', '1a1b2c3d4e5f60718293', '2a1b2c3d4e5f60718293', '3a1b']],
  ['photos', ['IMG_1000.JPG', 'IMG_1001.HEIC', 'IMG_1002.MOV', 'album.xmp']],
  ['exports', ['model.onnx', 'model.tflite', 'labels.txt', 'notes.md']],
  ['steps/100', ['a.txt', 'b.csv', 'c.tsv', 'd.log']],
]

/** `count` such files, 40 in a folder. */
export async function makeOthers(folder, count) {
  const root = join(folder, 'others')
  for (let made = 0, at = 0; made < count; at++) {
    const [place, names] = others[at % others.length]
    const path = join(root, place, String(at))
    mkdirSync(path, { recursive: true })
    for (let index = 0; index < 10; index++) for (const name of names) writeFileSync(join(path, `${index}${name}`), '')
    made += 10 * names.length
    if (at % 50 === 0) await yieldToEvents()
  }
  return root
}
