/** `ckpt convert`: a file of tensors in another format. */
import { dirname, join, resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { TensorCommand } from '../cli/tensor-command.js'
import {
  convert,
  openLoraAdapter,
  outputName,
  planConversion,
  planLora,
  type Conversion,
  type ConvertOptions,
  type LoraAdapter,
} from '../core/tensors/convert/index.js'
import { CkptError } from '../core/errors.js'
import { findCheckpointAt } from '../core/checkpoints/layouts/index.js'
import type { NameMapping } from '../core/tensors/names/index.js'
import { formatOfName, type OutputFormat } from '../core/tensors/write/index.js'
import { openSafely, readingNamed, weightsOf, type TensorFile } from '../core/tensors/read/index.js'
import { findFile, type FoundParamFile } from '../core/runs/index.js'
import {
  compileDtypes,
  dtypeFlag,
  dtypeOfFlag,
  formatFlag,
  formatOptions,
  keyFlag,
  namesChosen,
  renameFlags,
  outputFlags,
  partFlag,
  shardSizeFlag,
  strictCastFlag,
} from '../cli/flags/tensor-flags.js'
import { chosenVerifyFlag, dryRunFlag, selectionFlags } from '../cli/flags/common-flags.js'
import { isFolderOutput } from '../cli/flags/output-path.js'
import { onlyOrder, readQuery } from '../cli/flags/query.js'
import { conversionDocument, renderConversion, renderMerge } from '../render/convert.js'
import { renderIdle } from '../render/messages.js'
import { renderLosses, renderOutdated } from '../render/transfer.js'
import { baseOf } from '../machine/working-folder.js'
import { quoteWord } from '../core/formats/text/shell-words.js'

export default class Convert extends TensorCommand<typeof Convert> {
  static override summary = 'Write the tensors of a file in the other format: safetensors, or what torch.load reads'
  static override description = `Of a file that holds more than weights (a Lightning checkpoint, {"model": …, "optimizer": …}) the weights alone, by the
model's own names, or another --part. To safetensors as its own converter does: tied weights once, with a note in the
metadata. To torch as torch.save writes a state_dict; torch.load reads it with weights_only=True too. Nothing of a
pickle is run. FILE may also be a checkpoint (one of torch.distributed.checkpoint is put together, one of DeepSpeed's ZeRO to
float32), the folder of a model as a hub has it (its shards or pytorch_model.bin), or a run, of which --min, --max, --by and --where choose a checkpoint
(the newest otherwise); --key names its parameter file. The output appears whole, or not at all.`
  static override examples = [
    {
      description: 'beside it, as model.safetensors',
      command: '<%= config.bin %> convert model.ckpt --to safetensors',
    },
    {
      description: 'the best checkpoint of a run, for a job that knows torch only',
      command: '<%= config.bin %> convert exp/save --min WER --key model --to torch -o best.pt',
    },
    {
      description: 'a model with its LoRA adapter in it',
      command:
        '<%= config.bin %> convert base/model.safetensors --merge-lora adapter --to safetensors -o merged/model.safetensors',
    },
  ]
  static override args = {
    file: Args.string({
      description: 'a file of tensors, a folder of a model, a checkpoint or a run',
      required: true,
      ignoreStdin: true,
    }),
  }
  static override flags = {
    to: formatFlag(),
    output: Flags.string({
      char: 'o',
      helpValue: 'FILE',
      description:
        "write it here, or into this folder by the file's name; when left out, beside FILE, or of a checkpoint into the working folder",
    }),
    force: outputFlags.force,
    'shard-size': shardSizeFlag(),
    key: keyFlag,
    part: partFlag,
    dtype: dtypeFlag(),
    'dtype-of': dtypeOfFlag,
    'strict-cast': strictCastFlag,
    metadata: Flags.string({
      helpValue: 'KEY=VALUE',
      description: 'put into the metadata of safetensors',
      multiple: true,
      multipleNonGreedy: true,
    }),
    'merge-lora': Flags.string({
      helpValue: 'ADAPTER',
      description: `merge a PEFT adapter (its folder or file) into the weights that it was trained on, as merge_and_unload does; DoRA and other kinds are refused`,
    }),
    'dry-run': dryRunFlag,
    ...renameFlags,
    ...selectionFlags,
    verify: chosenVerifyFlag,
  }

  async run(): Promise<void> {
    const query = await readQuery(this.flags)
    onlyOrder(query)
    this.format()
    const { key, verify } = this.flags
    const request = { base: baseOf(this.args.file), query, verify, key }
    const found = await this.long('checking', (work) =>
      findFile(this.storage, this.args.file, request, { now: this.now(), ...work }),
    )
    for (const warning of found.warnings) this.alert(warning)
    const { names, options } = await this.choice()
    const path = await this.outputFor(found)
    await this.readThroughHooks([found])
    const file = await openSafely(this.storage, found.path)
    const lora = this.flags['merge-lora']
    let adapter: LoraAdapter | null = null
    try {
      if (lora !== undefined) adapter = await openLoraAdapter(this.storage, resolve(lora))
      for (const finding of file.findings) this.alert(`${file.path}: ${finding}`)
      const conversion = await this.plan(file, options, adapter)
      for (const rule of names.idle()) this.alert(renderIdle(rule))
      for (const value of await this.idleDtypes(conversion)) this.alert(renderIdle({ flag: '--dtype-of', value }))
      for (const note of conversion.notes) this.note(note)
      const { force, 'strict-cast': strictCast } = this.flags
      const shardSize = this.flags['shard-size']
      const written = this.flags['dry-run']
        ? null
        : await this.long('writing', (work) =>
            readingNamed(found.path, () =>
              convert(this.storage, conversion, path, {
                ...work,
                force,
                strictCast,
                shardSize,
                onOutdated: (paths) => this.note(renderOutdated(paths)),
              }),
            ),
          )
      for (const loss of written === null ? [] : renderLosses(written)) this.alert(loss)
      this.answer(conversionDocument(conversion, written), () => renderConversion(conversion, written, this.output))
    } finally {
      await adapter?.file.close()
      await file.close()
    }
  }

  /** Those of --dtype-of whose pattern matches none of the names that are written. */
  private async idleDtypes({ tensors }: Conversion): Promise<string[]> {
    const given = this.flags['dtype-of'] ?? []
    const rules = await Promise.all(
      given.map(async (text) => ({ text, dtypeFor: await compileDtypes(undefined, [text]) })),
    )
    return rules.flatMap(({ text, dtypeFor }) => {
      return tensors.some(({ name }) => dtypeFor(name) !== undefined) ? [] : [text]
    })
  }

  /** Throws CkptError `usage` where neither --to nor the name of the output says it. */
  private format(): OutputFormat {
    const { to, output } = this.flags
    const format = to ?? (output === undefined ? null : formatOfName(output))
    if (format !== null) return format
    const name = output === undefined ? '' : `, and the name ${output} says no format`
    throw new CkptError('usage', `--to is missing${name}`, {
      hint: `say which: --to ${formatOptions.join(' or --to ')}`,
    })
  }

  private async plan(file: TensorFile, options: ConvertOptions, adapter: LoraAdapter | null): Promise<Conversion> {
    if (adapter === null) return planConversion(file, this.format(), options)
    const { change, merged, replaced } = await planLora(
      weightsOf(file, options.part).file,
      adapter.file,
      adapter.config,
    )
    this.note(renderMerge(adapter.file.path, merged.length, replaced.length))
    return planConversion(file, this.format(), { ...options, change })
  }

  /** What is chosen of the file, and how it is written. */
  private async choice(): Promise<{ readonly names: NameMapping; readonly options: ConvertOptions }> {
    const { flags } = this
    const { names, chosen } = await namesChosen(flags)
    const options = {
      part: flags.part,
      dtypeFor: await compileDtypes(flags.dtype, flags['dtype-of']),
      metadata: parseMetadata(flags.metadata ?? []),
      ...chosen,
    }
    return { names, options }
  }

  private async isModelFolder(folder: string): Promise<boolean> {
    const [config] = await this.storage.stat([join(folder, 'config.json')])
    return config?.ok === true
  }

  /** A file that came to lie in a checkpoint would be one of its parameter files. */
  private async outputFor({ path, checkpoint }: FoundParamFile): Promise<string> {
    const { output } = this.flags
    const to = this.format()
    if (output !== undefined && !(await isFolderOutput(this.storage, output))) return resolve(output)
    const into = output === undefined ? dirname(path) : resolve(output)
    const name = outputName(path, to, (await this.isModelFolder(dirname(path))) || (await this.isModelFolder(into)))
    if (output !== undefined) return join(into, name)
    if (checkpoint !== null) return resolve(name)
    const folder = dirname(path)
    const holder = await findCheckpointAt(this.storage, folder)
    if (holder !== null) {
      throw new CkptError('usage', `${folder} is a checkpoint, and a further file would be one of its own`, {
        hint: `say where it goes: --output ${quoteWord(name)}`,
      })
    }
    const own = join(folder, name)
    if (own !== path) return own
    throw new CkptError('usage', `${path}: what is written would take the place of the file itself`, {
      hint: 'say where it goes: --output FILE',
    })
  }
}

/** Throws CkptError `usage`. */
function parseMetadata(texts: readonly string[]): Map<string, string> {
  return new Map(
    texts.map((text): [string, string] => {
      const equals = text.indexOf('=')
      if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)]
      throw new CkptError('usage', `--metadata ${text}: it is written KEY=VALUE`)
    }),
  )
}
