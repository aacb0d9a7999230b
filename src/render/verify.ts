/** What `verify` found, run by run. */
import { isDamaged, isUnreadable, type Checkpoint } from '../core/checkpoint.js'
import type { Verified } from '../core/runs/index.js'
import { describeFinding, toDocument } from './checkpoints.js'
import { painter } from './colours.js'
import { hang } from './hang.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import { plural } from './units.js'
import { displayWidth } from './width.js'

export function renderVerified(verified: readonly Verified[], { colours, width: columns }: Output): string[] {
  const paint = painter(colours)
  const grade = (text: string) => text.padEnd('unfinished'.length)
  return verified.flatMap(({ run, checkpoints, leftovers }, index) => {
    const width = Math.max(...checkpoints.map(({ name }) => displayWidth(printable(name))))
    const lines = checkpoints.flatMap(({ name, health }) => {
      const shown = printable(name)
      const pad = ' '.repeat(width - displayWidth(shown))
      if (health.findings.length === 0) return [`  ${paint('good', grade(health.grade))}  ${shown}`]
      const head = `  ${paint('bad', grade(health.grade))}  ${shown}${pad}  `
      const taken = `  ${grade('')}  `.length + width + 2
      return health.findings.flatMap((finding, at) =>
        hang({ text: at === 0 ? head : ' '.repeat(taken), width: taken }, describeFinding(finding), columns),
      )
    })
    return [
      ...(index === 0 ? [] : ['']),
      paint('title', `${printable(run.path)}: ${sumUp(checkpoints)}`),
      ...lines,
      ...leftovers.flatMap(({ name, reason }) =>
        hang(
          { text: `  ${paint('warning', grade('leftover'))}  `, width: grade('').length + 4 },
          `${printable(name)}: ${printable(reason)}`,
          columns,
        ),
      ),
    ]
  })
}

function sumUp(checkpoints: readonly Checkpoint[]): string {
  const whole = checkpoints.filter(({ health }) => health.grade === 'whole').length
  const count = plural(checkpoints.length, 'checkpoint')
  return whole === checkpoints.length ? `${count}, whole` : `${count}, ${whole} whole`
}

/** As `--json` gives it (docs/json.md). */
export function verifyDocument(verified: readonly Verified[]): Record<string, unknown> {
  const checkpoints = verified.flatMap((one) => one.checkpoints)
  return {
    runs: verified.map(({ run, checkpoints: graded, leftovers, recorded }) => ({
      run: run.path,
      checkpoints: graded.map(toDocument),
      leftovers,
      recorded,
    })),
    whole: checkpoints.filter(({ health }) => health.grade === 'whole').length,
    damaged: checkpoints.filter(isDamaged).length,
    unreadable: checkpoints.filter(isUnreadable).length,
  }
}
