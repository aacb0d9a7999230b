/** `ckpt export`: what an inference server needs of a checkpoint, in a new folder. */
import { join, resolve, sep } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { TensorCommand } from '../cli/tensor-command.js'
import { dryRunFlag, selectionFlags, stateFlag, verifyFlag } from '../cli/flags/common-flags.js'
import { onlyOrder, readQuery } from '../cli/flags/query.js'
import {
  compileDtypes,
  dtypeFlag,
  dtypeOfFlag,
  formatOptions,
  namesChosen,
  partFlag,
  renameFlags,
  shardSizeFlag,
  strictCastFlag,
} from '../cli/flags/tensor-flags.js'
import type { Checkpoint } from '../core/checkpoint.js'
import { CkptError, exitStatusOf } from '../core/errors.js'
import { ensureCanPublishFolder } from '../core/changes/publish/index.js'
import {
  chooseToExport,
  openExport,
  planExport,
  writeExport,
  type OpenExport,
  type WrittenExport,
} from '../core/runs/export/index.js'
import { isChoosingWord } from '../core/checkpoints/choosing-words.js'
import type { OutputFormat } from '../core/tensors/write/index.js'
import { wait } from '../machine/clock.js'
import { exportDocument, renderExport } from '../render/export.js'
import { renderIdle } from '../render/messages.js'
import { printable } from '../render/printable.js'
import { renderLosses } from '../render/transfer.js'

export default class Export extends TensorCommand<typeof Export> {
  static override summary = 'Copy what an inference server needs of a checkpoint into a new folder'
  static override description = `The weights as safetensors, with the names and the index that from_pretrained looks for; configurations, tokenizer,
generation config, processors and the model card, from the checkpoint and from the run's folder; parts of pipelines, adapters and
modules in their folders. No optimizer or other state of the training. SpeechBrain's, Keras' and NeMo's files stay in the form that
their own loaders read, checkpoints of torch.distributed.checkpoint and ZeRO are put together; of
Lightning --to torch makes what load_from_checkpoint reads, without the training's state. The folder appears whole, or not at all.
WHICH is best, latest, the name of a checkpoint, or an expression as for --where; left out, the newest that is whole.
The exit status is 6 when the system refused to read a newer one, which may be whole.`
  static override examples = [
    {
      description: 'the best checkpoint of a run',
      command: '<%= config.bin %> export exp/save --min WER --into served',
    },
    {
      description: 'its weights as safetensors, in half precision, names as a bare model has them',
      command:
        '<%= config.bin %> export exp/save --min WER --to safetensors --dtype F16 --into half --strip-prefix model.',
    },
  ]
  static override args = {
    run: Args.string({
      description: 'a run, a checkpoint, or a file or folder of weights',
      required: true,
      ignoreStdin: true,
    }),
    which: Args.string({ description: 'best, latest, a name or an expression', ignoreStdin: true }),
  }
  static override flags = {
    into: Flags.string({
      required: true,
      helpValue: 'DIR',
      description: 'the new folder; folders above it are made, and one that holds something is refused',
    }),
    force: Flags.boolean({
      char: 'f',
      description:
        'add to a folder that holds something: files of the same names are replaced, weights of other names go, the rest stays',
    }),
    to: Flags.custom<OutputFormat>({
      helpValue: 'FORMAT',
      options: [...formatOptions],
      description:
        "the format of the weights; left out: safetensors, but what only a framework's own loader reads stays as it is",
    })(),
    part: partFlag,
    dtype: dtypeFlag(),
    'dtype-of': dtypeOfFlag,
    'strict-cast': strictCastFlag,
    'shard-size': shardSizeFlag(),
    beside: Flags.string({
      helpValue: 'FOLDER',
      description:
        'take from here what the checkpoint and its run lack: configuration, tokenizer (the model it began from)',
    }),
    'dry-run': dryRunFlag,
    ...renameFlags,
    ...selectionFlags,
    verify: verifyFlag(
      'how deep it is checked before: none, quick (headers), deep (every byte); what is not whole is passed over',
      'quick',
    ),
    state: stateFlag,
  }

