/** The answer to a shell when Tab is pressed: the candidates for the word at the cursor. */
import { resolve } from 'node:path'
import type { Storage } from '../../core/storage/storage.js'
import { isChoosingWord } from '../../core/runs/checkpoint-by-word.js'
import { columnNamesOf, checkpointNames, fileKeys, metaKeys, metricKeysOf, runsBelow } from './of-run.js'
import { wantedAt, type TypedLine, type Wanted } from './line.js'
import type { CommandSpec, CompletionSpec } from './spec.js'

export interface Candidate {
  readonly value: string
  readonly description?: string
}

export interface Completion {
  /** What the shell offers by its own rules beside the candidates. */
  readonly shell: 'none' | 'files' | 'folders' | 'commands'
  /** No space follows: there is more to type. */
  readonly open: boolean
  readonly candidates: readonly Candidate[]
}

export interface Here {
  readonly storage: Storage
  /** Absolute. */
  readonly folder: string
  /** For `~`. */
  readonly home: string
}

export async function complete(line: TypedLine, spec: CompletionSpec, here: Here): Promise<Completion> {
  const answer = await answerTo(wantedAt(line, spec), line, spec, here)
  return { ...answer, candidates: answer.candidates.filter(({ value }) => value.startsWith(line.current)) }
}

const nothing: Completion = { shell: 'none', open: false, candidates: [] }

async function answerTo(wanted: Wanted, line: TypedLine, spec: CompletionSpec, here: Here): Promise<Completion> {
  switch (wanted.kind) {
    case 'command':
      return { ...nothing, candidates: commandsAfter(wanted.after, spec) }
    case 'flag':
      return { ...nothing, candidates: flagsOf(wanted.command, wanted.used) }
    case 'foreign':
      return { ...nothing, shell: wanted.isFirst ? 'commands' : 'files' }
    case 'value':
      return valuesOf(wanted, line, here)
    case 'argument':
      return argumentsOf(wanted, spec, here)
  }
}

function commandsAfter(after: string, spec: CompletionSpec): Candidate[] {
  const lead = after === '' ? '' : `${after} `
  const found = new Map<string, string>()
  for (const [name, { summary }] of Object.entries(spec)) {
    if (!name.startsWith(lead)) continue
    const [word = '', more] = name.slice(lead.length).split(' ')
    if (more === undefined || !found.has(word)) found.set(word, more === undefined ? summary : '')
  }
  if (after === '') found.set('help', 'Show the help of a command')
  return [...found].map(([value, description]) => ({ value, description }))
}

function flagsOf({ flags }: CommandSpec, used: ReadonlySet<string>): Candidate[] {
  const own = Object.entries(flags).filter(([name]) => !used.has(name))
  const shown = own.map(([name, { description }]) => ({ value: `--${name}`, description }))
  return [...shown, { value: '--help', description: 'show help' }]
}

/** Flags by what their values are. */
const metricFlags: ReadonlySet<string> = new Set(['min', 'max', 'then-min', 'then-max', 'stop-min', 'stop-max'])
const expressionFlags: ReadonlySet<string> = new Set(['by', 'where', 'keep-where', 'stop-when', 'resume-from'])

async function valuesOf(
  { flag, spec, lead, positionals }: Extract<Wanted, { kind: 'value' }>,
  { current }: TypedLine,
  here: Here,
): Promise<Completion> {
  const typed = current.slice(lead.length)
  const run = folderOf(
    positionals.find((word) => !isChoosingWord(word)),
    here,
  )
  const values = (found: readonly string[], before = '', open = false): Completion => ({
    ...nothing,
    open,
    candidates: found.map((one) => ({ value: `${lead}${before}${one}` })),
  })
  if (spec.options !== undefined) return values(spec.options)
  if (metricFlags.has(flag)) return values(await metricKeysOf(here.storage, run))
  if (expressionFlags.has(flag)) return values(await metaKeys(here.storage, run), beforeName(typed), true)
  if (flag === 'sort') {
    return values(await columnNamesOf(here.storage, run), typed.startsWith('-') ? '-' : '')
  }
  if (flag === 'columns') return values(await columnNamesOf(here.storage, run), beforeItem(typed), true)
  if (flag === 'key') return values(await fileKeys(here.storage, run))
  if (flag === 'require') return values(await fileKeys(here.storage, run), beforeItem(typed), true)
  if (flag === 'keep-every') return values(['epoch=', 'step='], '', true)
  // The shell completes a path only where it is a word of its own.
  return lead === '' ? { ...nothing, shell: pathsOf(spec.helpValue ?? '') } : nothing
}

function pathsOf(helpValue: string): Completion['shell'] {
  if (/^(DIR|FOLDER|RUN)$/.test(helpValue)) return 'folders'
  return /^(FILE|PATH|SOURCE)$/.test(helpValue) ? 'files' : 'none'
}

/** Of an expression all before the name that is being typed. */
function beforeName(typed: string): string {
  return typed.replace(/[\p{L}_][\p{L}\p{N}_./:-]*$/u, '')
}

/** Of a list with commas all before the item that is being typed. */
function beforeItem(typed: string): string {
  return typed.slice(0, typed.lastIndexOf(',') + 1)
}

async function argumentsOf(
  { command, name, positionals }: Extract<Wanted, { kind: 'argument' }>,
  spec: CompletionSpec,
  here: Here,
): Promise<Completion> {
  const plain = (values: readonly string[], shell: Completion['shell']): Completion => ({
    ...nothing,
    shell,
    candidates: values.map((value) => ({ value })),
  })
  if (command === 'config' && name === 'command') {
    return plain(
      Object.keys(spec).filter((one) => !one.includes(' ')),
      'none',
    )
  }
  if (command === 'completion') return plain(['bash', 'zsh', 'fish'], 'none')
  if (command === 'find' && positionals.length === 0) {
    return plain(['best', 'latest', ...(await runsBelow(here.storage, here.folder))], 'folders')
  }
  switch (name) {
    case 'run':
    case 'runs':
      return plain(await runsBelow(here.storage, here.folder), 'folders')
    case 'checkpoint':
    case 'what':
    case 'source':
      return plain(await checkpointNames(here.storage, here.folder), 'files')
    case '':
      return nothing
    default:
      return plain([], 'files')
  }
}

/** As the shell would read a word that names a folder. */
function folderOf(word: string | undefined, { folder, home }: Here): string {
  if (word === undefined) return folder
  return resolve(folder, word.replace(/^~(?=\/|$)/, home))
}
