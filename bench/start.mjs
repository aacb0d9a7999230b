/** Starting: `ckpt find` on ten checkpoints against `node -e 0`. */
import { ckpt, compare } from './harness.mjs'
import { makeRun } from './runs.mjs'

export async function benchStart(folder) {
  const run = await makeRun(folder, 10, 'plain')
  const withoutCache = { XDG_CACHE_HOME: '/dev/null' }
  const cases = [
    { name: 'node -e 0', args: ['-e', '0'] },
    { name: 'ckpt find --min WER', args: ckpt('find', run, '--min', 'WER'), most: 4 },
    { name: 'ckpt list', args: ckpt('list', run) },
    { name: 'ckpt find, code not cached yet', args: ckpt('find', run, '--min', 'WER'), environment: withoutCache },
  ]
  return compare(folder, 'ten checkpoints', 25, cases, Infinity)
}
