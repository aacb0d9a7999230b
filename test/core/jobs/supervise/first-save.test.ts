import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { dawn, scene } from './scene.js'

it('that a kill cuts off amid a look is no checkpoint, and the next start is a first one', async () => {
  const { play, entries, run } = scene()
  // SpeechBrain's, killed before the counter of epochs: nothing in it says that it is not all.
  const saveHalf = () => {
    const path = join(run, 'CKPT+ep1')
    mkdirSync(path, { recursive: true })
    const files = { 'CKPT.yaml': `unixtime: ${dawn + 4}\nepoch: 1\n`, 'model.ckpt': 'weights', 'optimizer.ckpt': 'm' }
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(path, name), text)
      utimesSync(join(path, name), dawn + 4, dawn + 4)
    }
  }
  await play([
    (job) => {
      job.at(4, saveHalf)
      // The look begins at 5 and looks again at 6.
      job.at(5.5, () => job.kill('SIGKILL'))
    },
    (job) => job.at(60, () => job.exit(0)),
  ])
  const starts = entries().flatMap((entry) => (entry.what === 'start' ? [entry.checkpoint] : []))
  expect(starts).toEqual([null, null])
})
