/** Every example in help and README, typed as it stands, in a folder where the names that they use exist. */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { splitWords } from '../../src/core/formats/text/shell-words.js'
import { shellWord } from '../../src/core/formats/text/shell-words.js'
import { ckpt, shell, temporaryDirectory, type Outcome } from './ckpt.js'
import { letRest } from '../let-rest.js'

const project = fileURLToPath(new URL('../..', import.meta.url))
const read = (name: string) => readFileSync(join(project, name), 'utf8')

interface Manifest {
  readonly commands: Readonly<
    Record<
      string,
      {
        readonly hidden?: boolean
        readonly examples?: readonly { readonly command: string }[]
        readonly flags?: Readonly<Record<string, unknown>>
      }
    >
  >
}

const manifest = JSON.parse(read('oclif.manifest.json')) as Manifest
const typed = Object.entries(manifest.commands)
  .filter(([, { hidden }]) => hidden !== true)
  .flatMap(([id, { examples = [] }]) =>
    examples.map(({ command }) => [id, command.replaceAll('<%= config.bin %>', 'ckpt')] as const),
  )

/** Those that the example's own text says to be no success, and one that hangs on the disk it runs on. */
const otherStatuses: readonly [command: RegExp, statuses: readonly number[]][] = [
  [/^ckpt transfer pretrained\.safetensors new\.safetensors$/, [5]],
  [/--min-free/, [0, 6]],
  // Nothing was moved, or pinned, before.
  [/^ckpt (trash restore|unpin) /, [3]],
  // The sample has three metrics, and was written just now; nobody trained an adapter upon it.
  [/^ckpt pin exp\/save --best/, [0, 2]],
  [/^ckpt prune -r /, [0, 6]],
  [/--merge-lora/, [3]],
  [/^ckpt runs exp --where/, [0, 3]],
  // No job was run before.
  [/^ckpt (log|stop)\b/, [3]],
]

const plan = `
collect_in: pretrained
output: init
loadables: {model: {target: new.safetensors, skip-mismatched: true}, lm: }
paths: {model: {run: exp/save, min: WER}, lm: model.ckpt}
conditions: {lm: use_lm}
set: {use_lm: false}
`

/** The sample run as `exp`, and files by the names that examples give them. */
function workspace(): string {
  const folder = temporaryDirectory()
  const sample = join(project, 'examples', 'asr')
  cpSync(sample, join(folder, 'exp'), { recursive: true })
  letRest(join(folder, 'exp'))
  const model = join(sample, 'save', 'CKPT+2026-11-02+13-44-08+00', 'model.ckpt')
  mkdirSync(join(folder, 'out'))
  for (const name of ['model.ckpt', 'pretrained.safetensors', 'out/model.safetensors'])
    cpSync(model, join(folder, name))
  cpSync(join(sample, 'new-language.safetensors'), join(folder, 'new.safetensors'))
  writeFileSync(join(folder, 'plan.yaml'), plan)
  for (const own of ['bin', 'home', 'tmp']) mkdirSync(join(folder, own))
  writeFileSync(join(folder, 'train.sh'), '#!/bin/bash\npython train.py\n')
  for (const [name, answer] of Object.entries({ python: 'started: $*', sbatch: '4711' })) {
    writeFileSync(join(folder, 'bin', name), `#!/bin/sh\necho "${answer}"\n`, { mode: 0o755 })
  }
  return folder
}

