/** Work over a second tells how far it is, on a terminal's stderr, and stops at Ctrl-C. */
import type { Output } from '../../render/output.js'
import type { WalkCount } from '../../core/checkpoints/layouts/index.js'
import { formatAge, formatSize, plural } from '../../render/units.js'

/** What core's long functions take. */
export interface WatchedWork {
  readonly signal: AbortSignal
  readonly onProgress: (done: number, total: number) => void
}

export interface Progress {
  readonly onProgress: (done: number, total: number) => void
  /** Takes the line away, until there is more to tell. */
  readonly clear: () => void
}

/** Milliseconds before the line appears, and between two of its states. */
const patience = 1000
const interval = 100

export function bytesProgress(output: Output, title: string, now: () => number): Progress {
  const started = now()
  const { show, clear } = passingLine(output, now)
  return {
    onProgress: (done, total) => show((time) => line(title, done, total, (time - started) / 1000)),
    clear,
  }
}

/** How far a walk is: what it has met so far. */
export function walkProgress(
  output: Output,
  now: () => number,
): { readonly onProgress: (count: WalkCount) => void; readonly clear: () => void } {
  const { show, clear } = passingLine(output, now)
  return {
    onProgress: ({ folders, runs, checkpoints }) =>
      show(
        () =>
          `looking for runs: ${plural(folders, 'folder')}, ${plural(runs, 'run')}, ${plural(checkpoints, 'checkpoint')}`,
      ),
    clear,
  }
}

/** A line on a terminal's stderr for work over a second, made anew at most ten times a second. */
function passingLine(output: Output, now: () => number) {
  let last = now() + patience - interval
  let shown = false
  return {
    show: (text: (time: number) => string): void => {
      const time = now()
      if (!output.hasErrorTerminal || time - last < interval) return
      last = time
      shown = true
      output.passing(text(time))
    },
    clear: (): void => {
      if (shown) output.clearPassing()
      shown = false
    },
  }
}

function line(title: string, done: number, total: number, seconds: number): string {
  const rate = done / seconds
  if (total === Infinity) return `${title}: ${formatSize(done)}  ${formatSize(rate)}/s`
  const left = rate > 0 ? Math.ceil((total - done) / rate) : 0
  const percent = total === 0 ? 100 : Math.floor((100 * done) / total)
  return `${title}: ${percent} %  ${formatSize(done)} of ${formatSize(total)}  ${formatSize(rate)}/s  ${left < 120 ? `${left} s` : formatAge(left)} left`
}

/** Aborted by Ctrl-C and SIGTERM while `work` runs; a second one ends the process at once. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const stop = () => controller.abort()
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  try {
    return await work(controller.signal)
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}
