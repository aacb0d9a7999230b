import { shellWord } from '../../src/core/formats/text/shell-words.js'
/** Runs the built program as a user would. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inject } from 'vitest'
import { temporaryDirectory } from '../temporary.js'
import { canRunHere, runHere } from './in-process.js'

export { copyFixture, temporaryDirectory } from '../temporary.js'

const project = fileURLToPath(new URL('../..', import.meta.url))

/** Absolute path of the program that the build makes. */
export const program = join(project, 'bin', 'run.js')

/** `npm run test:binary` has the one-file executable tested in its place. */
const executable = process.env['CKPT_TEST_EXECUTABLE']

export const isOneFile = executable !== undefined

/** What is started, before ckpt's own arguments. */
const [command, ...before]: [string, ...string[]] =
  executable === undefined ? [process.execPath, program] : [executable]

export interface Outcome {
  /** The exit status; 128 + N when killed by signal N, as a shell says it. */
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd?: string
  /** Beside the plain environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Given on standard input, which is empty when this is left out. */
  readonly input?: string
}

/**
 * Never throws for the program's sake. No terminal is there, so nothing is asked. In this process where the command
 * needs none of its own, and no other one runs here (in-process.ts).
 */
export function ckpt(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { cwd = project, env = {}, input } = options
  const isForEachCommand = Object.keys(env).every((name) => readByEachCommand.has(name))
  if (isOneFile || input !== undefined || !isForEachCommand || !canRunHere(args)) return inOwnProcess(args, options)
  return runHere(args, { root: project, cwd, env: { ...plainEnvironment(), ...env } })
}

/** Variables that no module of the program reads when it is loaded. */
const readByEachCommand = new Set(['HOME', 'PATH'])

/** The same, started as a user would. */
function inOwnProcess(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return outcomeOf(start(args, options), options)
}

/** The program, running. */
export function start(args: readonly string[], options: RunOptions = {}): ChildProcessWithoutNullStreams {
  return startProcess(command, [...before, ...args], { ...options, env: { ...cacheOf(args[0]), ...options.env } })
}

/** Compiled code of earlier tests' starts of the same command (code-caches.ts), where the tests have that at all. */
function cacheOf(command = 'here'): Readonly<Record<string, string>> {
  const caches = inject('codeCaches')
  return caches === undefined || !/^[a-z]+$/.test(command) ? {} : { XDG_CACHE_HOME: join(caches, command) }
}

/**
 * Runs a bash script in which `ckpt` is the built program. A bash of level 1 whose input is a socket takes itself for one
 * that rshd started, and reads the user's own .bashrc, were it not for --norc.
 */
export function shell(script: string, options: RunOptions = {}): Promise<Outcome> {
  const path = `${commandFolder()}:${options.env?.['PATH'] ?? process.env['PATH'] ?? ''}`
  return outcomeOf(
    startProcess('bash', ['--norc', '-c', script], { ...options, env: { ...options.env, PATH: path } }),
    options,
  )
}

let folder: string | undefined

/** A folder with `ckpt` in it. */
export function commandFolder(): string {
  if (folder !== undefined) return folder
  folder = temporaryDirectory()
  const words = [command, ...before].map(shellWord).join(' ')
  const caches = inject('codeCaches')
  const cache = caches === undefined ? '' : `: "\${XDG_CACHE_HOME:=${caches}/\${1:-here}}"; export XDG_CACHE_HOME\n`
  writeFileSync(join(folder, 'ckpt'), `#!/bin/sh\n${cache}exec ${words} "$@"\n`, { mode: 0o755 })
  return folder
}

function startProcess(command: string, args: readonly string[], options: RunOptions): ChildProcessWithoutNullStreams {
  return spawn(command, args, {
    cwd: options.cwd ?? project,
    env: { ...plainEnvironment(), ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}

/** What the process comes to, its input given. */
export function outcomeOf(child: ChildProcessWithoutNullStreams, options: RunOptions = {}): Promise<Outcome> {
  // A program that ends before it has read its input is not a failure of the test.
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input ?? '')
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      const status = code ?? (signal === null ? 1 : 128 + constants.signals[signal])
      resolve({ status, stdout: stdout(), stderr: stderr() })
    })
  })
}

/** `_` is how nohup is known; bash complains of a locale that is not there. */
const unwanted =
  /^(_|LANG|LC_.*|NO_COLOR|FORCE_COLOR|CLICOLOR.*|COLUMNS|LINES|NODE_OPTIONS|VITEST.*|(CKPT|SLURM|PBS|LSB)_.*)$/

/** This process's own, without what an outer job, terminal or person has set. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !unwanted.test(name))
  // Nobody's own settings are in force.
  return { ...Object.fromEntries(inherited), XDG_CONFIG_HOME: '/nonexistent' }
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const parts: Buffer[] = []
  stream.on('data', (part: Buffer) => parts.push(part))
  return () => Buffer.concat(parts).toString('utf8')
}
