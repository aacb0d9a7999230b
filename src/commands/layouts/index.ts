/** `ckpt layouts`: the layouts that are known. */
import { resolve } from 'node:path'
import { BaseCommand } from '../../cli/base-command.js'
import { runArgument } from '../../cli/flags/common-flags.js'
import { mistypedBelow } from '../../cli/output/unknown-command.js'
import { refuseAbsent } from '../../core/checkpoints/layouts/index.js'
import { allLayouts } from '../../core/checkpoints/layouts/list-layouts.js'
import type { CkptError } from '../../core/errors.js'
import { layoutsDocument, renderLayouts } from '../../render/layouts.js'

export default class Layouts extends BaseCommand<typeof Layouts> {
  static override isReader = true
  static override summary = 'List the layouts that ckpt knows, and where each looks'
  static override description = `Every framework whose checkpoints are known, by the name that stands in --json and in --where 'layout == "…"', and
what its checkpoints are; first those of your own, from layouts: in ckpt.yaml in RUN or above it
(docs/adding-a-layout.md). What one file or folder is taken for, and why: ckpt layouts explain.`
  static override examples = [
    { description: 'all of them', command: '<%= config.bin %> layouts' },
    { description: 'why a folder is not a checkpoint', command: '<%= config.bin %> layouts explain exp/save' },
  ]
  static override args = { run: runArgument }

  /** A second word too many follows where the first was meant for a command. */
  protected override async init(): Promise<void> {
    try {
      await super.init()
    } catch (error) {
      throw (await this.mistyped()) ?? error
    }
  }

  async run(): Promise<void> {
    const mistyped = await this.mistyped()
    if (mistyped !== null) throw mistyped
    await refuseAbsent(this.storage, resolve(this.args.run))
    const layouts = allLayouts()
    this.answer(layoutsDocument(layouts), () => renderLayouts(layouts, this.output))
  }

  /** The error for `layouts explan`; null for a path, and for what is near to no command. */
  private async mistyped(): Promise<CkptError | null> {
    const word = this.argv.find((argument) => !argument.startsWith('-')) ?? '.'
    const [there] = await this.storage.lstat([resolve(word)])
    return there?.ok === true ? null : mistypedBelow('layouts', word, ['explain'])
  }
}
