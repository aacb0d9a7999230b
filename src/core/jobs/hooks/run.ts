/** Runs a hook: its arguments, and the error when it fails. */
import { CkptError } from '../../errors.js'
import { positionText } from '../../formats/yaml/config-yaml.js'
import type { ChosenHook } from './choose.js'
import type { HookFolder } from './hook.js'
import { fillWords, variableOf, type Values } from './placeholders.js'
import { quoteWord } from '../../formats/text/shell-words.js'

/** A process to be started, with nothing on its standard input. */
export interface HookProcess {
  readonly command: string
  readonly args: readonly string[]
  /** Beside this process's own environment, from which an outer hook's are taken out. */
  readonly environment: Readonly<Record<string, string>>
  /** Where it runs. */
  readonly folder: HookFolder
  /** Seconds; null for none. */
  readonly timeout: number | null
  readonly signal?: AbortSignal | undefined
}

export interface HookEnd {
  readonly reason:
    | { readonly kind: 'exited'; readonly status: number }
    | { readonly kind: 'killed'; readonly signal: string }
    | { readonly kind: 'timed-out' }
    | { readonly kind: 'stopped' }
    /** `errno` is the system's code: ENOENT, EACCES. */
    | { readonly kind: 'unstarted'; readonly errno: string }
  /** What it printed on both streams, in order; of much the last part. */
  readonly output: string
}

/** Runs a process to its end, and all that it started. Never rejects. */
export type RunProcess = (process: HookProcess) => Promise<HookEnd>

/** Lines of its output that are reported. */
const shownLines = 20

/**
 * Done when the command has exited with 0. Throws CkptError `hook-failed` with the hook's place, the command as it was
 * run and the end of its output; `interrupted`; `usage` for a value that is not known.
 */
export async function runHook(
  run: RunProcess,
  chosen: ChosenHook,
  values: Values,
  signal?: AbortSignal,
): Promise<void> {
  const { hook, command, step } = chosen
  const [program = '', ...args] =
    command.words === null ? ['sh', '-c', command.text] : fillWords(command.words, values, command)
  const { reason, output } = await run({
    command: program,
    args,
    environment: { CKPT_STEP: step, ...environmentOf(values) },
    folder: hook.folder,
    timeout: hook.timeout,
    signal,
  })
  if (reason.kind === 'exited' && reason.status === 0) return
  if (reason.kind === 'stopped') throw new CkptError('interrupted', 'interrupted; nothing was changed')
  throw failed(chosen, [program, ...args], reason, output)
}

function environmentOf(values: Values): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [variableOf(name), value]))
}

function failed(
  { hook, command, step }: ChosenHook,
  argv: readonly string[],
  reason: HookEnd['reason'],
  output: string,
): CkptError {
  const lines = output.trimEnd().split('\n')
  const shown = output.trim() === '' ? ['  (it printed nothing)'] : lines.slice(-shownLines).map((line) => `  ${line}`)
  const more = lines.length > shownLines ? [`  … the last ${shownLines} lines`] : []
  return new CkptError(
    'hook-failed',
    [
      `${positionText(command.position)}: the ${step} hook ${howItEnded(reason, hook.timeout)}: ${argv.map(quoteWord).join(' ')}`,
      ...more,
      ...shown,
    ].join('\n'),
    { hint: hintFor(reason, argv[0] ?? '', hook.folder.path) },
  )
}

function howItEnded(reason: HookEnd['reason'], timeout: number | null): string {
  switch (reason.kind) {
    case 'exited':
      return `failed with exit status ${reason.status}`
    case 'killed':
      return `was killed by ${reason.signal}`
    case 'timed-out':
      return `was stopped after its timeout of ${timeout ?? 0} s`
    case 'unstarted':
      return `could not be started (${reason.errno})`
    case 'stopped':
      return 'was stopped'
  }
}

function hintFor(reason: HookEnd['reason'], program: string, folder: string): string {
  if (reason.kind !== 'unstarted') return 'mend the hook or what it was given; nothing half done was left'
  if (reason.errno === 'ENOENT')
    return `is ${program} installed, and on the PATH? A relative path is looked up in ${folder}`
  if (reason.errno === 'ESTALE')
    return `another folder was put in the place of ${folder}: see who changes it, then try again`
  return `may ${program} be executed?`
}