/** Nothing but words and quotes: what a shell would make of it is what the command is given. */
const isPlain = /^ckpt(?: (?:[\w./=,+:@%-]+|'[^']*'|"[^"$`\\]*"))*$/

/** One command, in a shell where it needs one: most are run in this process, for a start costs ten times as much. */
async function typeOne(command: string): Promise<Outcome> {
  if (!isPlain.test(command)) return type(command)
  const cwd = workspace()
  const [, ...args] = splitWords(command.replaceAll('/tmp/', `${cwd}/tmp/`)).map(({ text }) => text)
  return ckpt(args, { cwd, env: ownEnvironment(cwd) })
}

/** An example that writes into ~/.bashrc must not find that of whoever runs the tests. */
function ownEnvironment(cwd: string): Record<string, string> {
  return { PATH: `${cwd}/bin:${process.env['PATH'] ?? ''}`, HOME: `${cwd}/home` }
}

/** `failed` lists the exit statuses of the single commands that were not 0. */
async function type(script: string): Promise<Outcome & { failed: number[] }> {
  const cwd = workspace()
  const own = script.replaceAll('/tmp/', shellWord(`${cwd}/tmp/`))
  const traced = `set -o pipefail; STATUSES=${shellWord(join(cwd, 'statuses'))}; trap 'echo "status $?" >>"$STATUSES"' ERR\n${own}`
  const outcome = await shell(traced, { cwd, env: ownEnvironment(cwd) })
  const statuses = existsSync(join(cwd, 'statuses')) ? readFileSync(join(cwd, 'statuses'), 'utf8') : ''
  return { ...outcome, failed: [...statuses.matchAll(/\d+/g)].map(([digits]) => Number(digits)) }
}

describe('the examples in help', () => {
  it('are there for every command but the help and the completion', () => {
    const own = Object.keys(manifest.commands).filter((id) => !/^(help|autocomplete)/.test(id))
    expect([...new Set(typed.map(([id]) => id))].sort()).toEqual(own.sort())
  })

  it.each(typed)('%s: %s', async (_, command) => {
    // The other run of a comparison; other examples make it themselves.
    const { status, stdout, stderr } = await typeOne(command.replace(/^ckpt diff .*exp2/, 'cp -r exp exp2; $&'))
    const [, statuses = [0]] = otherStatuses.find(([pattern]) => pattern.test(command)) ?? []
    expect(statuses, stderr).toContain(status)
    if (status === 0) expect(stdout + command).not.toBe('')
    expect(stderr).not.toMatch(/no checkpoint has|^ {4}at /m)
  })
})

describe('docs/quick-start.md', () => {
  const [, block = ''] = /^```sh runnable\n(.*?)^```$/ms.exec(read('docs/quick-start.md')) ?? []

  it('works as typed, line by line', async () => {
    expect(block.trim().split('\n').length).toBeGreaterThan(5)
    const { status, stderr, failed } = await type(block)
    expect(status, stderr).toBe(0)
    expect(failed).toEqual([])
  })
})

describe('docs/recipes.md', () => {
  it.each([...read('docs/recipes.md').matchAll(/^```sh runnable\n(.*?)^```$/gms)].map(([, text = '']) => [text]))(
    '%s',
    async (text) => {
      const { status, stderr, failed } = await type(text)
      expect({ status, failed }, stderr).toEqual({ status: 0, failed: [] })
      expect(stderr).not.toMatch(/no checkpoint has|^ {4}at /m)
    },
  )

  const lines = [...read('docs/recipes.md').matchAll(/^```sh[^\n]*\n(.*?)^```$/gms)]
    .flatMap(([, text = '']) => text.split('\n'))
    .flatMap((line) => /\bckpt .*/.exec(line.replace(/ # .*/, ''))?.[0] ?? [])

  it.each(lines)('%s: a command, and flags that it has', (line) => {
    const [, first = '', second = ''] = line.split(' ')
    const command = manifest.commands[`${first}:${second}`] ?? manifest.commands[first]
    const known = Object.keys(command?.flags ?? {})
    const flags = [...line.matchAll(/ --([a-z][a-z-]*)/g)].map(([, name = '']) => name)
    for (const flag of flags) expect(known).toContain(flag)
    expect(known).not.toEqual([])
  })
})

const blocks = [...read('README.md').matchAll(/^```sh([^\n]*)\n(.*?)^```$/gms)].map(([, mark = '', text = '']) => ({
  runnable: mark.includes('runnable'),
  text,
}))

describe("README's commands", () => {
  it('are marked as runnable', () => {
    expect(blocks.filter(({ runnable }) => runnable).length).toBeGreaterThan(3)
  })

  // What installs and tests the project itself is run by .ci/run.
  it.each(blocks.filter(({ text }) => !/^npm |^npx /m.test(text)).map(({ text }) => [text]))('%s', async (text) => {
    const { status, stderr, failed } = await type(text)
    expect(status, stderr).toBe(0)
    // The transfer that only reports finds shapes that differ, as README says.
    expect(failed.filter((one) => one !== 5 || !text.includes('ckpt transfer'))).toEqual([])
    expect(stderr).not.toMatch(/no checkpoint has|^ {4}at /m)
  })
})
