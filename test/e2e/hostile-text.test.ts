/** Every command on a run in which every string is hostile: nothing that a terminal obeys comes out, byte by byte. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadCommand } from '../../src/commands/load.js'
import { formatHeader } from '../../src/core/formats/safetensors/safetensors.js'
import { Loopback } from '../loopback.js'
import { ckpt, temporaryDirectory, type Outcome } from './ckpt.js'
import { hasScript, onTerminal } from './on-terminal.js'
import { makeRun } from './runs.js'

/** A title, a cleared screen, colours by C0 and C1, other directions, a line of its own, DEL, an invisible tag. */
const wild = '\u001b]0;PWN\u0007\u001b[2J\u001b[31m\u009b31m\u202e\u2066\u061c\u0085\u007f\u{e0041}\r'
/** What a terminal obeys, or what changes the order of what is read; line feeds and tabs are ours. */
const obeyed =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/u

let server: Loopback
beforeAll(async () => {
  server = await Loopback.start()
})
afterAll(() => server.stop())

function tensors(): Uint8Array {
  const list = [{ name: `w${wild}`, dtype: 'F32' as const, shape: [4], bytes: 16 }]
  return Buffer.concat([formatHeader(list, new Map([[`key${wild}`, `value${wild}`]])), Buffer.alloc(16, 1)])
}

interface Place {
  readonly root: string
  readonly run: string
  readonly newest: string
  readonly file: string
  readonly other: string
  readonly plan: string
  readonly script: string
}

/** Three checkpoints, an owner of a lock that died, a journal, a leftover: all with hostile strings. */
function hostile(): Place {
  const root = join(temporaryDirectory(), `a${wild}b`)
  const run = join(root, `save${wild}`)
  const meta = (epoch: number) =>
    `epoch: ${epoch}\nunixtime: ${1_700_000_000 + epoch * 3600}.0\nWER: ${9 - epoch}.0\nhost: ${JSON.stringify(`h${wild}`)}\n` +
    `${JSON.stringify(`k${wild}`)}: ${JSON.stringify([`v${wild}`])}\n`
  const files = (epoch: number) => ({ 'CKPT.yaml': meta(epoch), [`m${wild}.ckpt`]: tensors(), 'model.ckpt': tensors() })
  const names = [1, 2, 3].map((epoch) => `CKPT+${epoch}${wild}`)
  makeRun(Object.fromEntries(names.map((name, index) => [name, files(index + 1)])), run)
  makeRun({ [`CKPT+0${wild}`]: { 'CKPT.yaml': `loss: [${wild}`, 'model.ckpt': 'cut' } }, run)
  const state = join(root, '.ckpt', `save${wild}`)
  mkdirSync(state, { recursive: true, mode: 0o700 })
  const job = { version: 1, kind: 'start', time: 1, command: [`c${wild}`], host: `h${wild}`, why: `w${wild}` }
  writeFileSync(join(state, 'journal.jsonl'), `${JSON.stringify(job)}\n{"x": "${'y'.repeat(9)}\n`)
  writeFileSync(
    join(state, 'pins.json'),
    JSON.stringify({ version: 1, pins: [{ name: `CKPT+9${wild}`, note: `n${wild}`, time: 1 }] }),
  )
  const [file, other] = [`f${wild}.safetensors`, `g${wild}.safetensors`].map((name) => join(root, name))
  for (const path of [file, other]) if (path !== undefined) writeFileSync(path, tensors())
  const script = join(root, `job${wild}.sh`)
  writeFileSync(script, `#!/bin/bash\n#SBATCH --time=1\npython train.py\n`)
  const plan = join(root, `plan${wild}.yaml`)
  writeFileSync(
    plan,
    `collect_in: got\nloadables: {m: }\npaths: {m: {url: "${server.origin}/m.pt?${encodeURIComponent(wild)}"}}\n`,
  )
  return { root, run, newest: join(run, names[2] ?? ''), file: file ?? '', other: other ?? '', plan, script }
}

/** The run with a checkpoint in it that nothing is wrong with but its name. */
function withSound(run: string): string {
  return makeRun({ [`CKPT+9${wild}`]: 'epoch: 9\nunixtime: 1800000000.0\nWER: 1.0\n' }, run)
}

type Line = (place: Place) => string[]

