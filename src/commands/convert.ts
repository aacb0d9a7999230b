import { basename, dirname, extname, join, resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { convert, planConversion } from '../core/tensors/convert/index.js'
import { CkptError } from '../core/errors.js'
import { findCheckpointAt } from '../core/checkpoints/layouts/index.js'
import type { OutputFormat } from '../core/tensors/write/index.js'
import { findFile, type FoundFile } from '../core/runs/index.js'
import { openSafely } from '../core/runs/open-tensors.js'
import { formatOptions, keyFlag, outputFlags, shardSizeFlag } from '../cli/tensor-flags.js'
import { chosenVerifyFlag, dryRunFlag, selectionFlags } from '../cli/flags.js'
import { onlyOrder, readQuery } from '../cli/query.js'
import { conversionDocument, renderConversion } from '../render/convert.js'
import { renderOutdated } from '../render/transfer.js'
import { baseOf } from '../machine/working-folder.js'

const extensions: Readonly<Record<OutputFormat, string>> = { safetensors: '.safetensors', torch: '.pt' }

export default class Convert extends BaseCommand<typeof Convert> {
  static override summary = 'Write the tensors of a file in the other format: safetensors, or what torch.load reads'
  static override description = `To safetensors as its own converter does: of a file with a state_dict that alone, tied weights once, with a note in
the metadata. To torch as torch.save writes a state_dict; torch.load reads it with weights_only=True too. Nothing of a
pickle is run. FILE may also be a checkpoint, or a run, of which --min, --max, --by and --where choose a checkpoint
(the newest otherwise); --key names its parameter file. The output is never half there.`
  static override examples = [
    {
      description: 'beside it, as model.safetensors',
      command: '<%= config.bin %> convert model.ckpt --to safetensors',
    },
    {
      description: 'the best checkpoint of a run, for a job that knows torch only',
      command: '<%= config.bin %> convert exp/save --min WER --key model --to torch -o best.pt',
    },
  ]
  static override args = {
    file: Args.string({ description: 'a file of tensors, a checkpoint or a run', required: true, ignoreStdin: true }),
  }
  static override flags = {
    to: Flags.custom<OutputFormat>({
      options: [...formatOptions],
      required: true,
      description: 'the format to be',
    })(),
    output: Flags.string({
      char: 'o',
      helpValue: 'FILE',
      description: "write it here; when left out, beside FILE, or of a checkpoint into this folder, by the file's name",
    }),
    force: outputFlags.force,
    'shard-size': shardSizeFlag(),
    key: keyFlag,
    'dry-run': dryRunFlag,
    ...selectionFlags,
    verify: chosenVerifyFlag,
  }

  async run(): Promise<void> {
    const query = await readQuery(this.flags)
    onlyOrder(query)
    const { key, verify } = this.flags
    const request = { base: baseOf(this.args.file), query, verify, key }
    const found = await this.long('checking', (work) =>
      findFile(this.storage, this.args.file, request, { now: this.now(), ...work }),
    )
    for (const warning of found.warnings) this.alert(warning)
    const path = await this.outputFor(found)
    await this.readThroughHooks([found])
    const file = await openSafely(this.storage, found.path)
    try {
      for (const finding of file.findings) this.alert(`${file.path}: ${finding}`)
      const conversion = await planConversion(file, this.flags.to)
      for (const note of conversion.notes) this.note(note)
      const { force } = this.flags
      const shardSize = this.flags['shard-size']
      const written = this.flags['dry-run']
        ? null
        : await this.long('writing', (work) =>
            convert(this.storage, conversion, path, {
              ...work,
              force,
              shardSize,
              onOutdated: (paths) => this.note(renderOutdated(paths)),
            }),
          )
      this.answer(conversionDocument(conversion, written), () => renderConversion(conversion, written, this.output))
    } finally {
      await file.close()
    }
  }

  /** A file that came to lie in a checkpoint would be one of its parameter files. */
  private async outputFor({ path, checkpoint }: FoundFile): Promise<string> {
    const { output, to } = this.flags
    if (output !== undefined) return resolve(output)
    const name = `${basename(path, extname(path)).replace(/\.(safetensors|bin|pt)\.index$/, '')}${extensions[to]}`
    if (checkpoint !== null) return resolve(name)
    const folder = dirname(path)
    const holder = await findCheckpointAt(this.storage, folder)
    if (holder !== null) {
      throw new CkptError('usage', `${folder} is a checkpoint, and a further file would be one of its own`, {
        hint: `say where it goes: --output ${name}`,
      })
    }
    const own = join(folder, name)
    if (own !== path) return own
    throw new CkptError('usage', `${path}: what is written would take the place of the file itself`, {
      hint: 'say where it goes: --output FILE',
    })
  }
}
