/** SpeechBrain runs made for one test. */
import { mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ckpt, temporaryDirectory, type Outcome, type RunOptions } from './ckpt.js'

/** By name of the checkpoint: the text of its CKPT.yaml, or that and other files. */
export type Checkpoints = Readonly<Record<string, string | Readonly<Record<string, string | Uint8Array>>>>

/** Writes a run `exp/save` in a folder of its own; gives its path. */
export function makeRun(checkpoints: Checkpoints, run = join(temporaryDirectory(), 'exp', 'save')): string {
  mkdirSync(run, { recursive: true })
  for (const [name, content] of Object.entries(checkpoints)) {
    const files = typeof content === 'string' ? { 'CKPT.yaml': content, 'model.ckpt': name } : content
    for (const [file, bytes] of Object.entries(files)) writeAt(join(run, name, file), bytes)
  }
  return run
}

function writeAt(path: string, bytes: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, bytes)
  utimesSync(path, longAgo, longAgo)
}

/** Unix seconds. What has been quiet for an hour is not looked at twice before it is deleted or resumed from. */
const longAgo = 1_700_000_000

/** Epochs 1 to `count`, an hour apart and long ago: WER falls, ACC rises, loss is best in the middle. */
export function epochs(count: number): Checkpoints {
  const middle = Math.ceil(count / 2)
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => {
      const epoch = index + 1
      const lines = [
        `epoch: ${epoch}`,
        `unixtime: ${1_700_000_000 + epoch * 3600}.0`,
        `WER: ${100 - epoch}.5`,
        `ACC: 0.${String(epoch).padStart(3, '0')}`,
        `loss: ${Math.abs(epoch - middle) + 0.5}`,
        `end-of-epoch: ${epoch % 2 === 0}`,
      ]
      return [nameOf(epoch), `${lines.join('\n')}\n`]
    }),
  )
}

export function nameOf(epoch: number): string {
  return `CKPT+ep${String(epoch).padStart(3, '0')}`
}

export interface Answer {
  readonly run: string
  readonly checkpoints: readonly {
    readonly name: string
    readonly path: string
    readonly step: number | null
    readonly epoch: number | null
    readonly size: number | null
    readonly health: string
    readonly meta: Readonly<Record<string, unknown>>
    readonly files: Readonly<Record<string, { readonly path: string; readonly size: number }>>
    readonly marks?: readonly string[]
  }[]
}

export interface Failed {
  readonly error: { readonly code: string; readonly message: string; readonly hint: string | null }
}

/** The document that the command prints with --json. */
export async function document<T = Answer>(args: readonly string[], options: RunOptions = {}): Promise<T> {
  return parse<T>(await ckpt([...args, '--json'], options))
}

// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller knows the document
export function parse<T>({ stdout, stderr }: Outcome): T {
  try {
    return JSON.parse(stdout) as T
  } catch (cause) {
    throw new Error(`no JSON on stdout: ${stdout.slice(0, 500)}\n${stderr}`, { cause })
  }
}

/** Names of the checkpoints that the command answers with. */
export async function names(args: readonly string[], options: RunOptions = {}): Promise<string[]> {
  return (await document(args, options)).checkpoints.map((checkpoint) => checkpoint.name)
}

/** Every file and folder below, with what tells whether it was touched. */
export function snapshot(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const { ino, size, mtimeMs, mode } = statSync(join(folder, name))
      return `${name} ${ino} ${size} ${mtimeMs} ${mode.toString(8)}`
    })
}
