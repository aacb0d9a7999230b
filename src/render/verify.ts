/** The findings of `verify`, run by run. */
import { isDamaged, isUnreadable, type Checkpoint } from '../core/checkpoint.js'
import type { Verified } from '../core/runs/index.js'
import { describeFinding, toDocument } from './checkpoints.js'
import { painter } from './colours.js'
import { hang, hangBehindPath } from './hanging-indent.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import { nameOfRun } from './runs.js'
import { renderTable, type Column } from './table.js'
import { plural } from './units.js'
import { displayWidth } from './text-width.js'

/** `heads` sums up, by path, runs of which only some checkpoints are shown. */
export function renderVerified(
  verified: readonly Verified[],
  { colours, width: columns }: Output,
  heads: ReadonlyMap<string, string> = new Map(),
): string[] {
  const paint = painter(colours)
  const grade = (text: string) => text.padEnd('unfinished'.length)
  return verified.flatMap(({ run, checkpoints, leftovers }, index) => {
    const width = checkpoints.reduce((widest, { name }) => Math.max(widest, displayWidth(printable(name))), 0)
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
      ...hangBehindPath(run.path, heads.get(run.path) ?? sumUp(checkpoints), columns).map((line) =>
        paint('title', line),
      ),
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

/** A row for each run, then what was found in those where anything was. */
export async function renderManyVerified(
  verified: readonly Verified[],
  { root, output }: { readonly root: string; readonly output: Output },
): Promise<string[]> {
  const { isTerminal, width, colours } = output
  const paint = painter(colours)
  const whole = ({ checkpoints }: Verified) => checkpoints.filter(({ health }) => health.grade === 'whole').length
  const columns: Column<Verified>[] = [
    {
      title: 'RUN',
      shortens: true,
      cell: ({ run }) => printable(nameOfRun(run.path, { root, isTerminal })),
    },
    { title: 'CHECKPOINTS', align: 'right', cell: ({ checkpoints }) => String(checkpoints.length) },
    { title: 'WHOLE', align: 'right', cell: (one) => String(whole(one)) },
    {
      title: 'FOUND',
      cell: (one) => describeFound(one),
      paint: (one, text) => paint(hasFound(one) ? 'bad' : 'good', text),
    },
  ]
  const found = verified.filter(hasFound).map((one) => ({
    ...one,
    checkpoints: one.checkpoints.filter(({ health }) => health.findings.length > 0),
  }))
  const heads = new Map(verified.map(({ run, checkpoints }) => [run.path, sumUp(checkpoints)]))
  return [
    ...(await renderTable(columns, verified, { isTerminal, width, paint })),
    ...(found.length === 0 ? [] : ['', ...renderVerified(found, output, heads)]),
  ]
}

/** One line: what all of them come to. */
export function describeManyVerified(verified: readonly Verified[]): string {
  const count = verified.reduce((sum, { checkpoints }) => sum + checkpoints.length, 0)
  const found = verified.filter(hasFound)
  const all = {
    checkpoints: found.flatMap(({ checkpoints }) => checkpoints),
    leftovers: found.flatMap(({ leftovers }) => leftovers),
  }
  const what = found.length === 0 ? 'nothing found' : `${describeFound(all)} in ${plural(found.length, 'run')}`
  return `${plural(verified.length, 'run')}, ${plural(count, 'checkpoint')}: ${what}`
}

function hasFound({ checkpoints, leftovers }: Verified): boolean {
  return leftovers.length > 0 || checkpoints.some(({ health }) => health.findings.length > 0)
}

/** `2 corrupt, 1 leftover`; a dash where nothing was found. */
function describeFound({ checkpoints, leftovers }: Pick<Verified, 'checkpoints' | 'leftovers'>): string {
  const counts = new Map<string, number>()
  for (const { health } of checkpoints) {
    if (health.findings.length > 0) counts.set(health.grade, (counts.get(health.grade) ?? 0) + 1)
  }
  const grades = [...counts].map(([grade, count]) => `${count} ${grade}`)
  return [...grades, ...(leftovers.length > 0 ? [plural(leftovers.length, 'leftover')] : [])].join(', ') || '-'
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
