/** Where `ckpt watch` shows what happens: a screen drawn anew, or a line each. */
import { hasTerminal, keepScreen } from '../../machine/terminal-signals.js'
import { localStamp } from '../../machine/clock.js'
import type { WatchEvent, WatchedRun } from '../../core/jobs/watch/index.js'
import { toJsonLine } from '../../render/json.js'
import { toLocal } from '../../render/log.js'
import type { LiveScreen } from '../../render/live-screen.js'
import type { Output } from '../../render/output.js'
import { eventDocument, renderEvent } from '../../render/watch-event.js'
import { renderScreen } from '../../render/watch-screen.js'

export interface WatchView {
  /** After each look. `now` is Unix seconds. */
  show(events: readonly WatchEvent[], runs: readonly WatchedRun[], now: number): void
  /** What went wrong, or what a command printed. */
  tell(text: string): void
  /** Leaves the screen and restores the terminal. Messages that may have been missed on it are printed again. */
  close(): void
}

export class LineView implements WatchView {
  constructor(
    private readonly output: Output,
    private readonly asJson: boolean,
    readonly tell: (text: string) => void,
  ) {}

  show(events: readonly WatchEvent[], _: readonly WatchedRun[], now: number): void {
    const { colours } = this.output
    for (const event of events) {
      const text = this.asJson
        ? toJsonLine(eventDocument(event, now))
        : renderEvent(event, { now, stamp: localStamp, colours })
      this.output.data(`${text}\n`)
    }
  }

  close(): void {
    // There is nothing to give back.
  }
}

/** Lines that are remembered of what happened. */
const mostLatest = 100

export class ScreenView implements WatchView {
  private readonly screen: LiveScreen
  private readonly forget: () => void
  private readonly latest: string[] = []
  private readonly shown: string[] = []
  private readonly news = new Set<string>()
  private runs: readonly WatchedRun[] = []

  /** `clock` gives Unix seconds; `showAgain` gets, at the end, the messages that were shown on the screen alone. */
  constructor(
    private readonly output: Output,
    private readonly root: string,
    private readonly clock: () => number,
    private readonly showAgain: (text: string) => void,
  ) {
    this.screen = output.liveScreen()
    this.forget = keepScreen({ leave: () => this.screen.leave(), redraw: () => this.draw() })
  }

  show(events: readonly WatchEvent[], runs: readonly WatchedRun[], now: number): void {
    this.runs = runs
    const { colours } = this.output
    for (const event of events) {
      if (event.event === 'new' || event.event === 'damaged') this.news.add(event.checkpoint.path)
      if (event.event === 'watching') continue
      this.remember(renderEvent(event, { now, stamp: localStamp, colours, below: this.root }))
    }
    this.draw()
  }

  tell(text: string): void {
    this.shown.push(text)
    for (const line of text.split('\n')) this.remember(line)
  }

  close(): void {
    this.forget()
    for (const text of this.shown.splice(0)) this.showAgain(text)
  }

  private remember(line: string): void {
    this.latest.push(line)
    if (this.latest.length > mostLatest) this.latest.shift()
  }

  private draw(): void {
    if (!hasTerminal()) return
    const now = this.clock()
    const lines = renderScreen({
      root: this.root,
      runs: this.runs,
      news: this.news,
      latest: this.latest,
      now,
      clock: toLocal(localStamp(now)),
      columns: this.screen.columns,
      rows: this.screen.rows,
      colours: this.output.colours,
      unicode: this.output.hasUnicode,
    })
    this.screen.draw(lines)
  }
}
