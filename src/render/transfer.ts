/** What a transfer matched, as people see it. */
import { positionText } from '../core/formats/yaml/config-yaml.js'
import type { ChosenHook } from '../core/jobs/hooks/index.js'
import type { LeftOut, TensorInfo } from '../core/tensors/read/index.js'
import { tellCounts, tellLoss, type WrittenOutput } from '../core/tensors/write/index.js'
import {
  castsOf,
  formatPart,
  isRenamed,
  reportOf,
  suggestCommand,
  suggestionsFor,
  tiedIn,
  type PrefixChange,
  type TransferPlan,
} from '../core/tensors/transfer/index.js'
import { painter } from './colours.js'
import type { Output } from './output.js'
import { hangBehindName } from './hanging-indent.js'
import { quoteWord } from '../core/formats/text/shell-words.js'
import { printable } from './printable.js'
import { formatSize, plural } from './units.js'

/** Names listed of each kind; --json lists all. */
const mostNames = 10

/** A plan with what lies around the weights of both files. */
export interface Carried {
  readonly plan: TransferPlan
  /** Of the source. */
  readonly leftOut: readonly LeftOut[]
  /** Of the target. */
  readonly surroundings: readonly LeftOut[]
}

export function renderTransfer(
  { plan, leftOut, surroundings }: Carried,
  written: WrittenOutput | null,
  output: Output,
): string[] {
  const paint = painter(output.colours)
  const { matched, target, coverage } = plan
  return [
    `${paint('good', 'matched')}: ${matched.length} of the ${plural(target.tensors.length, 'tensor')} in the target, ${formatPart(coverage.bytes)} of its bytes`,
    ...unlike(plan).flatMap((one) => renderSection(one, output)),
    ...suggestCommand(plan, written !== null).map((command) => `to match them: ${printable(command)}`),
    ...renderLeftOut('beside the weights of the source, left out', leftOut),
    ...renderSurroundings('target', surroundings, written),
    written === null ? 'nothing was written' : renderWritten(written),
  ]
}

/** What is listed under a title, where there is any. */
interface Section {
  readonly title: string
  /** Of the first few. */
  readonly lines: readonly Line[]
  readonly count: number
}

function section<Item>(title: string, items: readonly Item[], lineOf: (item: Item) => Line): Section {
  return { title, lines: items.slice(0, mostNames).map(lineOf), count: items.length }
}

function renderSection({ title, lines, count }: Section, output: Output): string[] {
  if (count === 0) return []
  return [
    painter(output.colours)('title', title),
    ...lines.flatMap((line) => hangBehindName(' ', ...line, output.width)),
    ...(count > lines.length ? [`  … and ${count - lines.length} more`] : []),
  ]
}

/** What is not taken over as it is under its own name, by why. */
function unlike(plan: TransferPlan): Section[] {
  const { matched, missing, unexpected, excluded, mismatched, nearMisses } = plan
  const [casts, tied] = [castsOf(plan), tiedIn(plan)]
  const [renamed, resized] = [matched.filter(isRenamed), matched.filter(({ resize }) => resize !== undefined)]
  return [
    section(`missing in the source: ${missing.length} keep the target's values`, missing, describe),
    section(`unexpected in the source: ${unexpected.length} left out`, unexpected, (tensor) =>
      describeSought(tensor, plan),
    ),
    section(`excluded: ${excluded.length}`, excluded, describe),
    section(`mismatched: ${mismatched.length} keep the target's values`, mismatched, ({ source, target }) => [
      source.name,
      `${form(source)} in the source, ${form(target)} in the target`,
    ]),
    section(`resized: ${resized.length}`, resized, ({ source, target, resize }) => [
      target.name,
      `${form(source)} into ${form(target)} (${resize?.kind ?? ''})`,
    ]),
    section(`renamed: ${renamed.length}`, renamed, ({ source, target }) => [
      source.name,
      `to ${printable(target.name)}`,
    ]),
    section(`tied in the target: ${tied.length} filled with another name's values`, tied, ({ name, kept }) => [
      name,
      `one parameter with ${printable(kept)}`,
    ]),
    section(`cast: ${casts.length}`, casts, ({ name, from, to }) => [name, `${from} to ${to}`]),
    section('nearly matched, source and target:', nearMisses, ({ source, target }) => [
      source.name,
      `${printable(target.name)}  ${form(target)}`,
    ]),
    section('flags that would match them:', suggestionsFor(plan), ({ flag, value, tensors }) => [
      flag,
      `${printable(quoteWord(value))}  (${tensors})`,
    ]),
  ]
}

