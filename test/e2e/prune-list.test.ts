/** `ckpt prune -i` and the question's "show" and "edit", on a terminal: `script` of util-linux makes one. */
import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { shellWord } from '../../src/core/formats/text/shell-words.js'
import { ckpt } from './ckpt.js'
import { hasScript, onTerminal, type Terminal } from './on-terminal.js'
import { epochs, makeRun, nameOf, snapshot } from './runs.js'

/** Types each of the keys once the screen shows what stands before it, behind what was waited for last. */
function conversation(...steps: readonly (readonly [waitFor: string, keys: string])[]): Terminal {
  let [step, from] = [0, 0]
  return {
    answer(screen, type) {
      const next = steps[step]
      if (next === undefined) return
      const at = screen.indexOf(next[0], from)
      if (at === -1) return
      from = at + next[0].length
      step += 1
      type(next[1])
    },
  }
}

const down = '\u001b[B'
const list = 'space: keep or remove'

describe.runIf(hasScript)('a plan as a list', () => {
  it('keeps one more, lets another go, and removes what the plan says then', async () => {
    const run = makeRun(epochs(5))
    const { status, screen } = await onTerminal(
      `ckpt prune ${shellWord(run)} --keep 2 -i`,
      conversation(
        [list, down],
        ['> ', ' '],
        ['let go by hand', down],
        ['> ', ' '],
        ['kept by hand', '\r'],
        ['[y/N]', 'y\r'],
      ),
    )
    expect(status).toBe(0)
    expect(screen).toMatch(/kept by hand[^]*let go by hand[^]*Remove 3 checkpoints/)
    expect(readdirSync(run).sort()).toEqual([nameOf(3), nameOf(5)])
  })

  it('does not let go what is protected, and tells why', async () => {
    const run = makeRun(epochs(3))
    const { status, screen } = await onTerminal(
      `ckpt prune ${shellWord(run)} --keep 1 -i`,
      conversation([list, ' '], ['stays: the newest whole one', '\r'], ['[y/N]', 'y\r']),
    )
    expect(status).toBe(0)
    expect(screen).toContain('Remove 2 checkpoints')
    expect(readdirSync(run)).toEqual([nameOf(3)])
  })

  it('looks at one, and leaves the terminal as it was at q, with nothing done', async () => {
    const run = makeRun(epochs(3))
    const before = snapshot(run)
    const { status, screen } = await onTerminal(
      `ckpt prune ${shellWord(run)} --keep 1 -i`,
      conversation([list, 's'], ['any key: back', 'x'], [list, 'q']),
    )
    expect(status).toBe(5)
    expect(screen).toContain('model.ckpt')
    expect(screen.lastIndexOf('\u001b[H\u001b[J\u001b[?25h\u001b[?1049l')).toBeGreaterThan(
      screen.lastIndexOf('\u001b[?1049h'),
    )
    expect(snapshot(run)).toEqual(before)
  })

  it('ends at Ctrl-C with nothing done, and the modes of the terminal as they were', async () => {
    const run = makeRun(epochs(3))
    const before = snapshot(run)
    const { screen } = await onTerminal(
      `trap : INT; was=$(stty -g); ckpt prune ${shellWord(run)} --keep 1 -i; echo "status $?"; test "$was" = "$(stty -g)" && echo same`,
      conversation([list, '\u0003']),
    )
    expect(screen).toMatch(/status 130\r\nsame/)
    expect(snapshot(run)).toEqual(before)
  })

  it('the question takes show and edit too', async () => {
    const run = makeRun(epochs(3))
    const { status, screen } = await onTerminal(
      `ckpt prune ${shellWord(run)} --keep 1`,
      conversation(
        ['[y/N] (or show, edit)', 'show\r'],
        ['[y/N]', 'e\r'],
        [list, `${down} `],
        ['kept by hand', '\r'],
        ['[y/N]', 'y\r'],
      ),
    )
    expect(status).toBe(0)
    expect(screen).toMatch(/model\.ckpt[^]*Remove 1 checkpoint /)
    expect(readdirSync(run).sort()).toEqual([nameOf(2), nameOf(3)])
  })

  it.each([
    'TERM=dumb ckpt prune RUN --keep 1 -i',
    'ckpt prune RUN --keep 1 --no-interactive',
    'ckpt prune RUN --keep 1 -i --no-interactive',
  ])('is a plain question: %s', async (command) => {
    const run = makeRun(epochs(3))
    const { status, screen } = await onTerminal(command.replace('RUN', shellWord(run)), conversation(['[y/N] ', 'y\r']))
    expect(status).toBe(0)
    expect(screen).not.toContain('(or show')
    expect(screen).not.toContain('\u001b[?1049h')
    expect(readdirSync(run)).toEqual([nameOf(3)])
  })
})

describe('ckpt prune -i', () => {
  it('refuses where nobody can be asked', async () => {
    const run = makeRun(epochs(3))
    const { status, stderr } = await ckpt(['prune', run, '--keep', '1', '-i'])
    expect(status).toBe(5)
    expect(stderr).toContain('no terminal')
  })

  it.each([['--yes'], ['--dry-run'], ['-r']])('goes with no %s', async (flag) => {
    expect((await ckpt(['prune', makeRun(epochs(3)), '--keep', '1', '-i', flag])).status).toBe(2)
  })
})