/** Of each command, ways to speak of all that it is given; with mistakes, for errors hold names too. */
const lines: Readonly<Record<keyof typeof loadCommand, readonly Line[]>> = {
  average: [({ file, other, root }) => [file, other, '-o', join(root, 'x.safetensors')], ({ run }) => [run]],
  completion: [() => [`x${wild}`]],
  config: [({ run }) => [run], ({ run }) => [run, `x${wild}`]],
  convert: [
    ({ file, root }) => [file, '--to', 'torch', '-o', join(root, `x${wild}.pt`)],
    ({ run }) => [run, '--to', 'torch'],
  ],
  demote: [({ run }) => [run, '--keep', '1', '--dry-run'], ({ run }) => [run, '--keep', '1', '--yes']],
  diff: [({ run }) => [run, run], ({ file, other }) => [file, other, '--values'], ({ newest, file }) => [newest, file]],
  doctor: [({ run }) => [run]],
  du: [({ root }) => [root], ({ root }) => [join(root, `x${wild}`)]],
  export: [
    ({ run, root }) => [run, '--into', join(root, `served${wild}`)],
    ({ newest, root }) => [newest, '--into', join(root, 'served'), '--dry-run'],
  ],
  find: [
    ({ run }) => [run, '--where', `${JSON.stringify(`a${wild}`)} == 1`],
    ({ root }) => ['-r', root, '--min', `k${wild}`],
  ],
  gc: [
    ({ root }) => [root, '--older-than', '1d', '--quiet-for', '0s', '--dry-run'],
    ({ root }) => [root, '--older-than', `x${wild}`],
  ],
  layouts: [({ run }) => [run]],
  'layouts:explain': [({ newest }) => [newest, '--all'], ({ root }) => [join(root, `x${wild}`)]],
  list: [({ run }) => [run, '--columns', `name,path,meta,health,host,k${wild}`], ({ root }) => ['-r', root]],
  log: [({ run }) => [run]],
  pin: [({ newest }) => [newest, '--note', `n${wild}`], ({ run }) => [join(run, `x${wild}`)]],
  plot: [
    ({ run }) => [run],
    ({ run }) => [run, `k${wild}`],
    ({ root }) => [join(root, `x${wild}`), '-o', join(root, `p${wild}.svg`)],
  ],
  pretrain: [({ plan }) => [plan], ({ plan }) => [plan, '--dry-run']],
  prune: [
    ({ run }) => [run, '--keep', '1', '--dry-run'],
    ({ run, root }) => [run, '--keep', '1', '--plan', join(root, `p${wild}.json`)],
    ({ run }) => [run, '--keep', '1', '--trash', '--yes'],
    ({ run }) => [run, '--keep', '1', '--yes', '--keep-where', `name == "x${wild}"`],
  ],
  recover: [({ run }) => [run, '--where', `name == "x"`], ({ run, newest }) => [run, '--into', newest]],
  report: [
    ({ run }) => [run, '--keep', '1', '-o', join(run, '..', `r${wild}.html`)],
    ({ root }) => [join(root, `x${wild}`), '-o', 'x.html'],
  ],
  rm: [({ newest }) => [newest, '--dry-run'], ({ newest }) => [newest, '--no-protect', '--trash', '--yes']],
  run: [({ run }) => [run, '--retries', `x${wild}`, '--', 'true'], ({ run }) => [run, '--', 'true']],
  runs: [
    ({ root }) => [root, '--columns', `run,best,best-checkpoint,k${wild}`],
    ({ root }) => [join(root, `x${wild}`)],
  ],
  save: [({ run, file }) => [run, '--file', `m${wild}=${file}`], ({ run }) => [run, '--file', `m=x${wild}`]],
  show: [({ run }) => [run], ({ newest }) => [newest], ({ file }) => [file], ({ root }) => [join(root, `x${wild}`)]],
  stalled: [
    ({ run }) => [run, '--min', 'WER', '--patience', '1'],
    ({ run }) => [run, '--min', `k${wild}`, '--patience', '1'],
  ],
  stop: [({ run }) => [run]],
  submit: [({ script }) => [script, '--sbatch', `"x${wild}`], ({ root }) => [join(root, `x${wild}`)]],
  tensors: [({ file }) => [file, '--stats'], ({ newest }) => [newest], ({ file }) => [file, '--include', `x${wild}`]],
  transfer: [
    ({ file, other }) => [file, other, '--dry-run'],
    ({ file, other, root }) => [file, other, '-o', join(root, `t${wild}.safetensors`)],
  ],
  'trash:empty': [({ run }) => [run, '--dry-run'], ({ run }) => [run, '--yes']],
  'trash:list': [({ run }) => [run]],
  'trash:restore': [({ run }) => [join(run, `CKPT+1${wild}`), '--json']],
  unpin: [({ newest }) => [newest], ({ run }) => [join(run, `CKPT+9${wild}`)]],
  verify: [({ run }) => [run, '--record'], ({ run }) => [run, '--deep'], ({ newest }) => [newest]],
  watch: [
    ({ run }) => [withSound(run), '--until', 'epoch == 9', '--notify', `echo 'n${wild}'`],
    ({ root }) => ['-r', root, '--until', 'epoch == 9'],
    ({ run }) => [run, '--until', `k${wild}`],
  ],
}

