/** One checkpoint with all that is known of it, and a run summed up. */
import { basename, relative } from 'node:path'
import {
  canBeResumed,
  isSound,
  timeOf,
  type Checkpoint,
  type HyperParameters,
  type MetaValue,
  type Run,
} from '../core/checkpoint.js'
import { findLayout } from '../core/checkpoints/layouts/index.js'
import { describeValue, type NamedBest } from '../core/choosing/selection/index.js'
import type { TensorFile, TensorInfo } from '../core/tensors/read/index.js'
import { aligned } from './aligned.js'
import { describeFinding, formatMeta, gradeColours, isoTime, resumableText } from './checkpoints.js'
import { painter, type Paint } from './colours.js'
import type { Output } from './output.js'
import { hang, hangRows } from './hanging-indent.js'
import { printable } from './printable.js'
import { layoutsOf } from './run.js'
import { settingLines } from './settings.js'
import { quoteWord } from '../core/formats/text/shell-words.js'
import { foldedLines, sumUp } from './tensors.js'
import { allDigits, formatAgo, formatNumber, formatSize } from './units.js'
import { displayWidth } from './text-width.js'

interface Context {
  /** Unix seconds. */
  readonly now: number
  readonly output: Output
}

/** Lines of one table on a terminal. */
const most = { tensors: 40, settings: 20 }

/** Whether all lines are shown: where that was asked for, and where no person looks. */
interface Extent {
  readonly output: Output
  /** `--all` */
  readonly all: boolean
}

function bound({ output, all }: Extent, what: keyof typeof most): number {
  return all || !output.isTerminal ? Infinity : most[what]
}

export interface BestEntry {
  readonly metric: string
  readonly direction: 'min' | 'max'
  readonly name: string
  readonly value: number | bigint
}

export function renderCheckpoint(
  checkpoint: Checkpoint,
  tensors: ReadonlyMap<string, readonly TensorInfo[]>,
  {
    named,
    knownBy,
    now,
    output,
    all = false,
  }: Context & Partial<Extent> & { readonly named: readonly NamedBest[]; readonly knownBy: readonly string[] },
): string[] {
  const paint = painter(output.colours)
  const room = output.width - 2
  const section = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ['', paint('title', title), ...lines.map((line) => `  ${line}`)]
  return [
    paint('title', printable(checkpoint.name)),
    ...aligned([...facts(checkpoint, knownBy, now, paint), ...named.map(namedFact)]).map((line) => `  ${line}`),
    ...section(
      'Meta',
      hangRows(
        [...checkpoint.meta].map(([key, value]) => [printable(key), metaText(checkpoint, key, value)]),
        room,
      ),
    ),
    ...section('Files', aligned(checkpoint.files.map((file) => fileLine(checkpoint, file)))),
    ...[...tensors].flatMap(([key, list]) =>
      section(
        `Tensors of ${printable(key)}: ${sumUp(list)}`,
        foldedLines(list, room, bound({ output, all }, 'tensors')),
      ),
    ),
  ]
}

/** A value of another step says so. */
function metaText({ measuredAt }: Checkpoint, key: string, value: MetaValue): string {
  const text = formatMeta(value, allDigits)
  const moment = measuredAt?.get(key)
  if (moment === undefined) return text
  const { step, epoch } = moment
  const where = step === undefined ? (epoch === undefined ? 'elsewhere' : `at epoch ${epoch}`) : `at step ${step}`
  return `${text} (measured ${where})`
}

function facts(checkpoint: Checkpoint, knownBy: readonly string[], now: number, paint: Paint): string[][] {
  const time = timeOf(checkpoint)
  const { grade, findings } = checkpoint.health
  return [
    ['path', printable(checkpoint.path)],
    ['layout', findLayout(checkpoint.layout)?.title ?? checkpoint.layout],
    ...(knownBy.length === 0 ? [] : [['known by', printable(knownBy.join('; '))]]),
    ['saved', time === null ? '-' : `${isoTime(time)} (${formatAgo(now - time)})`],
    ['epoch', checkpoint.epoch === null ? '-' : formatNumber(checkpoint.epoch)],
    ['step', checkpoint.step === null ? '-' : formatNumber(checkpoint.step)],
    ['size', checkpoint.size === null ? '-' : formatSize(checkpoint.size)],
    ['health', paint(gradeColours[grade] ?? 'bad', grade)],
    ...findings.map((finding) => ['', paint('bad', describeFinding(finding))]),
    ['resumable', paint(canBeResumed(checkpoint) ? 'good' : 'warning', resumableText(checkpoint))],
  ]
}

