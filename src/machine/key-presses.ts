/** A person's keys, one by one as they are pressed. */
import { emitKeypressEvents, type Key } from 'node:readline'

/** `up`, `space`, `return`, `escape`, `c`; with Ctrl `ctrl-c`. */
export type KeyName = string

export interface Keyboard {
  /** The terminal does not wait for a whole line, and does not show what is typed. */
  take(): void
  /** As it was. */
  giveBack(): void
  close(): void
}

export function keyboard(onKey: (key: KeyName) => void): Keyboard {
  const { stdin } = process
  emitKeypressEvents(stdin)
  const listener = (text: string | undefined, { name, ctrl = false }: Key) =>
    onKey(`${ctrl ? 'ctrl-' : ''}${name ?? text ?? ''}`)
  stdin.on('keypress', listener)
  return {
    take: () => {
      stdin.setRawMode(true)
      stdin.resume()
    },
    giveBack: () => stdin.setRawMode(false),
    close: () => {
      stdin.off('keypress', listener)
      stdin.setRawMode(false)
      stdin.pause()
    },
  }
}

/** As Ctrl-Z does where the terminal leaves it to us. */
export function stopLikeCtrlZ(): void {
  process.kill(process.pid, 'SIGTSTP')
}
