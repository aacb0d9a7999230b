/** A demotion's plan, its question and its outcome. */
import type { Run } from '../core/checkpoint.js'
import type { DemotePlan, DemotionDone } from '../core/runs/index.js'
import { painter } from './colours.js'
import { hang } from './hanging-indent.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import { describePointed } from './prune.js'
import { formatSize, plural } from './units.js'
import { displayWidth } from './text-width.js'

export function renderDemotePlan(run: Run, plan: DemotePlan, { output }: { now: number; output: Output }): string[] {
  const paint = painter(output.colours)
  const width = Math.max(0, ...run.checkpoints.map(({ name }) => displayWidth(printable(name))))
  const lines = (name: string, text: string) => {
    const shown = printable(name)
    const head = `  ${shown}${' '.repeat(width - displayWidth(shown))}  `
    return hang({ text: head, width: width + 4 }, printable(text), output.width)
  }
  const count = plan.keep.length
  return [
    paint('title', `${printable(run.path)}: ${plural(count, 'checkpoint')} ${count === 1 ? 'stays' : 'stay'} as now`),
    ...plan.keep.flatMap(({ checkpoint, reasons }) =>
      lines(checkpoint.name, reasons.map(({ text }) => text).join('; ')),
    ),
    plan.demote.length === 0
      ? paint('title', 'nothing to delete')
      : paint('title', `to delete from ${plural(plan.demote.length, 'checkpoint')}: ${formatSize(plan.freedBytes)}`),
    ...plan.demote
      .flatMap(({ checkpoint, drop }) => lines(checkpoint.name, drop.join(', ')))
      .map((line) => paint('bad', line)),
    ...plan.pointers.map((one) => printable(`  ${describePointed(one, 'will')}`)),
  ]
}

export function renderDemoteQuestion(plan: DemotePlan): string {
  const count = plural(plan.demote.length, 'checkpoint')
  return `Delete the optimizer state of ${count} (frees ${formatSize(plan.freedBytes)})? They can no longer be resumed from.`
}

export function renderDemoted(done: DemotionDone | null, { colours }: Output): string[] {
  if (done === null) return []
  const { demoted, freedBytes, pointed } = done
  return [
    painter(colours)('good', `demoted ${plural(demoted.length, 'checkpoint')}, ${formatSize(freedBytes)} freed`),
    ...pointed.map((one) => printable(describePointed(one, 'now'))),
  ]
}

/** As `--json` gives it (docs/json.md). */
export function demoteDocument(run: Run, plan: DemotePlan, done: DemotionDone | null): Record<string, unknown> {
  const failed = [
    ...(done?.failed ?? []).map(({ name, error }) => ({ name, error: error.message })),
    ...(done?.remaining ?? []).map(({ name }) => ({ name, error: 'interrupted' })),
  ]
  return {
    run: run.path,
    keep: plan.keep.map(({ checkpoint, reasons }) => ({
      name: checkpoint.name,
      reasons: reasons.map(({ text }) => text),
    })),
    demote: plan.demote.map(({ checkpoint, drop }) => ({ name: checkpoint.name, drop })),
    failed,
    pointers: (done === null ? plan.pointers : done.pointed).map(({ file, from, to }) => ({ file, from, to })),
    freedBytes: done?.freedBytes ?? plan.freedBytes,
    applied: done !== null,
  }
}
