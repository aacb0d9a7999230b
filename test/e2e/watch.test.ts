/** `ckpt watch` in a pipe, and on terminals: `script` of util-linux makes one. Where it is not there, that is skipped. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { shellWord } from '../../src/core/formats/text/shell-words.js'
import { ckpt, start, temporaryDirectory } from './ckpt.js'
import { hasScript, onTerminal } from './on-terminal.js'
import { epochs, makeRun, nameOf } from './runs.js'

interface Told {
  readonly event: string
  readonly run: string
  readonly name?: string
  readonly checkpoint?: { readonly name: string }
}

function toldIn(stdout: string): Told[] {
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Told)
}

/** Epochs 1 to `count`, and the later ones beside the run, to be moved into it. */
function begunRun(count: number) {
  const run = makeRun(epochs(count))
  const later = makeRun(epochs(count + 3), join(run, '..', 'later'))
  mkdirSync(run, { recursive: true })
  const add = (epoch: number) => renameSync(join(later, nameOf(epoch)), join(run, nameOf(epoch)))
  return { run, add }
}

describe('ckpt watch in a pipe', () => {
  it('ends at once where --until is true already', async () => {
    const { run } = begunRun(3)
    const { status, stdout, stderr } = await ckpt(['watch', run, '--json', '--until', 'epoch >= 3'])
    expect([status, stderr]).toEqual([0, ''])
    expect(toldIn(stdout).map(({ event }) => event)).toEqual(['watching', 'until'])
  })

  it('tells of each event in a line, runs --notify at a new best, and ends when --until becomes true', async () => {
    const { run, add } = begunRun(1)
    const got = join(temporaryDirectory(), 'got')
    const command = `printf '%s\\n' "$CKPT_NAME" "$CKPT_METRIC" "$CKPT_VALUE" "$CKPT_PREVIOUS" "$CKPT_PATH" "$CKPT_META_EPOCH" >${got}`
    const args = ['watch', run, '--json', '--min', 'WER', '--interval', '100ms', '--until', 'epoch >= 2']
    const child = start([...args, '--notify', command])
    child.stdin.end()
    let stdout = ''
    child.stdout.on('data', (part: Buffer) => {
      const isFirst = stdout === ''
      stdout += part.toString('utf8')
      if (isFirst) add(2)
    })
    const [status] = (await once(child, 'close')) as [number | null]
    expect(status).toBe(0)
    expect(toldIn(stdout).map(({ event }) => event)).toEqual(['watching', 'new', 'best', 'until'])
    expect(readFileSync(got, 'utf8').split('\n')).toEqual([
      nameOf(2),
      'WER',
      '98.5',
      '99.5',
      join(run, nameOf(2)),
      '2',
      '',
    ])
  })

  it('ends when its reader has gone away, at the next event', async () => {
    const { run, add } = begunRun(1)
    const child = start(['watch', run, '--interval', '100ms'])
    child.stdin.end()
    child.stdout.once('data', () => {
      child.stdout.destroy()
      add(2)
    })
    const [status] = (await once(child, 'exit')) as [number | null]
    expect(status).toBe(0)
  })

  it('no name and no value becomes a part of the shell text of --notify', async () => {
    const cwd = temporaryDirectory()
    const hostile = '$(touch pwned)`touch pwned`; touch pwned #'
    const run = makeRun({}, join(cwd, 'save'))
    const later = makeRun(
      { [`CKPT+${hostile}`]: `WER: 1.0\nunixtime: 1700000000.0\nnote: "${hostile}"\n` },
      join(cwd, 'x'),
    )
    const args = [
      'watch',
      run,
      '--interval',
      '100ms',
      '--until',
      'WER < 2',
      '--notify',
      'echo "$CKPT_NAME $CKPT_META_NOTE"',
    ]
    const child = start(args, { cwd })
    child.stdin.end()
    let stderr = ''
    child.stderr.on('data', (part: Buffer) => {
      stderr += part.toString('utf8')
      if (stderr.includes('waiting') && existsSync(join(later, `CKPT+${hostile}`))) {
        makeRun({ 'CKPT+0': 'WER: 9.0\nunixtime: 1600000000.0\n' }, run)
      }
    })
    child.stdout.on('data', (part: Buffer) => {
      if (part.toString('utf8').includes('appeared')) {
        renameSync(join(later, `CKPT+${hostile}`), join(run, `CKPT+${hostile}`))
      }
    })
    const [status] = (await once(child, 'close')) as [number | null]
    expect([status, existsSync(join(cwd, 'pwned'))]).toEqual([0, false])
    expect(stderr).toContain(`--notify: CKPT+${hostile} ${hostile}`)
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('ends at %s with exit status 130 and no word of an error', async (signal) => {
    const { run } = begunRun(1)
    const child = start(['watch', run])
    child.stdin.end()
    let stderr = ''
    child.stderr.on('data', (part: Buffer) => (stderr += part.toString('utf8')))
    child.stdout.once('data', () => child.kill(signal))
    expect(await once(child, 'close')).toEqual([130, null])
    expect(stderr).toBe('')
  })

  it.each([
    ['an interval that is none', ['--interval', 'soon'], 2],
    ['no interval at all', ['--interval', '0s'], 2],
    ['a mistake in --until', ['--until', 'epoch >'], 2],
    ['two orders', ['--min', 'a', '--max', 'b'], 2],
  ])('refuses %s, as a line with --json', async (_, flags, expected) => {
    const { status, stdout } = await ckpt(['watch', makeRun(epochs(1)), '--json', ...flags])
    expect(status).toBe(expected)
    expect(toldIn(stdout)).toMatchObject([{ error: { code: expect.any(String) as string } }])
  })
})

const isHere = (shell: string) => spawnSync(shell, ['-c', 'true'], { stdio: 'ignore' }).status === 0

const entered = '\u001b[?1049h\u001b[?25l'
const left = '\u001b[H\u001b[J\u001b[?25h\u001b[?1049l'

/** The screen as what was last drawn on it. */
const drawn = (screen: string) => screen.slice(screen.lastIndexOf('\u001b[?2026h'))

describe.runIf(hasScript)('ckpt watch on a terminal', () => {
  it('draws a table in its place, fits a new size of the window, and leaves the terminal as it was', async () => {
    const { run, add } = begunRun(2)
    let step = 0
    const resize = `(while ! test -e ${shellWord(run)}/../small; do sleep 0.1; done; stty cols 30 rows 8 </dev/tty) &`
    const script = `trap : INT; stty cols 100 rows 20; stty -a >${shellWord(run)}/../was; ${resize} ckpt watch ${shellWord(run)} --interval 200ms; echo "status $?"; stty cols 100 rows 20; stty -a >${shellWord(run)}/../is`
    const { screen } = await onTerminal(script, {
      env: { LC_ALL: 'C.UTF-8' },
      answer: (shown, type) => {
        if (step === 0 && drawn(shown).includes('2 checkpoints')) {
          step = 1
          add(3)
        } else if (step === 1 && drawn(shown).includes('new, latest')) {
          step = 2
          mkdirSync(join(run, '..', 'small'))
        } else if (step === 2 && drawn(shown).includes('…')) {
          step = 3
          type('\u0003')
        }
      },
    })
    expect([step, screen.includes('status 130')]).toEqual([3, true])
    expect(screen.split(entered)).toHaveLength(2)
    expect(screen.split(left)).toHaveLength(2)
    const narrow = screen.slice(0, screen.lastIndexOf(left))
    const lines = drawn(narrow).split('\r\n')
    expect(lines.length).toBeLessThanOrEqual(8)
    expect(readFileSync(join(run, '..', 'is'), 'utf8')).toBe(readFileSync(join(run, '..', 'was'), 'utf8'))
  })

  it('ends at SIGTERM and at --until with the terminal as it was', async () => {
    const { run, add } = begunRun(1)
    let isAdded = false
    const until = await onTerminal(
      `ckpt watch ${shellWord(run)} --interval 200ms --until 'epoch >= 2'; echo "status $?"`,
      {
        answer: (shown) => {
          if (isAdded || !shown.includes('1 checkpoint')) return
          isAdded = true
          add(2)
        },
      },
    )
    expect(until.screen).toContain('status 0')
    expect(until.screen.indexOf(left)).toBeGreaterThan(until.screen.indexOf(entered))
    const killed = await onTerminal(`sh -c 'sleep 1; kill -TERM $PPID' & exec ckpt watch ${shellWord(run)}`)
    expect(killed.screen.endsWith(left)).toBe(true)
  })

  it.runIf(isHere('bash'))('gives the terminal back at Ctrl-Z, and draws again at fg', async () => {
    const { run } = begunRun(2)
    let step = 0
    const { screen } = await onTerminal('bash --norc --noprofile -i', {
      env: { PS1: 'ready> ' },
      answer: (shown, type) => {
        if (step === 0 && shown.includes('ready> ')) {
          step = 1
          type(`ckpt watch ${shellWord(run)} --interval 200ms\r`)
        } else if (step === 1 && drawn(shown).includes('2 checkpoints')) {
          step = 2
          type('\u001a')
        } else if (step === 2 && /Stopped[^]*ready> $/.test(shown)) {
          step = 3
          type('fg\r')
        } else if (step === 3 && shown.split(entered).length === 3) {
          step = 4
          type('\u0003')
        } else if (step === 4 && shown.split(left).length === 3) {
          step = 5
          type('echo "status $?"; exit\r')
        }
      },
    })
    expect([step, screen.includes('status 130')]).toEqual([5, true])
    expect(screen.split(entered)).toHaveLength(3)
  })

  it('prints lines where the terminal is dumb', async () => {
    const { run } = begunRun(2)
    const { screen } = await onTerminal(`TERM=dumb ckpt watch ${shellWord(run)} --until 'epoch > 1'`)
    expect(screen).toMatch(/watching .*\r\n.*until /)
    expect(screen).not.toContain('\u001b')
  })
})

describe.skipIf(hasScript)('ckpt watch on a terminal', () => {
  it('SKIPPED: script is not here (apt-get install util-linux)', () => undefined)
})
