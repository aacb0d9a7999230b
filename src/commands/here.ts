/** `ckpt` alone: the run that the user stands in, summed up. */
import { resolve } from 'node:path'
import { BaseCommand } from '../cli/base-command.js'
import { overviewOf } from '../cli/overview.js'
import { Reporter } from '../cli/output/reporter.js'
import { SeveralRunsError } from '../core/checkpoints/layouts/index.js'
import { CkptError } from '../core/errors.js'
import type { Run } from '../core/checkpoint.js'
import { openRun } from '../core/runs/index.js'
import { printable } from '../render/printable.js'
import { nextCommands, renderOverview } from '../render/show.js'

/** With more folders below it, it is no run's, but a home or a disk: nobody waits for help until that is searched. */
const mostFolders = 2000

/** `ckpt` alone in a run. It has no name of its own. */
export default class Here extends BaseCommand<typeof Here> {
  static override isReader = true
  static override hidden = true
  static override args = {}
  static override flags = {}

  /** Set where this folder is a run. */
  static found: Run | null = null

  /**
   * Whether this folder is a run, or stands above one. Never throws: without a run, help is shown; where several are
   * below, with a note of the command that lists them.
   */
  static async isInRun(): Promise<boolean> {
    try {
      const { userStorage } = await import('../machine/user-storage.js')
      Here.found = await openRun(
        userStorage(() => undefined),
        process.cwd(),
        { mostFolders },
      )
      return true
    } catch (error) {
      if (error instanceof SeveralRunsError) {
        new Reporter().note('several runs are below this folder; for a row of each: ckpt runs')
      }
      if (error instanceof CkptError || (error instanceof Error && 'code' in error)) return false
      throw error
    }
  }

  async run(): Promise<void> {
    const run = Here.found ?? (await openRun(this.storage, resolve('.')))
    const now = this.now()
    const overview = await overviewOf(this.storage, run, now)
    for (const warning of overview.warnings) this.alert(printable(warning))
    this.answer(null, () => [
      ...renderOverview(overview, { now, output: this.output }),
      '',
      ...nextCommands(overview, this.output),
    ])
  }
}
