/** What a pretraining did, or would do, as people see it and for --json. */
import {
  isIndexToCome,
  isShardOf,
  type Failed,
  type Item,
  type Loaded,
  type PretrainPlan,
  type Survey,
} from '../core/pretrain/index.js'
import { formatPart, reportOf } from '../core/tensors/transfer/index.js'
import { aligned } from './aligned.js'
import { painter } from './colours.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import { formatSize, plural } from './units.js'

/** What was done; `loaded` is null where nothing was to be loaded. */
export interface Pretraining {
  readonly plan: PretrainPlan
  readonly survey: Survey
  readonly loaded: readonly Loaded[] | null
  /** Of the survey and of collecting. */
  readonly failed: readonly Failed[]
  /** Collected, and not loaded. */
  readonly unloaded: readonly Failed[]
  /** False for a dry run. */
  readonly done: boolean
}

type Verb = (link: string) => readonly [done: string, toDo: string]

const verbs: Readonly<Record<Item['action']['kind'], Verb>> = {
  keep: () => ['there already', 'there already'],
  use: () => ['where it lies', 'where it lies'],
  download: () => ['fetched', 'to fetch'],
  link: (link) => (link === 'copy' ? ['copied', 'to copy'] : [`linked (${link})`, `to link (${link})`]),
}

export function renderPretraining(pretraining: Pretraining, { colours }: Output): string[] {
  const { plan, survey, loaded, failed, unloaded, done } = pretraining
  const paint = painter(colours)
  const going = well(pretraining)
  const bytes = going.reduce((sum, { size }) => sum + (size ?? 0), 0)
  const where = plan.collectIn === null ? 'where they lie' : `in ${printable(plan.collectIn)}`
  const head = `${done ? 'collected' : 'to collect'} ${where}: ${plural(going.length, 'file')}, ${formatSize(bytes)}`
  return [
    paint('title', head),
    ...aligned([
      ...going.flatMap((item) => (done || !isIndexToCome(item) ? [row(item, done)] : [row(item, done), toCome(item)])),
      ...survey.skipped.map(({ key, skippedBy }) => [
        `  ${printable(key)}`,
        'left out',
        '',
        `by its condition: ${printable(skippedBy ?? '')}`,
      ]),
      ...failed.map(({ loadable }) => [`  ${printable(loadable.key)}`, paint('bad', 'failed')]),
    ]),
    ...(loaded === null || loaded.length + unloaded.length === 0
      ? []
      : [
          paint('title', `loaded: ${loaded.length}`),
          ...aligned([
            ...loaded.map(loadRow),
            ...unloaded.map(({ loadable: { key, load } }) => [
              `  ${printable(key)}`,
              printable(load?.output ?? ''),
              paint('bad', 'failed'),
            ]),
          ]),
        ]),
    ...(done ? [] : plannedLoads(pretraining)),
  ]
}

/** Those that are, or would be, where they shall be. */
function well({ survey, failed }: Pretraining): readonly Item[] {
  return survey.items.filter((item) => !failed.some(({ loadable }) => loadable === item.loadable))
}

function row({ loadable, action, from, size, checkpoint }: Item, done: boolean): string[] {
  const [past, future] = verbs[action.kind](action.kind === 'link' ? action.link : '')
  const of = checkpoint === null ? '' : ` (of ${printable(checkpoint.name)})`
  const bytes = size === null ? 'size unknown' : formatSize(size)
  return [`  ${printable(loadable.key)}`, done ? past : future, bytes, `${printable(from)}${of}`]
}

function toCome({ loadable }: Item): string[] {
  return [`  ${printable(loadable.key)}/…`, 'to fetch', 'size unknown', 'the shards that the index will name']
}

function loadRow({ item, load, how, plan }: Loaded): string[] {
  const what =
    plan !== null
      ? `${plan.matched.length} of ${plural(plan.target.tensors.length, 'tensor')}, ${formatPart(plan.coverage.bytes)} of the bytes`
      : { keep: 'there already', copy: 'copied whole', hook: 'by its hook', transfer: '' }[how]
  return [`  ${printable(item.loadable.key)}`, printable(load.output), what]
}

function plannedLoads(pretraining: Pretraining): string[] {
  const loads = well(pretraining).flatMap(({ loadable: { key, load } }) => (load === null ? [] : [{ key, load }]))
  if (loads.length === 0) return []
  const rows = loads.map(({ key, load }) => [
    `  ${printable(key)}`,
    printable(load.target),
    `to ${printable(load.output)}`,
  ])
  return ['to load:', ...aligned(rows)]
}

export function pretrainingDocument(pretraining: Pretraining): Record<string, unknown> {
  const { plan, survey, loaded, done } = pretraining
  const failed = [...pretraining.failed, ...pretraining.unloaded]
  const going = well({ ...pretraining, failed })
  const loads = new Map(loaded?.map((one) => [one.item, one]))
  return {
    plan: plan.path,
    collectIn: plan.collectIn,
    dryRun: !done,
    files: going.map((item) => ({
      key: item.loadable.key,
      path: item.path,
      from: item.from,
      source: item.loadable.origin?.source.kind ?? null,
      checkpoint: item.checkpoint?.name ?? null,
      bytes: item.size,
      digest: item.digest,
      action: item.action.kind,
      link: item.action.kind === 'link' ? item.action.link : null,
      replaces: item.replaces,
      shards: !done && isIndexToCome(item) ? null : going.filter((other) => isShardOf(item, other)).map(keyOf),
      load: loadDocument(item, loads.get(item)),
    })),
    skipped: survey.skipped.map(({ key, skippedBy }) => ({ key, condition: skippedBy })),
    failed: failed.map(({ loadable, error: { code, message, hint } }) => ({
      key: loadable.key,
      error: { code, message, hint: hint ?? null },
    })),
  }
}

function keyOf({ loadable }: Item): string {
  return loadable.key
}

function loadDocument({ loadable: { load } }: Item, loaded: Loaded | undefined): Record<string, unknown> | null {
  if (load === null) return null
  const { target, output } = load
  const report = loaded?.plan == null ? null : reportOf(loaded.plan)
  return { target, output, how: loaded?.how ?? null, report }
}
