/** Settings, hooks, and where they come from. */
import type { Hook } from '../core/jobs/hooks/index.js'
import type { FilePosition } from '../core/formats/yaml/config-yaml.js'
import { painter } from './colours.js'
import { toJson } from './json.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import { renderTable, type Column } from './table.js'

export type Origin =
  | { readonly kind: 'default' }
  | { readonly kind: 'environment'; readonly variable: string }
  | { readonly kind: 'file'; readonly position: FilePosition }

export interface EffectiveFlag {
  readonly flag: string
  /** As the command's parser gives it; null where there is none. */
  readonly value: unknown
  readonly origin: Origin
}

/** A file that may hold settings, and is not taken: somebody else may have written it. */
export interface LeftOut {
  readonly path: string
  readonly reason: string
  readonly hint: string
}

export interface ConfigView {
  /** The folder that the search for settings began in. */
  readonly run: string
  /** The nearest first. */
  readonly files: readonly string[]
  /** Those that somebody else may have written, and why. */
  readonly leftOut: readonly LeftOut[]
  readonly commands: readonly { readonly name: string; readonly flags: readonly EffectiveFlag[] }[]
  readonly hooks: readonly Hook[]
}

interface FlagRow extends EffectiveFlag {
  readonly command: string
}

/** One step of one hook. */
interface HookRow {
  readonly selector: Hook['selector']
  readonly step: string
  readonly text: string
  readonly origin: Origin
}

/** A table of flags, one of hooks, then what is left out. */
export async function renderConfig({ commands, hooks, leftOut }: ConfigView, output: Output): Promise<string[]> {
  const { isTerminal, width, colours } = output
  const options = { isTerminal, width, paint: painter(colours) }
  const flags = commands.flatMap(({ name, flags }) => flags.map((flag) => ({ ...flag, command: name })))
  const columns = commands.length === 1 ? flagColumns : [commandColumn, ...flagColumns]
  const flagLines = flags.length === 0 ? [] : [...(await renderTable(columns, flags, options))]
  const steps = hooks.flatMap(stepsOf)
  const hookLines = steps.length === 0 ? [] : [...(await renderTable(hookColumns, steps, options))]
  const outLines = leftOut.length === 0 ? [] : [...(await renderTable(leftOutColumns, leftOut, options))]
  const tables = [flagLines, hookLines, outLines].filter((lines) => lines.length > 0)
  return tables.flatMap((lines, index) => (index === 0 ? lines : ['', ...lines]))
}

const commandColumn: Column<FlagRow> = { title: 'COMMAND', cell: ({ command }) => command }

const flagColumns: readonly Column<FlagRow>[] = [
  { title: 'FLAG', cell: ({ flag }) => flag },
  { title: 'VALUE', cell: ({ value }) => valueText(value) },
  { title: 'FROM', cell: ({ origin }) => originText(origin), wraps: true },
]

const hookColumns: readonly Column<HookRow>[] = [
  { title: 'HOOK FOR', cell: ({ selector }) => printable(selectorText(selector)) },
  { title: 'STEP', cell: ({ step }) => step },
  { title: 'COMMAND', cell: ({ text }) => printable(text), wraps: true },
  { title: 'FROM', cell: ({ origin }) => originText(origin), leaves: 1 },
]

const leftOutColumns: readonly Column<LeftOut>[] = [
  { title: 'LEFT OUT', cell: ({ path }) => printable(path) },
  { title: 'WHY', cell: ({ reason }) => printable(reason), wraps: true },
  { title: 'TO TAKE IT', cell: ({ hint }) => printable(hint), leaves: 1 },
]

function stepsOf({ selector, commands }: Hook): HookRow[] {
  return [...commands].map(([step, { text, position }]) => ({
    selector,
    step,
    text,
    origin: { kind: 'file', position },
  }))
}

function valueText(value: unknown): string {
  if (value === null) return '-'
  if (Array.isArray(value)) return value.map(valueText).join(', ')
  return typeof value === 'string' ? printable(value) : toJson(value)
}

function originText(origin: Origin): string {
  switch (origin.kind) {
    case 'default':
      return 'default'
    case 'environment':
      return `environment ${origin.variable}`
    case 'file':
      return printable(`${origin.position.path}:${origin.position.line}`)
  }
}

function selectorText(selector: Hook['selector']): string {
  return selector.kind === 'key' ? `key ${selector.key}` : selector.pattern
}

/** As `--json` gives it (docs/json.md). */
export function configDocument({ run, files, leftOut, commands, hooks }: ConfigView) {
  const flagsOf = (flags: readonly EffectiveFlag[]) =>
    new Map(flags.map(({ flag, value, origin }) => [flag, { value, ...originDocument(origin) }]))
  return {
    run,
    files,
    leftOut: leftOut.map(({ path, reason, hint }) => ({ path, reason, hint })),
    commands: new Map(commands.map(({ name, flags }) => [name, flagsOf(flags)])),
    hooks: hooks.map(hookDocument),
  }
}

function originDocument(origin: Origin) {
  const { kind: from } = origin
  if (origin.kind === 'environment') return { from, variable: origin.variable }
  return origin.kind === 'default' ? { from } : { from, file: origin.position.path, line: origin.position.line }
}

function hookDocument({ selector, commands, timeout, position }: Hook) {
  return {
    ...(selector.kind === 'key' ? { key: selector.key } : { match: selector.pattern }),
    steps: new Map([...commands].map(([step, { text }]) => [step, text])),
    shell: [...commands.values()].some(({ words }) => words === null),
    timeout,
    file: position.path,
    line: position.line,
  }
}
