/** `ckpt diff`: two runs side by side, or the tensors of two files. */
import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { TensorCommand } from '../cli/tensor-command.js'
import {
  compareTensors,
  findPrefixBetween,
  isComparable,
  measureValues,
  type Comparison,
  type Measured,
} from '../core/tensors/compare/index.js'
import { CkptError } from '../core/errors.js'
import { compileMapping } from '../core/tensors/names/index.js'
import { compareRuns, findFile, openNamed } from '../core/runs/index.js'
import type { Run } from '../core/checkpoint.js'
import { openSafely, readingNamed, type TensorFile } from '../core/tensors/read/index.js'
import { filterFlags, keyFlag, stripBothFlag } from '../cli/flags/tensor-flags.js'
import { diffDocument, isDifferent, renderDiff, renderPrefixBetween, renderUncompared } from '../render/diff.js'
import { renderRunDiff, runDiffDocument, runsDiffer } from '../render/diff-runs.js'
import { renderIdle } from '../render/messages.js'
import { baseOf } from '../machine/working-folder.js'
import { isFile } from '../core/runs/with-tensors/find-file.js'

/** As git diff --exit-code has it. */
const differ = 1

export default class Diff extends TensorCommand<typeof Diff> {
  static override isReader = true
  static override summary = 'Compare two runs, or the tensors of two files'
  static override description = `Of two runs: the hyper-parameters that differ, metrics at equal steps, the best, the checkpoints, and the version of the
code where it is recorded (the commit in W&B's metadata, SpeechBrain's env.log, MLflow's tags, or a hyper-parameter).

Of files and checkpoints, and of runs with --tensors or a flag about tensors: tells what was added (only in B), removed (only in A), reshaped and recast (another dtype). With --values it reads all
values that can be compared, and tells how many tensors are equal, and of the others the largest and the mean absolute
difference and the cosine of both. A and B may be files, checkpoints, or runs, of which the newest checkpoint counts.
Exit status 0 whether they differ or not; with --exit-code 1 when they do, as git diff has it, or when
values cannot be compared (dtypes smaller than a byte; complex with real).`
  static override examples = [
    { description: 'what is different about the other run?', command: '<%= config.bin %> diff exp/save exp2/save' },
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
    b: Args.string({
      description: 'the file, checkpoint or run to compare it with',
      required: true,
      ignoreStdin: true,
    }),
  }
  static override flags = {
    tensors: Flags.boolean({ description: 'of two runs too: compare the tensors of their newest checkpoints' }),
    all: Flags.boolean({ description: 'of two runs: every row and every metric, also on a terminal' }),
    values: Flags.boolean({ description: 'compare the values too' }),
    'exit-code': Flags.boolean({ description: 'exit status 1 when anything differs, or cannot be compared' }),
    key: keyFlag,
    ...filterFlags,
    'strip-prefix': stripBothFlag,
  }

  async run(): Promise<void> {
    const runs = await this.twoRuns()
    if (runs === null) return this.compareFiles()
    const comparison = await compareRuns(this.storage, runs[0], runs[1], this.now())
    const lines = this.wantsJson ? [] : await renderRunDiff(comparison, { output: this.output, all: this.flags.all })
    this.answer(
      () => runDiffDocument(comparison),
      () => lines,
    )
    if (this.flags['exit-code'] && runsDiffer(comparison)) process.exitCode = differ
  }

  /** Null where tensors are meant. */
  private async twoRuns(): Promise<readonly [Run, Run] | null> {
    const { tensors, values, key, include, exclude, 'strip-prefix': prefixes } = this.flags
    if (tensors || values || [key, include, exclude, prefixes].some((flag) => flag !== undefined)) return null
    const a = await this.runAt(this.args.a)
    const b = a === null ? null : await this.runAt(this.args.b)
    return a === null || b === null ? null : [a, b]
  }

  private async runAt(argument: string): Promise<Run | null> {
    const [there] = await this.storage.stat([resolve(argument)])
    if (there?.ok !== true || there.value.kind !== 'directory') return null
    try {
      const named = await openNamed(this.storage, argument, baseOf(argument))
      return named.kind === 'run' ? named.run : null
    } catch (error) {
      // A folder of weights is none, and its tensors can be compared.
      if (error instanceof CkptError && error.code === 'not-found') return null
      throw error
    }
  }

  private async compareFiles(): Promise<void> {
    const { include = [], exclude = [], 'strip-prefix': stripPrefixes = [] } = this.flags
    const names = await compileMapping({ include, exclude, stripPrefixes })
    const a = await this.open(this.args.a)
    try {
      const b = await this.open(this.args.b)
      try {
        const comparison = compareTensors(a, b, stripPrefixes.length === 0 ? { isWanted: names.isWanted } : names)
        for (const rule of names.idle()) this.alert(renderIdle(rule))
        if (stripPrefixes.length === 0) this.suggestPrefix(comparison)
        await this.compare(a, b, comparison)
      } finally {
        await b.close()
      }
    } finally {
      await a.close()
    }
  }

  /** Where one file has the names of the other below a prefix. */
  private suggestPrefix({ added, removed }: Comparison): void {
    const [a, b] = [removed, added].map((tensors) => tensors.map(({ name }) => name))
    const found = findPrefixBetween(a ?? [], b ?? [])
    if (found === null) return
    const { tensors, values, 'exit-code': exitCode, key, include = [], exclude = [] } = this.flags
    const switches = Object.entries({ tensors, values, 'exit-code': exitCode }).filter(([, isGiven]) => isGiven)
    const typed = [
      ...switches.map(([name]) => `--${name}`),
      ...(key === undefined ? [] : ['--key', key]),
      ...include.flatMap((pattern) => ['--include', pattern]),
      ...exclude.flatMap((pattern) => ['--exclude', pattern]),
    ]
    this.note(renderPrefixBetween(found, [this.args.a, this.args.b, ...typed]))
  }

  private async compare(a: TensorFile, b: TensorFile, comparison: Comparison): Promise<void> {
    const pairs = [...comparison.alike, ...comparison.recast]
    const measured: readonly Measured[] | null = this.flags.values
      ? await this.long('comparing', (work) => readingNamed([a.path, b.path], () => measureValues(a, b, pairs, work)))
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
