/** Where text goes: data to stdout, messages to stderr; raw bytes never to a terminal. */
import type { TextStream } from '../standard-streams.js'
import { printable } from './printable.js'

export class Output {
  readonly isTerminal: boolean
  readonly width: number

  constructor(
    private readonly stdout: TextStream,
    readonly stderr: TextStream,
    private readonly environment: NodeJS.ProcessEnv,
  ) {
    this.isTerminal = stdout.isTTY
    this.width = stdout.isTTY ? stdout.columns || 80 : Number.POSITIVE_INFINITY
  }

  get colours(): boolean {
    return wantsColour(this.stdout, this.environment)
  }

  get errorColours(): boolean {
    return wantsColour(this.stderr, this.environment)
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

function wantsColour(stream: TextStream, environment: NodeJS.ProcessEnv): boolean {
  const forced = environment['FORCE_COLOR']
  if (forced !== undefined && forced !== '') return forced !== '0' && forced !== 'false'
  const refused = environment['NO_COLOR']
  if (refused !== undefined && refused !== '') return false
  return stream.isTTY && environment['TERM'] !== 'dumb'
}
