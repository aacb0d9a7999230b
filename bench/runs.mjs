/** SpeechBrain runs as its Checkpointer writes them, of any length. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Names of the kinds of meta that are made. */
export const kinds = ['plain', 'numpy', 'without epoch']

/** `count` checkpoints of five files each in a new folder, `run`; lets signals through now and then. */
export async function makeRun(folder, count, kind, run = join(folder, kind.replaceAll(' ', '-'))) {
  mkdirSync(run)
  for (let index = 0; index < count; index++) {
    const time = 1_700_000_000 + 61.25 * index + 0.125
    const [day, clock] = new Date(1000 * time).toISOString().slice(0, 19).split('T')
    const checkpoint = join(run, `CKPT+${day}+${clock.replaceAll(':', '-')}+00`)
    mkdirSync(checkpoint)
    writeFileSync(join(checkpoint, 'CKPT.yaml'), metaText(index, time, kind))
    writeFileSync(join(checkpoint, 'model.ckpt'), 'x'.repeat(1000))
    writeFileSync(join(checkpoint, 'optimizer.ckpt'), 'x'.repeat(2000))
    writeFileSync(join(checkpoint, 'scheduler.ckpt'), 'x'.repeat(100))
    writeFileSync(join(checkpoint, 'counter.ckpt'), `${index}`)
    if (index % 200 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  return run
}

function metaText(index, time, kind) {
  const rate = 20 + 10 * Math.sin(index)
  const isNumpy = kind === 'numpy'
  return [
    '# yamllint disable',
    ...(isNumpy ? [`ACC: ${numpyScalar(1 - rate / 100, true)}`, `WER: ${numpyScalar(rate, false)}`] : [`WER: ${rate}`]),
    `end-of-epoch: ${index % 5 === 0}`,
    ...(kind === 'without epoch' ? [] : [`epoch: ${index + 1}`]),
    `unixtime: ${time}`,
    '',
  ].join('\n')
}

/** As yaml.dump writes a numpy.float64: the second one of a file refers to the first one's type. */
function numpyScalar(value, isFirst) {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  const type = `!!python/object/apply:numpy.dtype
  args:
  - f8
  - false
  - true
  state: !!python/tuple
  - 3
  - <
  - null
  - null
  - null
  - -1
  - -1
  - 0`
  return `!!python/object/apply:numpy.core.multiarray.scalar
- ${isFirst ? `&id001 ${type}` : '*id001'}
- !!binary |
  ${bytes.toString('base64')}`
}
