/** A report as data: what `--json` and the page hold (docs/json.md). */
import { basename, relative } from 'node:path'
import { ownValue, type Checkpoint, type HealthLevel } from '../../core/checkpoint.js'
import { metricOrders } from '../../core/choosing/selection/index.js'
import { describePolicy, type Curve, type CurveAxis, type PruneRequest, type RunReport } from '../../core/runs/index.js'
import { toDocument } from '../checkpoints.js'
import { logDocument } from '../log.js'
import { marksOf } from '../checkpoint-rows.js'
import { layoutsOf } from '../run.js'
import { sourcesOf, valuesOf } from '../settings.js'

export interface ReportView {
  readonly version: string
  /** Unix seconds. */
  readonly made: number
  /** Absolute. */
  readonly root: string
  readonly axis: CurveAxis
  readonly verify: HealthLevel
  readonly runs: readonly ReportedRun[]
  readonly warnings: readonly string[]
}

export interface ReportedRun {
  readonly report: RunReport
  readonly policy: AskedPolicy | null
}

export interface AskedPolicy {
  readonly request: PruneRequest
  /** The file of settings that it stands in; null where it was typed. */
  readonly source: string | null
}

export function reportDocument({ root, runs, ...view }: ReportView): Record<string, unknown> {
  return {
    version: view.version,
    made: view.made,
    root,
    axis: view.axis,
    verify: view.verify,
    warnings: view.warnings,
    runs: runs.map((one) => runDocument(root, one)),
  }
}

function runDocument(root: string, { report, policy }: ReportedRun): Record<string, unknown> {
  const { run, size, use, keys, settings, journal, warnings } = report
  return {
    run: run.path,
    label: relative(root, run.path) || basename(run.path),
    layouts: layoutsOf(run),
    size,
    keys,
    best: bestDocuments(report),
    checkpoints: checkpointDocuments(report),
    curves: curveDocuments(report),
    bytes: use.bytes,
    unread: use.unread,
    hyperparameters: valuesOf(settings.all),
    hyperparameterSources: sourcesOf(settings.all),
    plan: planDocument(report, policy),
    journal: { ...logDocument(run.path, journal), run: undefined },
    warnings: [
      ...warnings,
      ...settings.unread.map(({ path, reason }) => `${path}: its hyper-parameters could not be read: ${reason}`),
    ],
  }
}

function bestDocuments({ best, checkpoints }: RunReport): object[] {
  const directions = new Map(metricOrders(checkpoints).map(({ key, kind }) => [key, kind]))
  return [...best].flatMap(([metric, checkpoint]) => {
    const value = ownValue(checkpoint, metric)
    if (typeof value !== 'number' && typeof value !== 'bigint') return []
    return [{ metric, direction: directions.get(metric), name: checkpoint.name, value }]
  })
}

function checkpointDocuments(report: RunReport): object[] {
  const { checkpoints, best, impossible, pins, aside, training, plan } = report
  const marks = marksOf(checkpoints, best, impossible, pins, aside)
  const verdicts = verdictsOf(plan)
  return checkpoints.map((checkpoint) => {
    const { path } = checkpoint
    return {
      ...toDocument(checkpoint),
      path: undefined,
      files: sizesOf(checkpoint),
      training: training.get(path),
      marks: marks.get(path) ?? [],
      ...verdicts.get(path),
    }
  })
}

interface Verdict {
  readonly stays: boolean
  readonly why: readonly string[]
}

/** By path. */
function verdictsOf(plan: RunReport['plan']): ReadonlyMap<string, Verdict> {
  const verdicts = new Map<string, Verdict>()
  for (const { checkpoint, reasons } of plan?.keep ?? []) {
    verdicts.set(checkpoint.path, { stays: true, why: reasons.map(({ text }) => text) })
  }
  for (const { checkpoint, reason } of plan?.remove ?? []) {
    verdicts.set(checkpoint.path, { stays: false, why: [reason.text] })
  }
  return verdicts
}

function sizesOf({ files }: Checkpoint): Map<string, number | null> {
  return new Map(files.map(({ key, size }) => [key, size]))
}

function curveDocuments({ checkpoints, curves }: RunReport): object[] {
  const rows = new Map(checkpoints.map(({ name }, row) => [name, row]))
  return curves.flatMap(({ axis, curves: all }) => all.map((curve) => curveDocument(curve, axis, rows)))
}

function curveDocument(curve: Curve, axis: CurveAxis, rows: ReadonlyMap<string, number>): object {
  const { key, logs, points, checkpoints, best } = curve
  return {
    key,
    axis,
    logs,
    x: points.map(({ x }) => x),
    y: points.map(({ y }) => y),
    marks: {
      rows: checkpoints.map(({ name }) => rows.get(name) ?? -1),
      x: checkpoints.map(({ x }) => x),
      y: checkpoints.map(({ y }) => y),
    },
    best: best === null ? null : checkpoints.findIndex(({ name }) => name === best.name),
  }
}

function planDocument({ plan, planFailure }: RunReport, policy: AskedPolicy | null): object | null {
  if (policy === null) return null
  return {
    policy: describePolicy(policy.request),
    source: policy.source,
    failure: planFailure,
    keep: plan?.keep.length ?? 0,
    remove: plan?.remove.length ?? 0,
    freedBytes: plan?.freedBytes ?? 0,
    warnings: plan?.warnings ?? [],
  }
}
