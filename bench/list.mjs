/** `ckpt list` and `ckpt find` on 10,000 checkpoints against a bare script that reads the same. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ckpt, compare } from './harness.mjs'
import { kinds, makeRun } from './runs.mjs'

const bare = join(dirname(fileURLToPath(import.meta.url)), 'bare.mjs')

export async function benchList(folder) {
  let held = true
  for (const kind of kinds) {
    const run = await makeRun(folder, 10_000, kind)
    const cases = [
      { name: 'bare script', args: [bare, run] },
      { name: 'ckpt list --limit 20', args: ckpt('list', run, '--limit', '20'), most: 4 },
      { name: 'ckpt find --min WER', args: ckpt('find', run, '--min', 'WER'), most: 4 },
      { name: 'ckpt list (all rows, with sizes)', args: ckpt('list', run) },
      { name: 'ckpt list --json (all rows)', args: ckpt('list', run, '--json') },
    ]
    const title = `10,000 checkpoints of five files, meta ${kind} (list and find under 300 MB)`
    held = (await compare(folder, title, 5, cases, 300)) && held
  }
  return held
}
