import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../base-command.js'
import { average, planAverage, type AveragePlan, type Precision } from '../core/average/index.js'
import { CkptError } from '../core/errors.js'
import { compileFilter } from '../core/names/index.js'
import { formatFor, type WrittenOutput } from '../core/output/index.js'
import { findFile, findFiles, type FoundFile } from '../core/run/index.js'
import { ensureSafe, openTensors, type TensorFile } from '../core/tensors/index.js'
import { filterFlags, formatFlag, keyFlag, outputFlags, shardSizeFlag } from '../file-source.js'
import { dryRunFlag, selectionFlags } from '../flags.js'
import { onlyOrder, readQuery } from '../query.js'
import { averageDocument, renderAverage } from '../render/average.js'

export default class Average extends BaseCommand<typeof Average> {
  static override summary = 'Write the mean of several checkpoints, tensor by tensor'
  static override description = `Of a run: the newest (--last 5), or the best (--num 5 --max ACC), in that order; or of the files and checkpoints
that are named, in theirs. Floating-point tensors are summed in this order and divided by the count, each step rounded
to float32: to the last bit what SpeechBrain's average_checkpoints and torch come to. --accumulate float64 rounds once,
at the end. Integers and booleans are those of the newest file. A name or a shape that is not in all is refused (exit
status 5). One chunk of one tensor at a time is in memory.`
  static override examples = [
    {
      description: 'the newest five',
      command: '<%= config.bin %> average exp/save --last 5 --key model --output avg.safetensors',
    },
    {
      description: 'the best three, as a file that torch.load reads',
      command: '<%= config.bin %> average exp/save --num 3 --max ACC --key model -o avg.pt',
    },
    {
      description: 'two files, the second three times as heavy',
      command: '<%= config.bin %> average model.ckpt model.ckpt --weights 1,3 -o avg.safetensors',
    },
  ]
  static override usage = 'average RUN|FILE... [FLAGS]'
  static override args = {
    what: Args.string({
      name: 'RUN|FILE...',
      description: 'one run, or files and checkpoints',
      required: true,
      multiple: true,
      ignoreStdin: true,
    }),
  }
  static override flags = {
    last: Flags.integer({ helpValue: 'N', min: 1, description: 'the newest N of a run', exclusive: ['num'] }),
    num: Flags.integer({ helpValue: 'N', min: 1, description: 'the best N of a run, by --min, --max or --by' }),
    key: keyFlag,
    ...outputFlags,
    accumulate: Flags.custom<Precision>({
      options: ['float32', 'float64'],
      default: 'float32',
      description: 'what sums are kept in; float64 tensors are always summed in float64',
    })(),
    weights: Flags.custom<readonly number[]>({
      helpValue: 'W,W,…',
      description: 'one for each file, in order; they need not come to 1',
      parse: async (text) => parseWeights(text),
    })(),
    to: formatFlag(),
    'shard-size': shardSizeFlag(),
    'dry-run': dryRunFlag,
    ...filterFlags,
    ...selectionFlags,
  }

  async run(): Promise<void> {
    const isWanted = await compileFilter(this.flags.include ?? [], this.flags.exclude ?? [])
    const found = await this.find()
    for (const warning of new Set(found.flatMap(({ warnings }) => warnings))) this.alert(warning)
    const files: TensorFile[] = []
    try {
      for (const { path } of found) files.push(await this.open(path))
      const newest = files[await this.newestOf(found)] ?? files[0]
      if (newest === undefined) throw new CkptError('usage', 'there is nothing to average')
      const { weights, accumulate } = this.flags
      const plan = planAverage(files, newest, { weights, accumulate, isWanted })
      const written = await this.write(plan)
      this.answer(averageDocument(plan, written), () => renderAverage(plan, written, this.output))
    } finally {
      for (const file of files) await file.close()
    }
  }

  private async find(): Promise<FoundFile[]> {
    const { what } = this.args
    const [first, ...others] = what
    const query = await readQuery(this.flags)
    const order = onlyOrder(query)
    const { last, num, key } = this.flags
    this.checkCount(order !== undefined)
    const context = { now: this.now() }
    const request = { base: resolve('.'), query, key }
    const count = last ?? num
    if (first !== undefined && others.length === 0 && count !== undefined) {
      const found = await findFiles(this.storage, first, request, count, context)
      if (found.length < count) this.alert(`there are only ${found.length}, not ${count}`)
      return found
    }
    if (count !== undefined)
      throw new CkptError('usage', '--last and --num choose from one run, and several things were named')
    if (others.length === 0) {
      throw new CkptError('usage', `${first ?? ''}: of a run, say how many with --last N or --num N`, {
        hint: 'or name the files',
      })
    }
    const found: FoundFile[] = []
    for (const one of what) {
      const [stat] = await this.storage.stat([resolve(one)])
      const isFile = stat?.ok === true && stat.value.kind !== 'directory'
      found.push(await findFile(this.storage, one, isFile ? { ...request, key: undefined } : request, context))
    }
    return found
  }

  private checkCount(isRanked: boolean): void {
    const { last, num } = this.flags
    if (last !== undefined && isRanked) {
      throw new CkptError('usage', '--last takes the newest; with --min, --max or --by it is --num')
    }
    if (num !== undefined && !isRanked) {
      throw new CkptError('usage', '--num takes the best, and needs --min, --max or --by; for the newest it is --last')
    }
  }

  private async open(path: string): Promise<TensorFile> {
    const file = await openTensors(this.storage, path)
    try {
      ensureSafe(file)
    } catch (error) {
      await file.close()
      throw error
    }
    for (const finding of file.findings) this.alert(`${path}: ${finding}`)
    return file
  }

  /** By what the checkpoints say where all say it, else by the files' times; of equals the last. */
  private async newestOf(found: readonly FoundFile[]): Promise<number> {
    const stats = await this.storage.stat(found.map(({ path }) => path))
    const said = found.map(({ checkpoint }) => checkpoint?.unixtime ?? null)
    const times = said.every((time) => time !== null) ? said : stats.map((stat) => (stat.ok ? stat.value.modified : 0))
    return times.reduce<number>((best, time, index) => (time >= (times[best] ?? 0) ? index : best), 0)
  }

  private async write(plan: AveragePlan): Promise<WrittenOutput | null> {
    const { output, force, to } = this.flags
    if (output === undefined || this.flags['dry-run']) return null
    const path = resolve(output)
    const format = to ?? formatFor(path, plan.newest)
    const shardSize = this.flags['shard-size']
    return this.long('averaging', (work) =>
      average(this.storage, plan, { path, format, shardSize }, { ...work, force }),
    )
  }
}

/** Throws CkptError `usage`. */
function parseWeights(text: string): number[] {
  const weights = text.split(',').map((part) => (part.trim() === '' ? NaN : Number(part)))
  if (weights.every(Number.isFinite)) return weights
  throw new CkptError('usage', `--weights ${text}: not numbers with commas between them`, { hint: 'as in 1,2,0.5' })
}
