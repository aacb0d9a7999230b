import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import {
  compareTensors,
  isComparable,
  measureValues,
  type Comparison,
  type Measured,
} from '../core/tensors/compare/index.js'
import { compileMapping } from '../core/tensors/names/index.js'
import { findFile } from '../core/runs/index.js'
import { isFile, openSafely } from '../core/runs/open-tensors.js'
import type { TensorFile } from '../core/tensors/read/index.js'
import { filterFlags, keyFlag } from '../cli/tensor-flags.js'
import { diffDocument, isDifferent, renderDiff, renderUncompared } from '../render/diff.js'
import { renderIdle } from '../render/messages.js'
import { baseOf } from '../machine/working-folder.js'

/** As git diff --exit-code has it. */
const differ = 1

export default class Diff extends BaseCommand<typeof Diff> {
  static override isReader = true
  static override summary = 'Compare the tensors of two files: names, shapes, dtypes, and values'
  static override description = `Tells what was added (only in B), removed (only in A), reshaped and recast (another dtype). With --values it reads all
values that can be compared, and tells how many tensors are equal, and of the others the largest and the mean absolute
difference and the cosine of both. A and B may be files, checkpoints, or runs, of which the newest checkpoint counts.
Exit status 0 whether they differ or not; with --exit-code 1 when they do, as git diff has it, or when
values cannot be compared: of dtypes below a byte, and complex ones with others.`
  static override examples = [
    { description: 'another vocabulary?', command: '<%= config.bin %> diff pretrained.safetensors new.safetensors' },
    {
      description: 'how far training moved the weights',
      command: '<%= config.bin %> diff pretrained.safetensors model.ckpt --values',
    },
    {
      description: 'in a script',
      command: '<%= config.bin %> diff pretrained.safetensors model.ckpt --values --exit-code --quiet && echo the same',
    },
  ]
  static override args = {
    a: Args.string({ description: 'a file of tensors, a checkpoint or a run', required: true, ignoreStdin: true }),
    b: Args.string({ description: 'what it is compared with', required: true, ignoreStdin: true }),
  }
  static override flags = {
    values: Flags.boolean({ description: 'compare the values too' }),
    'exit-code': Flags.boolean({ description: 'exit status 1 when anything differs, or cannot be compared' }),
    key: keyFlag,
    ...filterFlags,
  }

  async run(): Promise<void> {
    const names = await compileMapping({ include: this.flags.include ?? [], exclude: this.flags.exclude ?? [] })
    const a = await this.open(this.args.a)
    try {
      const b = await this.open(this.args.b)
      try {
        const comparison = compareTensors(a, b, names.isWanted)
        for (const rule of names.idle()) this.alert(renderIdle(rule))
        await this.compare(a, b, comparison)
      } finally {
        await b.close()
      }
    } finally {
      await a.close()
    }
  }

  private async compare(a: TensorFile, b: TensorFile, comparison: Comparison): Promise<void> {
    const pairs = [...comparison.alike, ...comparison.recast]
    const measured: readonly Measured[] | null = this.flags.values
      ? await this.long('comparing', (work) => measureValues(a, b, pairs, work))
      : null
    const left = measured === null ? [] : pairs.filter((pair) => !isComparable(pair))
    if (left.length > 0) this.alert(renderUncompared(left))
    this.answer(diffDocument(a, b, comparison, measured), () => renderDiff(comparison, measured, this.output))
    if (this.flags['exit-code'] && (left.length > 0 || isDifferent(comparison, measured))) process.exitCode = differ
  }

  private async open(argument: string): Promise<TensorFile> {
    const isPlain = await isFile(this.storage, resolve(argument))
    const key = isPlain ? undefined : this.flags.key
    const request = { base: baseOf(argument), query: { orders: [], where: [] }, key }
    const found = await findFile(this.storage, argument, request, { now: this.now() })
    for (const warning of found.warnings) this.alert(warning)
    await this.readThroughHooks([found])
    return openSafely(this.storage, found.path)
  }
}