  async run(): Promise<void> {
    const into = resolve(this.flags.into)
    const { checkpoint, warnings } = await this.choose()
    for (const warning of warnings) this.alert(warning)
    ensureApart(checkpoint, into)
    await ensureCanPublishFolder(this.storage, into, this.flags.force)
    const files = checkpoint.files.map(({ path }) => ({ path, checkpoint }))
    await this.readThroughHooks(files)
    const open = await this.open(checkpoint)
    try {
      for (const warning of open.plan.warnings) this.alert(warning)
      const written = this.flags['dry-run'] ? null : await this.write(open, into)
      for (const output of written?.outputs ?? []) for (const loss of renderLosses(output)) this.alert(loss)
      this.answer(exportDocument(checkpoint, open, into, written), () =>
        renderExport(checkpoint, open, into, written, this.output),
      )
    } finally {
      await open.close()
    }
  }

  private async choose() {
    const { verify, state: stateDirectory } = this.flags
    const query = await readQuery(this.flags)
    onlyOrder(query)
    const { run, which } = readOrderOfArguments(this.args.run, this.args.which)
    const request = { path: resolve(run), which, query, verify, stateDirectory }
    return this.long('checking', (work) =>
      chooseToExport(this.storage, request, {
        ...work,
        now: this.now(),
        wait,
        onPassedOver: ({ name, reasons }, isUnreadable) => {
          this.alert(`passed over ${printable(name)}: ${reasons.join('; ')}`)
          // It may be whole, and then it was the one that was meant.
          if (isUnreadable) process.exitCode = exitStatusOf.partial
        },
      }),
    )
  }

  private async open(checkpoint: Checkpoint): Promise<OpenExport> {
    const { flags } = this
    const { part, dtype, to: format } = flags
    const { names, chosen, isChanged } = await namesChosen(flags)
    const casts = dtype !== undefined || flags['dtype-of'] !== undefined
    const changesTensors = isChanged || casts || flags['shard-size'] !== undefined
    const beside = flags.beside === undefined ? undefined : resolve(flags.beside)
    const plan = await planExport(this.storage, checkpoint, { part, format, changesTensors, beside })
    const dtypeFor = await compileDtypes(dtype, flags['dtype-of'])
    // Which of two folders was taken is decided in the plan.
    const inFile = part === 'ema' && checkpoint.kind === 'directory' ? undefined : part
    const conversion = { part: inFile, dtypeFor, ...chosen }
    const options = { format: format ?? 'safetensors', conversion, dtype } as const
    const open = await openExport(this.storage, checkpoint, plan, options)
    if (open.conversions.size > 0) for (const rule of names.idle()) this.alert(renderIdle(rule))
    return open
  }

  private async write(open: OpenExport, into: string): Promise<WrittenExport> {
    const { force, 'strict-cast': strictCast, 'shard-size': shardSize } = this.flags
    const readsThrough = (await this.hooks()).length > 0
    return this.long('writing', (work) =>
      writeExport(this.storage, open, into, { ...work, wait, force, strictCast, shardSize, readsThrough }),
    )
  }
}

/** As find takes them: `ckpt export best RUN` means the same. */
function readOrderOfArguments(run: string, which: string | undefined): { run: string; which: string | undefined } {
  if (!isChoosingWord(run)) return { run, which }
  return { run: which ?? '.', which: run }
}

/** Throws CkptError `refused`. */
function ensureApart({ path, run }: Checkpoint, into: string): void {
  for (const other of [path, run]) {
    if (join(other, sep).startsWith(join(into, sep))) {
      throw new CkptError('refused', `${into}: what is exported lies in it`, { hint: 'name a folder of its own' })
    }
  }
  if (join(into, sep).startsWith(join(path, sep))) {
    throw new CkptError('refused', `${into}: lies in the checkpoint itself`, { hint: 'name a folder of its own' })
  }
}
