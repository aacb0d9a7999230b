/** The answer to a shell when Tab is pressed: the candidates for the word at the cursor. */
import { resolve } from 'node:path'
import type { Storage } from '../../core/storage/storage.js'
import { choosingWords, isChoosingWord } from '../../core/checkpoints/choosing-words.js'
import {
  columnNamesOf,
  checkpointNames,
  fileKeys,
  metaKeys,
  metricKeysOf,
  runsBelow,
  trashedNames,
  type Seen,
} from './of-run.js'
import { pathsFrom } from './paths.js'
import { wantedAt, type TypedLine, type Wanted } from './line.js'
import type { CommandSpec, CompletionSpec, FlagSpec } from './spec.js'

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

export interface Here extends Seen {
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
      return argumentsOf(wanted, line, spec, here)
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
async function valuesOf(
  { flag, spec, lead, command, positionals }: Extract<Wanted, { kind: 'value' }>,
  { current }: TypedLine,
  here: Here,
): Promise<Completion> {
  const typed = current.slice(lead.length)
  const run = folderOf(runAmong(command, positionals), here)
  const values = (found: readonly string[], before = '', open = false): Completion => ({
    ...nothing,
    open,
    candidates: found.map((one) => ({ value: `${lead}${before}${one}` })),
  })
  if (spec.options !== undefined) return values(spec.options)
  if (metricFlags.has(flag)) return values(await metricKeysOf(here, run))
  if (flag === 'resume-from') {
    const found = [...(await checkpointNames(here, run)), ...(await metaKeys(here, run))]
    return values(typed === '' ? found : await metaKeys(here, run), beforeName(typed), true)
  }
  if (spec.helpValue === 'EXPR') return values(await metaKeys(here, run), beforeName(typed), true)
  if (flag === 'training') return values(['newest', 'all'])
  if (flag === 'sort') {
    return values(await columnNamesOf(here, run, command), typed.startsWith('-') ? '-' : '')
  }
  if (flag === 'columns') return values(await columnNamesOf(here, run, command), beforeColumn(typed), true)
  if (flag === 'key') return values(await fileKeys(here, run))
  if (flag === 'require') return values(await fileKeys(here, run), beforeItem(typed), true)
  if (flag === 'keep-every') return values(['epoch=', 'step='], '', true)
  const shell = pathsOf(spec.helpValue ?? '')
  // The shell completes a path only where it is a word of its own.
  if (lead === '' && !isPair(spec)) return { ...nothing, shell }
  const before = isPair(spec) ? typed.slice(0, typed.indexOf('=') + 1) : ''
  if (shell === 'none' || (isPair(spec) && before === '')) return nothing
  const path = typed.slice(before.length)
  return values(await pathsFrom(here.storage, here.folder, path, shell === 'folders'), before, true)
}

/** The word that names the run, as the command line stands. */
function runAmong(command: string, positionals: readonly string[]): string | undefined {
  const named = positionals.filter((word) => !isChoosingWord(word))
  return command === 'submit' ? named[1] : named[0]
}

/** `--file model=model.pt`. */
function isPair({ helpValue = '' }: FlagSpec): boolean {
  return helpValue.includes('=')
}

function pathsOf(helpValue: string): Completion['shell'] {
  if (/^(DIR|FOLDER|RUN)$/.test(helpValue)) return 'folders'
  return /^(FILE|PATH|SOURCE|KEY=PATH)$/.test(helpValue) ? 'files' : 'none'
}

/** Of an expression all before the name that is being typed. */
function beforeName(typed: string): string {
  return typed.replace(/[\p{L}_][\p{L}\p{N}_./:-]*$/u, '')
}

/** Of a list with commas all before the item that is being typed. */
function beforeItem(typed: string): string {
  return typed.slice(0, typed.lastIndexOf(',') + 1)
}

/** The same, with the sign that adds or takes away a column. */
function beforeColumn(typed: string): string {
  const before = beforeItem(typed)
  const sign = typed.charAt(before.length)
  return sign === '+' || sign === '-' ? before + sign : before
}

type WantedArgument = Extract<Wanted, { kind: 'argument' }>

function plain(values: readonly string[], shell: Completion['shell']): Completion {
  return { ...nothing, shell, candidates: values.map((value) => ({ value })) }
}

async function argumentsOf(
  wanted: WantedArgument,
  line: TypedLine,
  spec: CompletionSpec,
  here: Here,
): Promise<Completion> {
  return (await argumentsOfCommand(wanted, line, spec, here)) ?? argumentsByName(wanted, line, here)
}

/** Of commands whose arguments are not what their names say elsewhere; null for all others. */
async function argumentsOfCommand(
  { command, name, positionals }: WantedArgument,
  line: TypedLine,
  spec: CompletionSpec,
  here: Here,
): Promise<Completion | null> {
  if (command === 'config' && name === 'command') {
    return plain(
      Object.keys(spec).filter((one) => !one.includes(' ')),
      'none',
    )
  }
  if (command === 'completion') return plain(['bash', 'zsh', 'fish'], 'none')
  if (command === 'find') {
    const words = positionals.some(isChoosingWord) ? [] : ['best', 'latest']
    const isRunNamed = positionals.some((word) => !isChoosingWord(word))
    return isRunNamed ? plain(words, 'none') : plain([...words, ...(await runsTyped(line, here))], 'folders')
  }
  if (command === 'plot') {
    const keys = await metricKeysOf(here, folderOf(positionals[0], here))
    return plain([...keys, ...(await runsTyped(line, here))], 'folders')
  }
  if (command === 'trash restore') return plain(await trashedNames(here.storage, here.folder), 'files')
  return null
}

async function argumentsByName(
  { name, positionals }: WantedArgument,
  line: TypedLine,
  here: Here,
): Promise<Completion> {
  switch (name) {
    case 'run':
    case 'runs':
    case 'root':
      return plain(await runsTyped(line, here), 'folders')
    case 'checkpoint':
    case 'what':
    case 'source':
    case 'a':
    case 'b':
      return plain([...(await checkpointNames(here, here.folder)), ...(await wordsBehind(line, here))], 'files')
    case 'which':
      return plain(await checkpointNames(here, folderOf(positionals[0], here)), 'none')
    case '':
      return nothing
    default:
      return plain([], 'files')
  }
}

/** `exp/latest`, once its beginning is typed: the run at `exp` is looked at for nothing else. */
async function wordsBehind({ current }: TypedLine, here: Here): Promise<string[]> {
  const lead = current.slice(0, current.lastIndexOf('/') + 1)
  const begun = current.slice(lead.length)
  if (lead === '' || begun === '' || !choosingWords.some((word) => word.startsWith(begun))) return []
  const names = await checkpointNames(here, folderOf(lead, here))
  return names.length === 0 ? [] : choosingWords.map((word) => lead + word)
}

/** Runs below the folder that the word at the cursor ends in, as they would be typed. */
async function runsTyped({ current }: TypedLine, here: Here): Promise<string[]> {
  const lead = current.slice(0, current.lastIndexOf('/') + 1)
  const runs = await runsBelow(here, folderOf(lead, here), current.slice(lead.length))
  return runs.map((run) => lead + run)
}

/** As the shell would read a word that names a folder. */
function folderOf(word: string | undefined, { folder, home }: Here): string {
  if (word === undefined) return folder
  return resolve(folder, word.replace(/^~(?=\/|$)/, home))
}
