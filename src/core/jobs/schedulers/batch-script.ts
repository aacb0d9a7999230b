/** A job script made ready for Slurm: the options that a requeue needs, and `ckpt run` around what it does. */
import { CkptError } from '../../errors.js'
import { shellWord } from '../../formats/text/shell-words.js'

export interface BatchRequest {
  /** For people. */
  readonly name: string
  readonly script: string
  /** Options that sbatch will be given beside those in the script. */
  readonly options: readonly string[]
  /** One job continues another, so that none needs to be put back into the queue. */
  readonly isChained: boolean
  /** Wraps what the script does; null where the script calls `ckpt run` itself. */
  readonly wrap: Wrap | null
}

export interface Wrap {
  /** Words that start ckpt. */
  readonly program: readonly string[]
  /** Absolute path; `%a` stands for the index in the job array. */
  readonly run: string
  /** Flags of `ckpt run`. */
  readonly flags: readonly string[]
}

/** Each with the spellings that say that the user has decided it. */
const needed: readonly { readonly spellings: readonly string[]; readonly option: (request: BatchRequest) => string }[] =
  [
    { spellings: ['--requeue', '--no-requeue'], option: ({ isChained }) => (isChained ? '--no-requeue' : '--requeue') },
    { spellings: ['--signal'], option: () => '--signal=B:USR1@120' },
    { spellings: ['--open-mode'], option: () => '--open-mode=append' },
  ]

/**
 * The script with what is missing. Wrapped, it starts itself a second time under `ckpt run`, from the copy that Slurm
 * keeps of it: nothing else has to stay where it is until the job starts. Throws CkptError `usage` for what is not a shell
 * script, as it cannot do that.
 */
export function batchScript(request: BatchRequest): string {
  const lines = request.script.split('\n')
  const [interpreter = ''] = lines
  if (!/^#!.*\b(ba|da|k|z)?sh\b/.test(interpreter)) throw noShell(request.name, interpreter)
  const end = endOfOptions(lines)
  const given = [...optionsIn(lines.slice(0, end)), ...request.options]
  const missing = needed.filter(({ spellings }) => !spellings.some((spelling) => given.some(isSpelt(spelling))))
  return [
    ...lines.slice(0, end),
    ...missing.map(({ option }) => `#SBATCH ${option(request)}`),
    ...(request.wrap === null ? [] : wrapping(request.wrap, interpreter)),
    ...lines.slice(end),
  ].join('\n')
}

/** True when the script starts `ckpt run` by itself. */
export function callsRun(script: string): boolean {
  return /^[^#\n]*\bckpt\s+run\b/m.test(script)
}

/** sbatch takes options from the script up to the first line that is a command: here the index of the line after them. */
function endOfOptions(lines: readonly string[]): number {
  const command = lines.findIndex((line) => !/^\s*(#|$)/.test(line))
  return 1 + lines.slice(0, command === -1 ? undefined : command).findLastIndex((line) => /^#(!|SBATCH\b)/.test(line))
}

/** Their words; the quotes around a value do not matter for which option it is. A comment may follow them. */
function optionsIn(lines: readonly string[]): string[] {
  const texts = lines.flatMap((line) => /^#SBATCH\s+(.*)$/.exec(line)?.[1] ?? [])
  return texts.flatMap((text) => text.replace(/(^|\s)#.*$/, '').split(/\s+/))
}

function isSpelt(spelling: string): (word: string) => boolean {
  return (word) => word === spelling || word.startsWith(`${spelling}=`)
}

/** The mark bears the job's id: a job that was submitted from within such a script is another one. */
function wrapping({ program, run, flags }: Wrap, interpreter: string): string[] {
  const shell = interpreter.slice(2).trim()
  const path = run.split('%a').map(shellWord).join('"$SLURM_ARRAY_TASK_ID"')
  const words = [...program.map(shellWord), 'run', path, ...flags.map(shellWord), '--', shell, '"$0" "$@"']
  return [
    '# Added by ckpt submit: what follows runs under ckpt run.',
    'if [ "${CKPT_SUBMITTED:-}" != "$SLURM_JOB_ID" ]; then',
    '  export CKPT_SUBMITTED="$SLURM_JOB_ID"',
    `  exec ${words.join(' ')}`,
    'fi',
  ]
}

function noShell(name: string, interpreter: string): CkptError {
  return new CkptError('usage', `${name} is not a shell script: its first line is ${JSON.stringify(interpreter)}`, {
    hint: 'its first line must be #!/bin/bash, or another shell',
  })
}
