/** Where text goes: data to stdout, messages to stderr; raw bytes never to a terminal. */
import type { WriteStream } from 'node:tty'
import { printable } from './printable.js'

type Stream = NodeJS.WriteStream | WriteStream

export class Output {
  readonly colours: boolean
  readonly errorColours: boolean
  readonly isTerminal: boolean
  readonly width: number

  constructor(
    private readonly stdout: Stream,
    private readonly stderr: Stream,
    environment: NodeJS.ProcessEnv,
    /** Told once, when stdout takes no more for another reason than that its reader went away. */
    onBroken: (error: Error) => void,
  ) {
    this.isTerminal = stdout.isTTY
    this.width = stdout.isTTY ? stdout.columns || 80 : Number.POSITIVE_INFINITY
    this.colours = wantsColour(stdout, environment)
    this.errorColours = wantsColour(stderr, environment)
    // oclif's listener ends the program with a stack trace.
    stdout.removeAllListeners('error')
    let broken = false
    stdout.on('error', (error: NodeJS.ErrnoException) => {
      // A reader that went away (`ckpt list | head`) is no failure; the work goes on.
      if (broken || error.code === 'EPIPE') return
      broken = true
      onBroken(error)
    })
    // There is nowhere left to tell it.
    stderr.on('error', () => undefined)
  }

  data(text: string): void {
    this.stdout.write(text)
  }

  /** Rendered text as one string, or lines that are written in blocks as they come. */
  dataLines(text: string | Iterable<string>): void {
    if (typeof text === 'string') {
      if (text !== '') this.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
      return
    }
    let block = ''
    for (const line of text) {
      block += `${line}\n`
      if (block.length > 1 << 16) {
        this.stdout.write(block)
        block = ''
      }
    }
    if (block !== '') this.stdout.write(block)
  }

  /** One value of the file system for a script: exactly as it is, unless a person looks at it. */
  value(text: string, terminator: '\n' | '\0'): void {
    this.stdout.write(`${this.isTerminal ? printable(text) : text}${terminator}`)
  }

  message(text: string): void {
    this.stderr.write(`${text}\n`)
  }
}

function wantsColour(stream: Stream, environment: NodeJS.ProcessEnv): boolean {
  const forced = environment['FORCE_COLOR']
  if (forced !== undefined && forced !== '') return forced !== '0' && forced !== 'false'
  const refused = environment['NO_COLOR']
  if (refused !== undefined && refused !== '') return false
  return stream.isTTY && environment['TERM'] !== 'dumb'
}
