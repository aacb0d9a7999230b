/**
 * Completion in the shells themselves, on a terminal, as somebody types: Tab is pressed, then the line is made an argument
 * of printf, which shows the words that it had become. A shell that is not here is skipped, and says so (.ci/run installs
 * them where it can).
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, plainEnvironment, temporaryDirectory } from './ckpt.js'
import { hasScript, onTerminal } from './on-terminal.js'
import { epochs, makeRun, nameOf } from './runs.js'

interface Driven {
  /** Starts it, with as little of the user's own as possible. */
  readonly start: string
  /** Typed first. */
  readonly setUp: string
}

const shells: Readonly<Record<string, Driven>> = {
  bash: { start: 'bash --norc --noprofile -i', setUp: 'source <(ckpt completion bash)' },
  zsh: {
    start: 'zsh -f -i',
    setUp: 'autoload -Uz compinit; compinit -u -D; bindkey -e; setopt no_beep; source <(ckpt completion zsh)',
  },
  fish: { start: 'fish --private --no-config -i', setUp: 'ckpt completion fish | source' },
}

const isHere = (shell: string) => spawnSync(shell, ['-c', 'true'], { stdio: 'ignore' }).status === 0

/** Keys: Tab, to the start of the line, Enter. */
const [tab, home, enter] = ['\t', '\u0001', '\r']

/** The words of each line after Tab was pressed at its `|`, one line after the other in one shell. */
async function wordsAfterTab(shell: Driven, cwd: string, lines: readonly string[]): Promise<string[][]> {
  let next = 0
  const own = temporaryDirectory()
  // fish makes the folder of its settings, whatever it was told to leave alone.
  const folders = { HOME: own, XDG_CONFIG_HOME: join(own, 'config'), XDG_CACHE_HOME: join(cwd, '..', 'cache') }
  const { screen } = await onTerminal(shell.start, {
    cwd,
    env: { PS1: 'ready> ', ...folders, TERM: 'vt100' },
    answer: (shown, type) => {
      if (next === 0) type(`${shell.setUp}; printf 'over=%s\\n' 0${enter}`)
      // Each is typed when the one before it is over: a shell that is busy reads keys in another mode.
      else if (!shown.includes(`over=${next - 1}`)) return
      else if (next > lines.length) type(`exit${enter}`)
      else type(`${keysOf(lines[next - 1] ?? '')}printf 'over=%s\\n' ${next}${enter}`)
      next += 1
    },
  })
  expect(existsSync(plainEnvironment()['XDG_CONFIG_HOME'] ?? '')).toBe(false)
  const shown = screen.split(/over=\d+/).slice(1)
  return lines.map((_, at) => [...(shown[at] ?? '').matchAll(/^\[(.*)\]\r?$/gm)].map(([, word = '']) => word))
}

/** Types the line, presses Tab at its `|`, and shows its words. */
function keysOf(line: string): string {
  const [before = '', after = ''] = line.split('|')
  return `${before}${after}${'\u001b[D'.repeat(after.length)}${tab}${home}printf '[%s]\\n' ${enter}`
}

describe.runIf(hasScript).each(Object.entries(shells))('%s', (name, shell) => {
  const run = makeRun({ ...epochs(3), 'CKPT+a name': 'unixtime: 1.0\n' })
  const cwd = join(run, '..', '..')
  mkdirSync(join(cwd, 'two words'))
  writeFileSync(join(cwd, 'lr=1.yaml'), '')

  const cases: readonly [string, string[]][] = [
    ['ckpt lis|', ['ckpt', 'list']],
    ['ckpt list exp/save --lim|', ['ckpt', 'list', 'exp/save', '--limit']],
    ['ckpt list --lim| exp/save', ['ckpt', 'list', '--limit', 'exp/save']],
    ['ckpt find exp/save --min lo|', ['ckpt', 'find', 'exp/save', '--min', 'loss']],
    ['ckpt find --min lo| exp/save', ['ckpt', 'find', '--min', 'loss', 'exp/save']],
    ['ckpt find exp/save --min=lo|', ['ckpt', 'find', 'exp/save', '--min=loss']],
    ['ckpt prune exp/save --verify qu|', ['ckpt', 'prune', 'exp/save', '--verify', 'quick']],
    ['ckpt find exp/save --key mo|', ['ckpt', 'find', 'exp/save', '--key', 'model']],
    [`ckpt pin exp/save/${nameOf(1).slice(0, -1)}1|`, ['ckpt', 'pin', `exp/save/${nameOf(1)}`]],
    ['ckpt pin exp/save/CKPT+a|', ['ckpt', 'pin', 'exp/save/CKPT+a name']],
    ['ckpt list exp/sa|', ['ckpt', 'list', 'exp/save']],
    ['ckpt pin exp/la|', ['ckpt', 'pin', 'exp/latest']],
    ['ckpt list exp/save --columns name,lo|', ['ckpt', 'list', 'exp/save', '--columns', 'name,loss']],
    [`ckpt list exp/save --where 'loss < 3 and ep|'`, ['ckpt', 'list', 'exp/save', '--where', 'loss < 3 and epoch']],
    [`ckpt list exp/save --where "epoch == 3 or lo|"`, ['ckpt', 'list', 'exp/save', '--where', 'epoch == 3 or loss']],
    [`ckpt list 'two w|'`, ['ckpt', 'list', 'two words']],
    ['ckpt list two\\ w|', ['ckpt', 'list', 'two words']],
    ['ckpt list exp/save --by -loss\\ +\\ ep|', ['ckpt', 'list', 'exp/save', '--by', '-loss + epoch']],
    ['ckpt pretrain lr=1|', ['ckpt', 'pretrain', 'lr=1.yaml']],
    ['ckpt report exp/save --output=lr=1|', ['ckpt', 'report', 'exp/save', '--output=lr=1.yaml']],
    ['ckpt trash emp|', ['ckpt', 'trash', 'empty']],
    ['ckpt plot exp/save lo|', ['ckpt', 'plot', 'exp/save', 'loss']],
    ['ckpt save new --file model=exp/sa|', ['ckpt', 'save', 'new', '--file', 'model=exp/save']],
    ['ckpt export exp/save --into=exp/sa|', ['ckpt', 'export', 'exp/save', '--into=exp/save']],
  ]
  const lines = cases.map(([line]) => line)
  let words: Promise<string[][]> | undefined

  it.runIf(isHere(name)).each(cases.map(([line, expected], at) => ({ line, expected, at })))(
    '$line',
    async ({ expected, at }) => {
      words ??= wordsAfterTab(shell, cwd, lines)
      expect((await words)[at]?.map((word) => word.replace(/\/$/, ''))).toEqual(expected)
    },
  )

  it.skipIf(isHere(name))(`SKIPPED: ${name} is not here (apt-get install ${name})`, () => undefined)
})

describe('a press of Tab', () => {
  it('shows no error where there is no run', async () => {
    const folder = temporaryDirectory()
    mkdirSync(join(folder, 'empty'))
    writeFileSync(join(folder, 'file'), '')
    const { status, stdout, stderr } = await ckpt(['__complete', 'bash', '2', '', 'list', '--min', '', 'none'], {
      cwd: folder,
    })
    expect([status, stdout, stderr]).toEqual([0, 'none\n', ''])
  })
})
