/** What a command says, and in whose name: its answer, notes and warnings, and the errors that it ends with. */
import { choicesOf, DescribedCommand, flagsOf, nameOf, type Description } from './command-line/described-command.js'
import { usageOf } from './command-line/usage.js'
import type { FailedCommand } from './output/report-error.js'
import { Reporter } from './output/reporter.js'
import type { CkptError } from '../core/errors.js'

export abstract class TellingCommand extends DescribedCommand {
  protected readonly reporter = new Reporter()
  protected readonly described = this.constructor as unknown as Description

  protected readonly output = this.reporter.output
  protected readonly unreadable = this.reporter.unreadable
  protected readonly answer = this.reporter.answer
  protected readonly note = this.reporter.note
  protected readonly alert = this.reporter.alert
  protected readonly long = this.reporter.long
  protected readonly failWith = this.reporter.failWith
  protected readonly divert = this.reporter.divert
  /** An error of one of several things, as `Reporter.tellError`. */
  protected readonly tellError = (error: CkptError) => this.reporter.tellError(error, this.failed)

  protected get wantsJson(): boolean {
    return this.reporter.wantsJson
  }

  /** The command as its errors name it. */
  protected get failed(): FailedCommand {
    const { usage = usageOf(this.described) } = this.described
    const flags = flagsOf(this.described)
    return { name: nameOf(this.described), usage, flags: Object.keys(flags), values: choicesOf(flags) }
  }
}
