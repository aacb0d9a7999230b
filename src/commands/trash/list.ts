/** `ckpt trash list`: what is in a run's trash. */
import { BaseCommand } from '../../cli/base-command.js'
import { runArgument, stateFlag } from '../../cli/flags/common-flags.js'
import { renderTrash, trashDocument } from '../../render/trash.js'
import { printable } from '../../render/printable.js'
import { plural } from '../../render/units.js'
import { quoteWord } from '../../core/formats/text/shell-words.js'
import { openRunTrash, trashElsewhere } from '../../core/runs/from-trash/run-trash.js'

export default class TrashList extends BaseCommand<typeof TrashList> {
  static override isReader = true
  static override summary = "List what lies in a run's trash"
  static override description =
    'Name, how long it has been there, the bytes that removing it frees, and why it was moved; the newest first.'
  static override examples = [{ description: 'of a run', command: '<%= config.bin %> trash list exp/save' }]
  static override args = { run: runArgument }
  static override flags = { state: stateFlag }

  async run(): Promise<void> {
    const { run, contents } = await openRunTrash(this.storage, this.args.run, this.flags.state)
    for (const path of contents.unknown) this.alert(`${path}: without a record, so it has no name to go back to`)
    for (const { entries, flag } of await trashElsewhere(this.storage, run, this.flags.state)) {
      const command = `ckpt trash list ${quoteWord(this.args.run)} ${flag}`
      this.alert(`${plural(entries.length, 'checkpoint')} more in the trash of another state folder: ${command}`)
    }
    if (contents.entries.length === 0 && !this.wantsJson) this.note(`the trash of ${printable(run)} is empty`)
    this.answer({ run, trash: contents.entries.map(trashDocument) }, () => renderTrash(contents.entries, this.now()))
  }
}
