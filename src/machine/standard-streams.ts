/**
 * stdout and stderr, written to by their numbers. Node's own streams for them bring its network in, which takes longer
 * to load than a `find` to run; here they are loaded for a terminal alone.
 */
import { fstatSync, statSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'

/** A standard stream, as far as text needs one. */
export interface TextStream {
  readonly isTTY: boolean
  /** Of a terminal. */
  readonly columns: number
  readonly rows: number
  /** False once writing has failed: its reader went away, or the disk is full. */
  readonly isOpen: boolean
  write(text: string): void
}

const streams = { stdout: 1, stderr: 2 } as const

/** `onBroken` is called once with what keeps it from taking more, unless its reader went away. Writing never throws. */
export function standardStream(name: keyof typeof streams, onBroken: (error: Error) => void): TextStream {
  const fd = streams[name]
  let terminal: boolean | undefined
  let isOpen = true
  return {
    get isTTY() {
      return (terminal ??= isTerminal(fd))
    },
    get columns() {
      return process[name].columns
    },
    get rows() {
      return process[name].rows
    },
    get isOpen() {
      return isOpen
    },
    write(text) {
      if (!isOpen) return
      try {
        writeAll(fd, Buffer.from(text))
      } catch (error) {
        isOpen = false
        // A reader that went away (`ckpt list | head`) is not a failure; the work goes on.
        if (errnoOf(error) !== 'EPIPE') onBroken(error as Error)
      }
    },
  }
}

/** What is known without asking the system for a terminal's properties comes first: to ask, the network is loaded. */
function isTerminal(fd: number): boolean {
  const stat = fstatSync(fd)
  return stat.isCharacterDevice() && stat.rdev !== statSync('/dev/null', { throwIfNoEntry: false })?.rdev && isatty(fd)
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(fd, bytes, written)
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') throw error
      waitForReader()
    }
  }
}

const never = new Int32Array(new SharedArrayBuffer(4))

/** Another process that shares the pipe may have set it not to block (open(2), O_NONBLOCK). */
function waitForReader(): void {
  Atomics.wait(never, 0, 0, milliseconds)
}

const milliseconds = 5

function errnoOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
