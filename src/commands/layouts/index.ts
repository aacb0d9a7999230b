import { BaseCommand } from '../../cli/base-command.js'
import { runArgument } from '../../cli/flags.js'
import { allLayouts } from '../../core/checkpoints/layouts/list-layouts.js'
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

  async run(): Promise<void> {
    const layouts = allLayouts()
    await Promise.resolve()
    this.answer(layoutsDocument(layouts), () => renderLayouts(layouts, this.output))
  }
}
