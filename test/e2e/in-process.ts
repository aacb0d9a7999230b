/**
 * The built program without a process of its own: what it writes to stdout and stderr is caught, and folder and
 * environment are this process's for the while. A start costs ten times what most commands do.
 */
import { createRequire } from 'node:module'
import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { Script } from 'node:vm'

type Main = (args: string[], installation: object) => Promise<boolean>

interface Written {
  readonly 1: Buffer[]
  readonly 2: Buffer[]
}

/** What the program writes now; null while it does not run. */
let written: Written | null = null

/** Folders that the program lists, while somebody wants to know. */
let listed: string[] | null = null

/** The paths of the folders that the program lists meanwhile, each as often as it does. */
export async function noteListed(work: () => Promise<unknown>): Promise<string[]> {
  const noted: string[] = (listed = [])
  try {
    await work()
    return noted
  } finally {
    listed = null
  }
}

/** The file system, but for the two streams. */
const system = {
  ...fs,
  readdirSync(path: string, options: { withFileTypes: true }) {
    listed?.push(path)
    return fs.readdirSync(path, options)
  },
  writeSync(fd: number, bytes: Uint8Array, offset = 0, ...rest: []) {
    const stream = written?.[fd as 1 | 2]
    if (stream === undefined) return fs.writeSync(fd, bytes, offset, ...rest)
    stream.push(Buffer.from(bytes.subarray(offset)))
    return bytes.length - offset
  },
  fstatSync(fd: number, ...rest: []) {
    return written?.[fd as 1 | 2] === undefined ? fs.fstatSync(fd, ...rest) : { isCharacterDevice: () => false }
  },
}

/** By path: dist/cli.cjs, and the parts of the program that it loads. */
const programs = new Map<string, { exports: object }>()

function load(file: string): object {
  const known = programs.get(file)
  if (known !== undefined) return known.exports
  const own = createRequire(file)
  const require = (id: string): unknown => {
    if (id === './cli.cjs' || id.startsWith('./part-')) return load(join(dirname(file), id))
    return /^(node:)?fs$/.test(id) ? system : own(id)
  }
  const script = new Script(fs.readFileSync(file, 'latin1'), { filename: file })
  const module = { exports: {} }
  programs.set(file, module)
  const run = script.runInThisContext() as (...args: unknown[]) => void
  run(module.exports, require, module, file, dirname(file))
  return module.exports
}

/** Commands that hand their streams or their process to a child, or live on until somebody ends them. */
const needsProcess = new Set(['run', 'watch', 'submit', 'stop', 'help', '__complete'])
const startsChild = new Set(['--', '--serve'])
const readsInput = /(^|=)-$/

/** Only one at a time; and what the starter answers itself (bin/quick.js) needs the starter. */
export function canRunHere(args: readonly string[]): boolean {
  const [command = ''] = args
  if (written !== null || needsProcess.has(command) || !/^[a-z]/.test(command)) return false
  return !args.some((one) => startsChild.has(one) || readsInput.test(one) || one === '--help' || one === '-h')
}

function statusNow(): number {
  return Number(process.exitCode ?? 0)
}

/** `root` is the project, `cwd` a folder, `env` the whole environment. */
export async function runHere(
  args: readonly string[],
  { root, cwd, env }: { readonly root: string; readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<{ status: number; stdout: string; stderr: string }> {
  const { main } = load(join(root, 'dist', 'cli.cjs')) as { main: Main }
  const before = { cwd: process.cwd(), env: process.env, status: process.exitCode }
  const mine: Written = { 1: [], 2: [] }
  written = mine
  try {
    process.env = env
    process.exitCode = undefined
    process.chdir(cwd)
    await main([...args], { root, version: 'test', readSpec: () => ({}) })
    return {
      status: statusNow(),
      stdout: Buffer.concat(mine[1]).toString('utf8'),
      stderr: Buffer.concat(mine[2]).toString('utf8'),
    }
  } finally {
    written = null
    process.chdir(before.cwd)
    process.env = before.env
    process.exitCode = before.status
  }
}