/** One line; none where there is nothing. */
export function renderLeftOut(title: string, leftOut: readonly LeftOut[]): string[] {
  if (leftOut.length === 0) return []
  const shown = leftOut.slice(0, mostNames).map(({ path, tensors }) => {
    return tensors === 0 ? printable(path) : `${printable(path)} (${plural(tensors, 'tensor')})`
  })
  const more = leftOut.length > mostNames ? [`and ${leftOut.length - mostNames} more`] : []
  return [`${title}: ${[...shown, ...more].join(', ')}`]
}

/** What the file that the output takes after has around its weights: written with them, or left out. */
export function renderSurroundings(
  whose: string,
  surroundings: readonly LeftOut[],
  written: WrittenOutput | null,
): string[] {
  const fate = written?.keepsSurroundings === true ? 'kept' : 'left out'
  return written === null ? [] : renderLeftOut(`beside the weights of the ${whose}, ${fate}`, surroundings)
}

/** A name, and the remark beside it. */
type Line = readonly [name: string, text: string]

export function transferDocument({ plan, leftOut, surroundings }: Carried, written: WrittenOutput | null) {
  return {
    source: plan.source.path,
    target: plan.target.path,
    ...reportOf(plan, written !== null),
    losses: written?.losses ?? [],
    leftOut,
    surroundings,
    keepsSurroundings: written?.keepsSurroundings ?? false,
    output: written?.path ?? null,
    files: written?.files ?? [],
    removed: written?.removed ?? [],
    bytes: written?.bytes ?? 0,
    sharesBlocks: written?.sharesBlocks ?? null,
  }
}

/** A warning for each tensor whose cast lost values, and one for them all; none where nothing was lost. */
export function renderLosses({ losses = [] }: Pick<WrittenOutput, 'losses'>): string[] {
  if (losses.length === 0) return []
  const sum = (kind: 'infinite' | 'nan' | 'zero' | 'wrapped') => losses.reduce((total, loss) => total + loss[kind], 0)
  const all = { infinite: sum('infinite'), nan: sum('nan'), zero: sum('zero'), wrapped: sum('wrapped') }
  const more = losses.length > mostNames ? [`and ${losses.length - mostNames} more tensors`] : []
  return [
    `values that do not fit were cast in ${plural(losses.length, 'tensor')}: ${tellCounts(all)}`,
    ...losses.slice(0, mostNames).map((loss) => printable(tellLoss(loss))),
    ...more,
  ]
}

/** Before anything is written. */
export function renderOutdated(paths: readonly string[]): string {
  return `to be removed once the new files are there: ${paths.map(printable).join(', ')}`
}

/** Null where there is nothing to say of it. */
export function renderFullCopy({ path, bytes, sharesBlocks }: WrittenOutput): string | null {
  if (sharesBlocks !== false) return null
  return `${printable(path)}: no blocks could be shared with the target here, so all ${formatSize(bytes)} were copied`
}

/** A transfer that is a hook's. */
interface HookedTransfer {
  readonly source: string
  readonly template: string
  readonly chosen: ChosenHook
}

export function renderHookedTransfer({ chosen }: HookedTransfer, written: WrittenOutput | null): string[] {
  const { text, position } = chosen.command
  const hook = `by the hook at ${printable(positionText(position))}: ${printable(text)}`
  return [hook, written === null ? 'nothing was written' : renderWritten(written)]
}

export function hookedTransferDocument({ source, template, chosen }: HookedTransfer, written: WrittenOutput | null) {
  const { text: command, position } = chosen.command
  return {
    source,
    target: template,
    hook: { command, file: position.path, line: position.line },
    output: written?.path ?? null,
    files: written?.files ?? [],
    bytes: written?.bytes ?? 0,
  }
}

export function renderPrefix({ strip, add }: PrefixChange): string {
  const parts = [
    ...(strip === '' ? [] : [`"${strip}" taken from them`]),
    ...(add === '' ? [] : [`"${add}" put before them`]),
  ]
  return `no name of the source matches as it stands; they do with ${parts.join(' and ')}`
}

function describe(tensor: TensorInfo): Line {
  return [tensor.name, form(tensor)]
}

/** With the name that it was looked for by, where that is another. */
function describeSought(tensor: TensorInfo, { sought }: TransferPlan): Line {
  const name = sought.get(tensor) ?? tensor.name
  return [tensor.name, name === tensor.name ? form(tensor) : `${form(tensor)}, looked for as ${printable(name)}`]
}

function form({ dtype, shape }: TensorInfo): string {
  return `${dtype} [${shape.join(', ')}]`
}

export function renderWritten({ path, files, bytes }: WrittenOutput): string {
  const many = files.length > 1 ? ` and ${plural(files.length - 1, 'shard')}` : ''
  return `wrote ${printable(path)}${many} (${formatSize(bytes)})`
}
