/** `ckpt report` on 3,000 checkpoints, and `ckpt plot` against `ckpt list`. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { ckpt, compare } from './harness.mjs'
import { makeRun } from './runs.mjs'

export async function benchReport(folder) {
  const run = await makeRun(folder, 3000, 'plain')
  const output = join(folder, 'report.html')
  const after = () => rmSync(output, { force: true })
  const cases = [
    { name: 'ckpt list (all rows)', args: ckpt('list', run) },
    { name: 'ckpt plot WER', args: ckpt('plot', run, 'WER'), most: 1.5 },
    { name: 'ckpt report', args: ckpt('report', run, '--output', output), after, mostMilliseconds: 2000 },
    {
      name: 'ckpt report --keep 2 --min WER',
      args: ckpt('report', run, '--keep', '2', '--min', 'WER', '--output', output),
      after,
      mostMilliseconds: 2000,
    },
  ]
  return compare(folder, '3,000 checkpoints of five files (report under 2 s and 300 MB)', 5, cases, 300)
}
