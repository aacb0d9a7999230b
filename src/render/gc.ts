/** Why a run may be cleared up: when it was touched last, whose it is, how good it was. */
import type { BestOfRun, Idleness, PlannedRun } from '../core/runs/index.js'
import { printable } from './printable.js'
import { bestDocument, describeBest } from './runs.js'
import type { Column } from './table.js'
import { formatAge } from './units.js'

export interface IdleRun extends Idleness {
  /** Null where the system knows none. */
  readonly ownerName: string | null
  readonly best: BestOfRun | null
}

/** `runs` by path; `now` is Unix seconds. */
export function idleColumns(runs: ReadonlyMap<string, IdleRun>, now: number): readonly Column<PlannedRun>[] {
  const of = ({ run }: PlannedRun) => runs.get(run.path)
  const ageOf = (time: number | null | undefined) => (time === null || time === undefined ? '-' : formatAge(now - time))
  return [
    { title: 'LAST WRITE', align: 'right', cell: (one) => ageOf(of(one)?.lastWrite) },
    {
      title: 'LAST JOB',
      leaves: 2,
      cell: (one) => {
        const job = of(one)?.lastJob ?? null
        return job === null ? '-' : `${ageOf(job.time)} ${printable(job.ending ?? 'no end seen')}`.trim()
      },
    },
    { title: 'OWNER', leaves: 3, cell: (one) => printable(ownerOf(of(one))) },
    { title: 'BEST', leaves: 1, cell: (one) => describeBest(of(one)?.best ?? null) },
  ]
}

function ownerOf(run: IdleRun | undefined): string {
  return run?.ownerName ?? (run?.owner === null || run === undefined ? '-' : String(run.owner))
}

/** As `--json` gives it (docs/json.md): by path. */
export function idleDocument(idle: ReadonlyMap<string, IdleRun>): Map<string, Record<string, unknown>> {
  return new Map([...idle].map(([path, run]) => [path, whyIdle(run)]))
}

function whyIdle(run: IdleRun): Record<string, unknown> {
  const { lastWrite, lastJob, owner, ownerName, best } = run
  return {
    lastWrite,
    lastJob: lastJob === null ? null : { time: lastJob.time, ending: lastJob.ending },
    owner: ownerName ?? (owner === null ? null : String(owner)),
    best: best === null ? null : bestDocument(best),
  }
}