/** What the framework holds for the best, and who says so. */
function namedFact({ pointer, by }: NamedBest): string[] {
  return ['named best', printable(`by ${pointer.label} of ${by}${describeValue(pointer)}`)]
}

function fileLine(checkpoint: Checkpoint, file: Checkpoint['files'][number]): string[] {
  const size = file.size === null ? '-' : formatSize(file.size)
  return [printable(file.key), size, printable(nameIn(checkpoint, file.path))]
}

/** Of a group each file's own name. */
function nameIn(checkpoint: Checkpoint, path: string): string {
  return checkpoint.kind === 'directory' ? relative(checkpoint.path, path) : basename(path)
}

export function renderTensorFile({ path, metadata, tensors }: TensorFile, extent: Extent): string[] {
  const { output } = extent
  const paint = painter(output.colours)
  const room = output.width - 2
  const pairs = [...metadata].map(([key, value]) => [printable(key), printable(value)] as const)
  return [
    `${paint('title', printable(path))}: ${sumUp(tensors)}`,
    ...[...hangRows(pairs, room), ...foldedLines(tensors, room, bound(extent, 'tensors'))].map((line) => `  ${line}`),
  ]
}

/** What a run was started with, below the file that says so. */
export function renderSettings(settings: HyperParameters, run: string, extent: Extent): string[] {
  const { output } = extent
  const paint = painter(output.colours)
  return settingLines(settings, run, bound(extent, 'settings')).flatMap(({ source, rows }) => [
    '',
    paint('title', `Hyper-parameters of ${source}`),
    ...hangRows(rows, output.width - 2).map((line) => `  ${line}`),
  ])
}

export function renderOverview(
  {
    run,
    runName = null,
    checkpoints,
    size,
    best,
    named,
  }: {
    run: Run
    /** What its program calls it. */
    runName?: string | null
    checkpoints: readonly Checkpoint[]
    size: number
    best: readonly BestEntry[]
    named: readonly NamedBest[]
  },
  { now, output }: Context,
): string[] {
  const room = output.width - 2
  const [latest] = checkpoints
  const time = latest === undefined ? null : timeOf(latest)
  const age = time === null ? '' : formatAgo(now - time)
  const titles = layoutsOf(run).map((id) => findLayout(id)?.title ?? id)
  const rows = [
    ...(runName === null ? [] : [['name', printable(runName)]]),
    ['layout', titles.join(', ')],
    ['checkpoints', `${checkpoints.length}, ${formatSize(size)}`],
    ['latest', printable(latest?.name ?? '-'), age],
    ...best.map(({ metric, direction, name, value }) => [
      `best ${printable(metric)}`,
      printable(name),
      `${formatNumber(value, allDigits)} (${direction})`,
    ]),
    ...named.map(({ pointer, checkpoint }) => [
      'named best',
      printable(pointer.name),
      printable(`${checkpoint === null ? 'not there' : pointer.label}${describeValue(pointer)}`),
    ]),
  ]
  return [
    painter(output.colours)('title', printable(run.path)),
    ...[...aligned(rows, { width: room, long: 1 }), ...damageLines(checkpoints, output, room)].map(
      (line) => `  ${line}`,
    ),
  ]
}

function damageLines(checkpoints: readonly Checkpoint[], output: Output, room: number): string[] {
  const paint = painter(output.colours)
  return checkpoints
    .filter((checkpoint) => !isSound(checkpoint))
    .flatMap(({ name, health }) => {
      const head = `${health.grade === 'unreadable' ? health.grade : 'damaged'}  ${printable(name)}  `
      const text = health.findings.map(describeFinding).join('; ')
      return hang({ text: paint('bad', head), width: displayWidth(head) }, text, room)
    })
}

/** What one would most likely type next, as lines to paste. */
export function nextCommands(
  { checkpoints, best }: { readonly checkpoints: readonly Checkpoint[]; readonly best: readonly BestEntry[] },
  output: Output,
): string[] {
  const paint = painter(output.colours)
  const [first] = best
  const order = first === undefined ? '' : ` --${first.direction} ${quoteWord(first.metric)}`
  const rows = [
    ['ckpt list', 'every checkpoint'],
    [`ckpt find${order}`, first === undefined ? 'the path of the newest' : `the path of the best by ${first.metric}`],
    checkpoints.every(isSound)
      ? [`ckpt prune --keep 2${order} --dry-run`, 'what a clean-up would remove']
      : ['ckpt verify', 'what is damaged, and how'],
  ]
  return [
    paint('title', 'Next'),
    ...aligned(rows.map((row) => row.map(printable))).map((line) => `  ${line}`),
    paint('faint', 'ckpt --help shows all commands'),
  ]
}
