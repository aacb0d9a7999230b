/** What happens on a terminal: `script` of util-linux makes one. Where it is not there, this is skipped. */
import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { shellWord } from '../../src/core/formats/text/shell-words.js'
import { hasScript, onTerminal, type Terminal } from './on-terminal.js'
import { epochs, makeRun, nameOf, snapshot } from './runs.js'

/** Types the answer once the screen shows a question. */
function answering(keys: string): Terminal {
  let asked = false
  return {
    answer(screen, type) {
      if (asked || !screen.includes('[y/N]')) return
      asked = true
      type(keys)
    },
  }
}

describe.runIf(hasScript)('on a terminal', () => {
  it('prune shows the plan, asks, and does it at a yes', async () => {
    const run = makeRun(epochs(3))
    const { status, screen } = await onTerminal(`ckpt prune ${shellWord(run)} --keep 1`, answering('y\r'))
    expect(status).toBe(0)
    expect(screen).toMatch(/to remove: 2 checkpoints[^]*Remove 2 checkpoints \(.*\)\?\s+\[y\/N\][^]*removed 2/)
    expect(readdirSync(run)).toEqual([nameOf(3)])
  })

  it.each([
    ['no', 'n\r', 5],
    ['just Enter', '\r', 5],
    ['anything else', 'yess\r', 5],
    ['Ctrl-C', '\u0003', 130],
    ['Ctrl-D', '\u0004', 130],
  ])('and changes nothing at %s', async (_, answer, expected) => {
    const run = makeRun(epochs(3))
    const before = snapshot(run)
    const { status, screen } = await onTerminal(`ckpt prune ${shellWord(run)} --keep 1`, answering(answer))
    expect(status).toBe(expected)
    expect(screen).not.toMatch(/ {4}at /)
    expect(snapshot(run)).toEqual(before)
  })

  it('does not ask with --yes, with --dry-run, or when there is nothing to remove', async () => {
    for (const flags of ['--keep 1 --dry-run', '--keep 9', '--keep 1 --yes']) {
      const { status, screen } = await onTerminal(`ckpt prune ${shellWord(makeRun(epochs(3)))} ${flags}`)
      expect([flags, status, screen.includes('[y/N]')]).toEqual([flags, 0, false])
    }
  })

  it.each(['lst', 'best', 'prun', 'stp', 'help prun'])(
    'a mistyped command runs nothing, nor asks: %s',
    async (word) => {
      const run = makeRun(epochs(3))
      const before = snapshot(run)
      const command = `ckpt ${word} ${shellWord(run)} --keep 1 --yes`
      const { status, screen } = await onTerminal(`(sleep 0.3; echo; echo y) | cat >/dev/null; ${command}`, {
        answer: (_, type) => type('\r'),
      })
      expect(status).toBe(127)
      expect(screen).toContain('is not a ckpt command')
      expect(screen).not.toMatch(/\[y\/N\]|\(Y\/n\)/)
      expect(snapshot(run)).toEqual(before)
    },
  )

  it('reasons too long for it are folded under themselves, and stay on one line in a pipe', async () => {
    const command = `ckpt prune ${shellWord(makeRun(epochs(3)))} --keep 1 --keep-where 'epoch > 1' --keep-first --dry-run`
    const { screen } = await onTerminal(`stty cols 80; NO_COLOR=1 ${command}`)
    const lines = screen.split('\r\n')
    const at = lines.findIndex((line) => line.includes(nameOf(3)))
    expect(lines.filter((line) => line.length > 80 && !line.includes(': 3 checkpoints stay'))).toEqual([])
    const column = (lines[at] ?? '').indexOf('the newest whole one')
    expect(lines[at + 1]).toMatch(new RegExp(`^ {${column}}\\S`))
    const piped = (await onTerminal(`${command} | cat`)).screen
    expect(piped).toContain("the newest whole one; newest; epoch > 1 is true (--keep-where 'epoch > 1')")
  })

  it('names are escaped, for list and for find', async () => {
    const run = makeRun({ 'CKPT+a\n\u001b]0;title\u0007b': 'unixtime: 1.0\n' })
    for (const command of ['list', 'find', 'show', 'recover']) {
      const { screen } = await onTerminal(`ckpt ${command} ${shellWord(run)}`)
      expect(screen).toContain('CKPT+a\\n\\e]0;title\\x07b')
      expect(screen).not.toContain('\u001b]0;')
    }
  })

  it('list shows a screenful, says how many more there are, and --all shows them', async () => {
    const run = makeRun(epochs(70))
    const short = await onTerminal(`ckpt list ${shellWord(run)}`)
    expect(short.screen).toMatch(/20 more: --all/)
    expect(short.screen).not.toMatch(new RegExp(`^[^(]*${nameOf(1).replace('+', '\\+')}`, 'm'))
    expect(short.screen).toMatch(/worst.*99\.5/)
    const all = await onTerminal(`ckpt list ${shellWord(run)} --all`)
    expect(all.screen).toContain(nameOf(1))
  })

  it('list has colours, unless NO_COLOR is set', async () => {
    const run = makeRun(epochs(2))
    expect((await onTerminal(`ckpt list ${shellWord(run)}`)).screen).toContain('\u001b[')
    expect((await onTerminal(`NO_COLOR=1 ckpt list ${shellWord(run)}`)).screen).not.toContain('\u001b[')
  })

  it('recover gives the command the terminal', async () => {
    const { screen } = await onTerminal(
      `ckpt recover ${shellWord(makeRun(epochs(1)))} -- sh -c 'test -t 0 && test -t 1 && echo yes'`,
    )
    expect(screen).toContain('yes')
  })

  it('a narrow table keeps the metric by which the run is judged, and says how many columns it hides', async () => {
    const metrics = Array.from({ length: 8 }, (_, index) => `a_metric_number_${index}`)
    const run = makeRun(
      Object.fromEntries(
        [1, 2, 3].map((epoch) => {
          const lines = [...metrics.map((key) => `${key}: ${epoch}`), `val_loss: ${epoch}.25`, `epoch: ${epoch}`]
          return [nameOf(epoch), `${lines.join('\n')}\nunixtime: ${1_700_000_000 + epoch}.0\n`]
        }),
      ),
    )
    const { screen } = await onTerminal(`stty cols 60; NO_COLOR=1 ckpt list ${shellWord(run)}`)
    expect(screen).toContain('val_loss')
    expect(screen).toMatch(/\d columns hidden: --all/)
    expect((await onTerminal(`stty cols 60; NO_COLOR=1 ckpt list --all ${shellWord(run)}`)).screen).not.toContain(
      'hidden',
    )
  })
})
