/** What a command says while it runs: its answer on stdout; notes, warnings, progress and errors on stderr. */
import { errorDocument, toErrorReport, reportError, type ErrorDocument, type FailedCommand } from './report-error.js'
import { bytesProgress, interruptible, walkProgress, type Progress, type WatchedWork } from './progress.js'
import type { WalkOptions } from '../../core/checkpoints/layouts/index.js'
import { exitStatusOf, type CkptError } from '../../core/errors.js'
import { standardStream } from '../../machine/standard-streams.js'
import { toJson, toJsonLine } from '../../render/json.js'
import { renderError, renderWarning } from '../../render/messages.js'
import { Output } from '../../render/output.js'
import { printable } from '../../render/printable.js'

/** Of `walkFlags`. */
export interface WalkFlags {
  readonly exclude?: string[] | undefined
  readonly 'cross-file-systems'?: boolean | undefined
  readonly 'no-cache'?: boolean | undefined
}

export class Reporter {
  readonly output = new Output(
    standardStream('stdout', (error) => this.breakOff(error)),
    // There is nowhere left to tell it.
    standardStream('stderr', () => undefined),
    process.env,
  )
  wantsJson = false
  isQuiet = false
  /** Documents are one line each. */
  isLineByLine = false
  /** Takes notes and warnings where a screen is drawn; null: they go to stderr. */
  private elsewhere: ((text: string) => void) | null = null
  /** What an error's document holds beside the error. */
  private besideError: Record<string, unknown> = {}
  /** Folders that a walk could not list. */
  readonly unreadable: { readonly path: string; readonly reason: string }[] = []
  /** Of what is under way. */
  private progress: Pick<Progress, 'clear'> | null = null

  /** Prints the answer: the document with --json, made when it is wanted where it is large, else what `text` makes of it. */
  readonly answer = (
    document: object | null | undefined | (() => object),
    text: () => string | Iterable<string>,
  ): void => {
    if (this.wantsJson) this.output.data(`${toJson(typeof document === 'function' ? document() : document)}\n`)
    else this.output.dataLines(text())
  }

  readonly note = (text: string): void => {
    if (this.isQuiet) return
    this.progress?.clear()
    if (this.elsewhere === null) this.output.message(text)
    else this.elsewhere(text)
  }

  readonly divert = (elsewhere: ((text: string) => void) | null): void => {
    this.elsewhere = elsewhere
  }

  readonly alert = (text: string): void => {
    if (this.isQuiet) return
    const width = this.elsewhere === null ? this.output.errorWidth : Number.POSITIVE_INFINITY
    this.note(renderWarning(text, this.output.errorColours, width))
  }

  /** With progress on a terminal, and stopping cleanly at Ctrl-C. */
  readonly long = async <T>(title: string, work: (options: WatchedWork) => Promise<T>): Promise<T> => {
    const progress = bytesProgress(this.output, title, Date.now)
    return this.during(progress, (signal) => work({ signal, onProgress: progress.onProgress }))
  }

  /**
   * The same for a search for runs. A folder that cannot be listed is reported once and ends nothing; the exit status is
   * then that of something partly done.
   */
  readonly walk = async <T>(
    { exclude, 'cross-file-systems': crossFileSystems }: WalkFlags,
    work: (options: WalkOptions) => Promise<T>,
  ): Promise<T> => {
    const progress = walkProgress(this.output, Date.now)
    const onUnreadable = (path: string, reason: string) => {
      if (this.unreadable.some((one) => one.path === path && one.reason === reason)) return
      this.unreadable.push({ path, reason })
      this.alert(`${printable(path)} could not be read: ${reason}`)
      process.exitCode = exitStatusOf.partial
    }
    const shared = { exclude, crossFileSystems, onUnreadable, onProgress: progress.onProgress }
    return this.during(progress, (signal) => work({ ...shared, signal }))
  }

  private async during<T>(progress: Pick<Progress, 'clear'>, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.progress = progress
    try {
      return await interruptible(work)
    } finally {
      progress.clear()
      this.progress = null
    }
  }

  /** The error's document will hold this too. */
  readonly failWith = (document: Record<string, unknown>): void => {
    this.besideError = document
  }

  /** Tells an error of the command and sets the exit status. */
  fail(error: unknown, command: FailedCommand): void {
    const failure = toErrorReport(error, command)
    const write = this.isLineByLine ? toJsonLine : toJson
    reportError(this.output, failure, this.wantsJson ? write : null, this.besideError)
    process.exitCode = failure.exitStatus
  }

  /** Tells an error that ends nothing, on stderr also with --json; its document is for the answer. */
  tellError(error: CkptError, command: FailedCommand): ErrorDocument {
    const failure = toErrorReport(error, command)
    reportError(this.output, failure, null)
    return errorDocument(failure)
  }

  /** What was asked for did not reach its reader: a full disk behind a redirection. */
  private breakOff(error: Error): void {
    const message = `the output could not be written: ${error.message}`
    this.output.message(renderError({ message }, this.output.errorColours))
    process.exitCode = exitStatusOf.system
  }
}
