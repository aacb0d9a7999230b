/** What a transfer matched, as people see it. */
import { placeText } from '../core/config/index.js'
import type { ChosenHook } from '../core/hooks/index.js'
import type { TensorInfo } from '../core/tensors/index.js'
import type { WrittenOutput } from '../core/output/index.js'
import { formatPart, reportOf, suggestFlags, type PrefixChange, type TransferPlan } from '../core/transfer/index.js'
import { painter } from './colours.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import { formatSize, plural } from './units.js'

/** Names listed of each kind; --json lists all. */
const mostNames = 10

export function renderTransfer(plan: TransferPlan, written: WrittenOutput | null, { colours }: Output): string[] {
  const paint = painter(colours)
  const casts = plan.matched.filter(({ source, target }) => source.dtype !== target.dtype)
  const renamed = plan.matched.filter(({ source, target }) => source.name !== target.name)
  const resized = plan.matched.flatMap((pair) =>
    pair.resize === undefined ? [] : [{ source: pair.source, target: pair.target, kind: pair.resize.kind }],
  )
  const section = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : [paint('title', title), ...some(lines).map((line) => `  ${line}`)]
  return [
    `${paint('good', 'matched')}: ${plan.matched.length} of the ${plural(plan.target.tensors.length, 'tensor')} in the target, ${formatPart(plan.coverage.bytes)} of its bytes`,
    ...section(`missing in the source: ${plan.missing.length} keep the target's values`, plan.missing.map(describe)),
    ...section(
      `unexpected in the source: ${plan.unexpected.length} left out`,
      plan.unexpected.map((tensor) => describeSought(tensor, plan)),
    ),
    ...section(`excluded: ${plan.excluded.length}`, plan.excluded.map(describe)),
    ...section(
      `mismatched: ${plan.mismatched.length} keep the target's values`,
      plan.mismatched.map(({ source, target }) => `${describe(source)} in the source, ${form(target)} in the target`),
    ),
    ...section(
      `resized: ${resized.length}`,
      resized.map(
        ({ source, target, kind }) => `${printable(target.name)}  ${form(source)} into ${form(target)} (${kind})`,
      ),
    ),
    ...section(
      `renamed: ${renamed.length}`,
      renamed.map(({ source, target }) => `${printable(source.name)} to ${printable(target.name)}`),
    ),
    ...section(
      `cast: ${casts.length}`,
      casts.map(({ source, target }) => `${printable(target.name)}  ${source.dtype} to ${target.dtype}`),
    ),
    ...section(
      'nearly matched, source and target:',
      plan.nearMisses.map(
        ({ source, target }) => `${printable(source.name)}  ${printable(target.name)}  ${form(target)}`,
      ),
    ),
    ...section(
      'flags that would match them:',
      suggestFlags(plan.nearMisses).map(({ flag, value, tensors }) => `${flag} ${quoted(value)}  (${tensors})`),
    ),
    written === null ? 'nothing was written' : told(written),
  ]
}

export function transferDocument(plan: TransferPlan, written: WrittenOutput | null) {
  return {
    source: plan.source.path,
    target: plan.target.path,
    ...reportOf(plan),
    output: written?.path ?? null,
    files: written?.files ?? [],
    bytes: written?.bytes ?? 0,
  }
}

/** A transfer that is a hook's. */
interface HookedTransfer {
  readonly source: string
  readonly template: string
  readonly chosen: ChosenHook
}

export function renderHookedTransfer({ chosen }: HookedTransfer, written: WrittenOutput | null): string[] {
  const { text, place } = chosen.command
  const hook = `by the hook at ${printable(placeText(place))}: ${printable(text)}`
  return [hook, written === null ? 'nothing was written' : told(written)]
}

export function hookedTransferDocument({ source, template, chosen }: HookedTransfer, written: WrittenOutput | null) {
  const { text: command, place } = chosen.command
  return {
    source,
    target: template,
    hook: { command, file: place.path, line: place.line },
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

function describe(tensor: TensorInfo): string {
  return `${printable(tensor.name)}  ${form(tensor)}`
}

/** With the name that it was looked for by, where that is another. */
function describeSought(tensor: TensorInfo, { sought }: TransferPlan): string {
  const name = sought.get(tensor) ?? tensor.name
  return name === tensor.name ? describe(tensor) : `${describe(tensor)}, looked for as ${printable(name)}`
}

function form({ dtype, shape }: TensorInfo): string {
  return `${dtype} [${shape.join(', ')}]`
}

function some(lines: readonly string[]): readonly string[] {
  return lines.length > mostNames ? [...lines.slice(0, mostNames), `… and ${lines.length - mostNames} more`] : lines
}

/** As a shell takes it. */
function quoted(text: string): string {
  return /^[\w.=/:@%+-]+$/.test(text) ? text : `'${printable(text).replaceAll("'", `'\\''`)}'`
}

export function told({ path, files, bytes }: WrittenOutput): string {
  const many = files.length > 1 ? ` and ${plural(files.length - 1, 'shard')}` : ''
  return `wrote ${printable(path)}${many} (${formatSize(bytes)})`
}
