import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../base-command.js'
import { CkptError } from '../core/errors.js'
import { ensureSafe, openTensors } from '../core/tensors/index.js'
import { ensureTransferable, matchTensors, reportOf, transfer, type TransferPlan } from '../core/transfer/index.js'
import { dryRunFlag } from '../flags.js'
import { renderTransfer } from '../render/transfer.js'

export default class Transfer extends BaseCommand<typeof Transfer> {
  static override summary = 'Carry matching parameters by name from one file of tensors into another'
  static override description = `Values come from SOURCE (safetensors, what torch.save writes, or a sharded model's index); names, order, dtypes and metadata stay those of TARGET. What is only in the target keeps
its value, what is only in the source is left out, as with load_state_dict(strict=False). Without --output, and
with --dry-run, it reports and writes nothing. Shapes that differ, or nothing in common: exit status 5.`
  static override examples = [
    { description: 'what would match', command: '<%= config.bin %> transfer pretrained.safetensors new.safetensors' },
    {
      description: 'start fine-tuning from it, but for the layers that changed their size',
      command:
        '<%= config.bin %> transfer pretrained.safetensors new.safetensors --skip-mismatched --output init.safetensors',
    },
  ]
  static override args = {
    source: Args.string({ description: 'values are taken from this file', required: true, ignoreStdin: true }),
    target: Args.string({ description: 'the structure is that of this file', required: true, ignoreStdin: true }),
  }
  static override flags = {
    output: Flags.string({ char: 'o', helpValue: 'FILE', description: 'write the result here' }),
    force: Flags.boolean({ char: 'f', description: 'replace what is at the output' }),
    'skip-mismatched': Flags.boolean({
      description: "go on without tensors whose shapes differ: they keep the target's values",
    }),
    'dry-run': dryRunFlag,
  }

  async run(): Promise<void> {
    const source = await openTensors(this.storage, resolve(this.args.source))
    const target = await openTensors(this.storage, resolve(this.args.target))
    for (const file of [source, target]) {
      ensureSafe(file)
      for (const finding of file.findings) this.alert(`${file.path}: ${finding}`)
    }
    const plan = matchTensors(source, target, { skipMismatched: this.flags['skip-mismatched'] })
    try {
      ensureTransferable(plan)
      const { output } = this.flags
      const written = output === undefined || this.flags['dry-run'] ? null : await this.write(plan, resolve(output))
      const document = { ...reportOf(plan), output: written?.output ?? null, bytes: written?.bytes ?? 0 }
      this.answer(document, () => renderTransfer(plan, written, this.output))
    } catch (error) {
      // What nearly matched is in the report, in JSON too.
      if (error instanceof CkptError && error.code === 'refused')
        this.failWith({ ...reportOf(plan), output: null, bytes: 0 })
      throw error
    } finally {
      await source.close()
      await target.close()
    }
  }

  private async write(plan: TransferPlan, output: string): Promise<{ output: string; bytes: number }> {
    const options = { force: this.flags.force }
    const { bytes } = await this.long('writing', (work) =>
      transfer(this.storage, plan, output, { ...options, ...work }),
    )
    return { output, bytes }
  }
}
