/** Starting: `ckpt find` on ten checkpoints against `node -e 0`. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ckpt, compare } from './harness.mjs'
import { makeRun } from './runs.mjs'

const executable = fileURLToPath(new URL(`../dist/binary/ckpt-linux-${process.arch}`, import.meta.url))

/** Where it has been built: npm run build:binary. */
function executableCases(run) {
  if (!existsSync(executable)) return []
  const of = (...args) => ({ command: [executable, args] })
  return [
    { name: 'the executable: find', ...of('find', run, '--min', 'WER'), most: 1.5 },
    { name: 'the executable: --help', ...of('--help'), most: 2 },
  ]
}

export async function benchStart(folder) {
  const run = await makeRun(folder, 10, 'plain')
  const withoutCache = { XDG_CACHE_HOME: '/dev/null' }
  const cases = [
    { name: 'node -e 0', args: ['-e', '0'] },
    { name: 'ckpt find --min WER', args: ckpt('find', run, '--min', 'WER'), most: 1.8 },
    { name: 'ckpt --help', args: ckpt('--help'), most: 2 },
    { name: 'ckpt --version', args: ckpt('--version'), most: 2 },
    ...executableCases(run),
    { name: 'ckpt list', args: ckpt('list', run) },
    { name: 'ckpt find, code not cached yet', args: ckpt('find', run, '--min', 'WER'), environment: withoutCache },
  ]
  return compare(folder, 'ten checkpoints', 25, cases, Infinity)
}
