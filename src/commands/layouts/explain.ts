/** `ckpt layouts explain`: what a file or folder is taken for, and why. */
import { dirname, resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../../cli/base-command.js'
import { explainPath } from '../../core/checkpoints/layouts/explain.js'
import { explanationDocument, renderExplanation } from '../../render/layouts.js'

export default class LayoutsExplain extends BaseCommand<typeof LayoutsExplain> {
  static override isReader = true
  static override summary = 'Say which layouts claim a file or folder, by what, and why not the others'
  static override description = `Of every layout that PATH's name fits: what proves it, or what is missing. --all lists the others too. Of a file in a
checkpoint that checkpoint is explained, and of a run it is said what is in it. A file or folder that no layout claims is not a checkpoint to ckpt; describe a layout of your own under layouts: in ckpt.yaml
(docs/adding-a-layout.md).`
  static override examples = [
    { description: 'a folder that list does not show', command: '<%= config.bin %> layouts explain exp/save' },
    { description: 'every layout', command: '<%= config.bin %> layouts explain new.safetensors --all' },
  ]
  static override args = {
    path: Args.string({ description: 'a file or folder', required: true, ignoreStdin: true }),
  }
  static override flags = {
    all: Flags.boolean({ description: 'also list the layouts whose names do not fit' }),
  }

  /** PATH may be a run; what is no folder lies in one. */
  protected override async settingsFolder(path: string): Promise<string> {
    const [stat] = await this.storage.stat([path])
    return stat?.ok === true && stat.value.kind === 'directory' ? path : dirname(path)
  }

  async run(): Promise<void> {
    const explanation = await explainPath(this.storage, resolve(this.args.path))
    this.answer(explanationDocument(explanation), () =>
      renderExplanation(explanation, { output: this.output, all: this.flags.all }),
    )
  }
}
