/** What happens to a program that draws on the whole terminal: it is stopped, goes on, is resized, or ends. */
import { processSignals } from './run-child.js'

export interface ScreenKeeper {
  /** Gives the terminal back as it was. Called before the program stops or ends, whatever ends it. */
  readonly leave: () => void
  /** The size may be another one, and what was drawn may be gone. */
  readonly redraw: () => void
}

/** Until what it gives is called. */
export function keepScreen({ leave, redraw }: ScreenKeeper): () => void {
  const onStop = () => {
    leave()
    // Without a listener the signal has its usual effect: here the program stops, as its shell wants it to.
    process.off('SIGTSTP', onStop)
    process.kill(process.pid, 'SIGTSTP')
  }
  const onContinue = () => {
    if (process.listeners('SIGTSTP').includes(onStop)) leave()
    else process.on('SIGTSTP', onStop)
    // Only programs in the foreground get the signal for a new size: this makes Node ask for it.
    process.emit('SIGWINCH', 'SIGWINCH')
    redraw()
  }
  const deadly = (['SIGHUP', 'SIGQUIT'] as const).map((signal) => {
    const onSignal = () => {
      leave()
      process.off(signal, onSignal)
      process.kill(process.pid, signal)
    }
    process.on(signal, onSignal)
    return () => process.off(signal, onSignal)
  })
  process.on('SIGTSTP', onStop)
  process.on('SIGCONT', onContinue)
  process.on('exit', leave)
  process.stdout.on('resize', redraw)
  return () => {
    for (const forget of deadly) forget()
    process.off('SIGTSTP', onStop)
    process.off('SIGCONT', onContinue)
    process.off('exit', leave)
    process.stdout.off('resize', redraw)
    leave()
  }
}

/** In the background a terminal is not a program's own to draw on. */
export function hasTerminal(): boolean {
  return processSignals.isForeground()
}
