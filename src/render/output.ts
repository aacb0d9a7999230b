/** Where text goes: data to stdout, messages to stderr; raw bytes never to a terminal. All of it passes `shown`. */
import type { TextStream } from '../machine/standard-streams.js'
import { LiveScreen } from './live-screen.js'
import { printable } from './printable.js'
import { inAscii, shown } from './escape-output.js'

export class Output {
  readonly isTerminal: boolean
  readonly width: number
  /** Rows of the terminal; null in a pipe. */
  readonly height: number | null

  constructor(
    private readonly stdout: TextStream,
    private readonly stderr: TextStream,
    private readonly environment: NodeJS.ProcessEnv,
  ) {
    this.isTerminal = stdout.isTTY
    this.width = stdout.isTTY ? stdout.columns || 80 : Number.POSITIVE_INFINITY
    this.height = stdout.isTTY ? stdout.rows || 24 : null
  }

  get colours(): boolean {
    return wantsColour(this.stdout, this.environment)
  }

  get errorColours(): boolean {
    return wantsColour(this.stderr, this.environment)
  }

  /** Columns of the terminal that messages go to; infinite elsewhere. */
  get errorWidth(): number {
    return this.stderr.isTTY ? this.stderr.columns || 80 : Number.POSITIVE_INFINITY
  }

  get hasErrorTerminal(): boolean {
    return this.stderr.isTTY
  }

  /** False once data cannot be written any more. */
  get isRead(): boolean {
    return this.stdout.isOpen
  }

  /** True where the locale has more than ASCII. */
  get hasUnicode(): boolean {
    const { LC_ALL, LC_CTYPE, LANG } = this.environment
    return /utf-?8/i.test([LC_ALL, LC_CTYPE, LANG].find((one) => one !== undefined && one !== '') ?? '')
  }

  data(text: string): void {
    this.stdout.write(this.fitting(this.stdout, shown(text)))
  }

  /** Rendered text as one string, or lines that are written in blocks as they come. */
  dataLines(text: string | Iterable<string>): void {
    if (typeof text === 'string') {
      if (text !== '') this.data(text.endsWith('\n') ? text : `${text}\n`)
      return
    }
    let block = ''
    for (const line of text) {
      block += `${line}\n`
      if (block.length > 1 << 16) {
        this.data(block)
        block = ''
      }
    }
    if (block !== '') this.data(block)
  }

  /** One value of the file system for a script: exactly as it is, unless a person looks at it. */
  value(text: string, terminator: '\n' | '\0'): void {
    this.stdout.write(`${this.isTerminal ? printable(text) : text}${terminator}`)
  }

  /** Lines of a file for a program: exactly as they are, unless a person looks at them. */
  exact(text: string): void {
    const whole = text.endsWith('\n') ? text : `${text}\n`
    this.stdout.write(this.isTerminal ? shown(whole) : whole)
  }

  /** True where a table can be drawn anew in its place. */
  get isDrawable(): boolean {
    return this.stdout.isTTY && this.environment['TERM'] !== 'dumb'
  }

  liveScreen(): LiveScreen {
    return new LiveScreen(this.stdout, this.hasUnicode)
  }

  message(text: string): void {
    this.stderr.write(`${this.fitting(this.stderr, shown(text))}\n`)
  }

  /** A line of stderr that the next one takes the place of, on a terminal. */
  passing(text: string): void {
    this.stderr.write(`${clearLine}${this.fitting(this.stderr, shown(text))}`)
  }

  clearPassing(): void {
    this.stderr.write(clearLine)
  }

  private fitting(stream: TextStream, text: string): string {
    return stream.isTTY && !this.hasUnicode ? inAscii(text) : text
  }
}

const clearLine = '\r\u001b[K'

function wantsColour(stream: TextStream, environment: NodeJS.ProcessEnv): boolean {
  const forced = environment['FORCE_COLOR']
  if (forced !== undefined && forced !== '') return forced !== '0' && forced !== 'false'
  const refused = environment['NO_COLOR']
  if (refused !== undefined && refused !== '') return false
  return stream.isTTY && environment['TERM'] !== 'dumb'
}
