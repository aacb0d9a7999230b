/** Runs the built program as a user would. */
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'

const project = fileURLToPath(new URL('../..', import.meta.url))

/** Absolute path of the program that the build makes. */
export const program = join(project, 'bin', 'run.js')

export interface Outcome {
  /** The exit status; 128 + N when killed by signal N, as a shell says it. */
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd?: string
  /** Beside this process's own, out of which colours, terminals and what an outer ckpt set are taken. */
  readonly env?: Readonly<Record<string, string>>
  /** Given on standard input, which is empty when this is left out. */
  readonly input?: string
}

/** Never throws for the program's sake. No terminal is there, so nothing is asked. */
export function ckpt(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: options.cwd ?? project,
    env: { ...plainEnvironment(), ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  // A program that ends before it has read its input is no failure of the test.
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

/** A copy of test/fixtures/NAME with times and links as they are; gives its path. Removed after the file's tests. */
export function copyFixture(name: string): string {
  const copy = join(temporaryDirectory(), name.replaceAll('/', '-'))
  cpSync(join(project, 'test', 'fixtures', name), copy, {
    recursive: true,
    preserveTimestamps: true,
    verbatimSymlinks: true,
  })
  return copy
}

/** Removed after the file's tests. */
export function temporaryDirectory(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'ckpt-e2e-')))
  temporary.push(path)
  return path
}

const temporary: string[] = []

afterAll(() => {
  for (const path of temporary.splice(0)) rmSync(path, { recursive: true, force: true })
})

const unwanted = /^(NO_COLOR|FORCE_COLOR|CLICOLOR.*|COLUMNS|LINES|NODE_OPTIONS|VITEST.*|CKPT_.*)$/

function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !unwanted.test(name)))
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const parts: Buffer[] = []
  stream.on('data', (part: Buffer) => parts.push(part))
  return () => Buffer.concat(parts).toString('utf8')
}
