import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { WatchedRun } from '../../src/core/jobs/watch/index.js'
import { shown } from '../../src/render/escape-output.js'
import { displayWidth } from '../../src/render/text-width.js'
import { renderScreen, type ScreenView } from '../../src/render/watch-screen.js'
import { checkpoint } from '../core/checkpoints.js'

const now = 1_700_100_000

function watched(path: string): WatchedRun {
  const ordered = [5, 4, 3, 2, 1].map((epoch) =>
    checkpoint(`CKPT+2026-11-29+12-0${epoch}-02+00`, {
      run: path,
      meta: { epoch, WER: 20 - epoch, unixtime: 1_700_000_000 + 600 * epoch },
    }),
  )
  return {
    path,
    ordered,
    selected: ordered,
    metric: 'WER',
    best: { name: 'CKPT+2026-11-29+12-05-02+00', saved: 1_700_003_000, value: 15.123 },
    since: 14,
    values: [19, 18, 17, 16, 15],
    job: null,
    free: 5e10,
  }
}

function view(runs: readonly WatchedRun[], columns: number): ScreenView {
  const clock = '2026-11-29 15:50:56'
  const usual = { root: '/data/experiments/of/somebody/with/a/long/path', now, clock, rows: 24, latest: [] }
  return { ...usual, runs, news: new Set<string>(), columns, colours: false, unicode: true }
}

describe('the screen of a watch', () => {
  it.each([80, 120, 200])('fits a terminal of %i columns, whole words and the clock in it', (columns) => {
    const long = '/data/experiments/of/somebody/with/a/long/path/and/a/very/long/name_of_a_run_with_many_words/save'
    for (const runs of [[watched(long)], [watched(`${long}/1`), watched(`${long}/2`)]]) {
      const lines = renderScreen(view(runs, columns))
      expect(lines.filter((line) => displayWidth(line) > columns)).toEqual([])
      expect(lines[0]).toContain('2026-11-29 15:50:56')
    }
    const text = renderScreen(view([watched(long)], columns)).join('\n')
    expect(text).toContain('no better in 14 checkpoints since')
    expect(text).toMatch(/best {4}WER 15\.123 \(CKPT/)
  })

  it.each([20, 50])('goes on below in %i columns, and says which columns it hides', (columns) => {
    for (const runs of [[watched('/exp/save')], [watched('/exp/1'), watched('/exp/2')]]) {
      for (const colours of [false, true]) {
        const screen = {
          ...view(runs, columns),
          rows: 40,
          colours,
          latest: ['12:00:01 a new best WER in an event that is long'],
        }
        const lines = renderScreen(screen).map((line) => stripVTControlCharacters(shown(line)))
        expect(lines.filter((line) => displayWidth(line) > columns)).toEqual([])
        const text = lines.join(' ').replace(/ +/g, ' ')
        expect(text).toMatch(/\d columns hidden/)
        expect(text).toContain('in an event that is long')
        expect(text).toContain('2026-11-29 15:50:56')
        expect(lines.some((line) => / {2}(WER|BEST)\b/.test(line))).toBe(true)
      }
    }
  })

  it('has the metric that was asked for first', () => {
    const run = watched('/exp/save')
    const ordered = run.ordered.map((one, index) => ({
      ...one,
      meta: new Map([...one.meta, ['foo', index], ['acc', index]]),
    }))
    const text = renderScreen(view([{ ...run, ordered, selected: ordered, metric: 'foo' }], 120)).join('\n')
    expect(text).toMatch(/EPOCH +foo +(WER|acc)/)
  })

  it('has the curve of the metric where there is room for it', () => {
    expect(renderScreen(view([watched('/exp/save')], 120)).join('\n')).toContain('█▇▅▃▁')
    expect(renderScreen(view([watched('/exp/save')], 80)).join('\n')).not.toContain('█')
  })
})