/** What a script reads: paths on stdout exactly as they are, in a pipe. */
const pathsOnStdout = ['find', 'recover', 'save', 'trash:restore']

describe('text that is not ours', () => {
  it.each(Object.entries(lines))('reaches no stream raw: %s', async (id, ways) => {
    server.on(`/m.pt?${encodeURIComponent(wild)}`, (_, response) => {
      response.writeHead(404, 'no\u009b31m', { 'x-error-code': 'x\u009b31m' }).end(wild)
    })
    const place = hostile()
    for (const way of ways) {
      const args = [...id.split(':'), ...way(place)]
      const plain = await ckpt(args, { cwd: place.root, env: { FORCE_COLOR: '0' } })
      expectClean(plain.stderr, args)
      if (!pathsOnStdout.includes(id)) expectClean(plain.stdout, args)
      if (args.includes('--')) continue
      const json = await ckpt([...args, '--json'], { cwd: place.root })
      expectClean(json.stdout, args)
      expectClean(json.stderr, args)
      // What watches prints a document a line.
      const documents = id === 'watch' ? json.stdout.trim().split('\n') : [json.stdout]
      for (const one of documents) expect(() => void JSON.parse(one)).not.toThrow()
      expectNoBug(plain, args)
    }
  })

  it.runIf(hasScript)('nor a terminal, where our own colours alone come out, and its questions', async () => {
    const { run } = hostile()
    for (const words of ['list', 'show', 'verify', 'list --columns name,path,host', 'prune --keep 1']) {
      const { screen } = await onTerminal(`ckpt ${words} "$RUN"`, {
        env: { RUN: run },
        answer: (text, type) => {
          if (text.includes('[y/N]')) type('n\r')
        },
      })
      // Colours and, for the question, what Node's line editor moves the cursor with.
      const ours = /\u001b\[(?:1|2|22|3[1-9])m|\u001b\[(?:\d*[GKJ]|0J)|\r/g
      expectClean(screen.replace(ours, ''), [words])
      expect(screen).toContain('\\e]0;PWN\\x07')
    }
  })

  it('nor does a candidate that the shell is given at a press of Tab, which it writes as it is', async () => {
    const root = temporaryDirectory()
    const names = [
      'plain',
      'c1\u009b31m',
      'turned\u202e',
      'isolated\u2066',
      'mark\u200f',
      'esc\u001b[31m',
      'tag\u{e0041}',
    ]
    const keys = names.map((name) => `"k${inYaml(name)}": 1.0\n`).join('')
    const files = Object.fromEntries(names.map((name) => [`m${name}.ckpt`, 'x']))
    for (const name of names)
      makeRun({ [`CKPT+${name}`]: { 'CKPT.yaml': `epoch: 1\n${keys}`, ...files } }, join(root, `r${name}`))
    const lines: readonly (readonly [offered: string, ...words: string[]])[] = [
      ['rplain', 'list'],
      ['CKPT+plain', 'show'],
      ['kplain', 'find', '--min'],
      ['kplain', 'find', '--where'],
      ['kplain', 'plot'],
      ['mplain', 'convert', '--key'],
    ]
    for (const [offered, ...words] of lines) {
      const cwd = offered === 'rplain' ? root : join(root, 'rplain')
      for (const shell of ['bash', 'zsh', 'fish']) {
        const { stdout } = await ckpt(['__complete', shell, String(words.length), '', ...words], { cwd })
        expectClean(stdout, words)
        expect(stdout.split('\n')).toContain(offered)
      }
    }
  })

  it('nor do a name of a command, a flag and a value that there are not', async () => {
    for (const args of [
      [wild],
      ['list', `--x${wild}`],
      ['find', '.', '--verify', wild],
      ['help', wild],
      ['trash', wild],
    ]) {
      const got = await ckpt(args)
      expectClean(got.stdout + got.stderr, args)
    }
  })
})

/** Within double quotes. */
function inYaml(text: string): string {
  const escape = (character: string) => `\\U${(character.codePointAt(0) ?? 0).toString(16).padStart(8, '0')}`
  return text.replace(/[^ -~]/gu, escape)
}

function expectClean(text: string, args: readonly string[]): void {
  const found = obeyed.exec(text)
  const around = found === null ? '' : JSON.stringify(text.slice(Math.max(0, found.index - 60), found.index + 60))
  expect([args[0], around]).toEqual([args[0], ''])
}

function expectNoBug({ stderr }: Outcome, args: readonly string[]): void {
  expect([args[0], /this is a bug|^ {4}at /m.test(stderr)]).toEqual([args[0], false])
}
