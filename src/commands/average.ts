/** `ckpt average`: the mean of the weights of several checkpoints. */
import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { TensorCommand } from '../cli/tensor-command.js'
import { localStamp, wait } from '../machine/clock.js'
import type { Precision } from '../core/tensors/average/index.js'
import { CkptError } from '../core/errors.js'
import { findCheckpointAt } from '../core/checkpoints/layouts/index.js'
import { compileMapping, type NameMapping } from '../core/tensors/names/index.js'
import {
  ensureSavesInto,
  prepareAverage,
  previewAverage,
  saveAverage,
  writeAverage,
  type AverageRequest,
  type PreparedAverage,
} from '../core/runs/with-tensors/average.js'
import { openExactly } from '../core/runs/index.js'
import {
  filterFlags,
  formatFlag,
  keyFlag,
  outputFlags,
  partFlag,
  shardSizeFlag,
  strictCastFlag,
  weightsOnlyFlag,
} from '../cli/flags/tensor-flags.js'
import { chosenVerifyFlag, dryRunFlag, selectionFlags } from '../cli/flags/common-flags.js'
import { outputLike } from '../cli/flags/output-path.js'
import { onlyOrder, readQuery } from '../cli/flags/query.js'
import { renderIdle } from '../render/messages.js'
import { plural } from '../render/units.js'
import { averageDocument, renderAverage, type AverageResult } from '../render/average.js'
import { renderLosses, renderOutdated } from '../render/transfer.js'
import { readMeta } from '../cli/flags/save-arguments.js'
import { baseOf } from '../machine/working-folder.js'

export default class Average extends TensorCommand<typeof Average> {
  static override summary = 'Write the mean of several checkpoints, tensor by tensor'
  static override description = `Averages the newest checkpoints of a run (--last 5), the best (--num 5 --max ACC), or the files and checkpoints
that are named. Floating-point tensors are summed in that order and divided by the count, each step rounded
to float32: the result is bit for bit that of SpeechBrain's average_checkpoints and of torch. --accumulate float64 rounds once,
at the end. Integers and booleans are those of the newest file. A name or shape that some of them lack is refused (exit
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
      description: 'as a checkpoint that ranks before all others',
      command: '<%= config.bin %> average exp/save --num 3 --max ACC --key model --save exp/save --meta ACC=1.1',
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
    last: Flags.integer({
      helpValue: 'N',
      min: 1,
      description: 'average the newest N checkpoints of a run',
      exclusive: ['num'],
    }),
    num: Flags.integer({
      helpValue: 'N',
      min: 1,
      description: 'average the best N checkpoints of a run, by --min, --max or --by',
    }),
    key: keyFlag,
    part: partFlag,
    ...outputFlags,
    'weights-only': weightsOnlyFlag,
    accumulate: Flags.custom<Precision>({
      options: ['float32', 'float64'],
      default: 'float32',
      description: 'the dtype of the sums; float64 tensors are always summed in float64',
    })(),
    weights: Flags.custom<readonly number[]>({
      helpValue: 'W,W,…',
      description: 'one weight for each file, in order; their sum need not be 1',
      parse: async (text) => parseWeights(text),
    })(),
    to: formatFlag(),
    'shard-size': shardSizeFlag(),
    save: Flags.string({
      helpValue: 'RUN',
      description:
        'save it as a new checkpoint of this run, in one step, and say in its meta what it was averaged from',
      exclusive: ['output', 'force', 'shard-size'],
    }),
    meta: Flags.string({
      helpValue: 'KEY=VALUE',
      description: 'with --save: a value for the meta of the new checkpoint: ACC=1.1',
      multiple: true,
      multipleNonGreedy: true,
      dependsOn: ['save'],
    }),
    name: Flags.string({ helpValue: 'NAME', description: 'call it CKPT+NAME; never overwrites', dependsOn: ['save'] }),
    'strict-cast': strictCastFlag,
    'dry-run': dryRunFlag,
    ...filterFlags,
    ...selectionFlags,
    verify: chosenVerifyFlag,
  }

  /** Tensors with NaN in their mean, and how many. */
  private readonly notNumbers: string[] = []
  /** Patterns that no name matched. */
  private idle: NameMapping['idle'] = () => []

  async run(): Promise<void> {
    const request = await this.request()
    const prepared = await this.long('checking', (work) =>
      prepareAverage(this.storage, request, { now: this.now(), ...work, ...this.readingHooks }),
    )
    const { plan, warnings } = prepared
    try {
      for (const warning of warnings) this.alert(warning)
      for (const rule of this.idle()) this.alert(renderIdle(rule))
      const result = await (this.flags.save === undefined ? this.write(prepared) : this.save(prepared, this.flags.save))
      this.warnOfNaN()
      this.answer(averageDocument(plan, result), () => renderAverage(plan, result, this.output))
    } finally {
      await prepared.close()
    }
  }

  private async request(): Promise<AverageRequest> {
    const { key, weights, accumulate, part, include = [], exclude = [] } = this.flags
    const query = await readQuery(this.flags)
    const isFiltered = include.length + exclude.length > 0
    const names = await compileMapping({ include, exclude })
    this.idle = names.idle
    const filter = isFiltered ? { isWanted: names.isWanted } : {}
    const count = await this.count(onlyOrder(query) !== undefined)
    const { what } = this.args
    const options = { weights, accumulate, part, ...filter }
    return { what, base: baseOf(...what), query, verify: this.flags.verify, key, count, options }
  }

  /** How many are chosen of a run; null for several things that were named. */
  private async count(isRanked: boolean): Promise<number | null> {
    const { last, num } = this.flags
    const [first = '', ...others] = this.args.what
    if (last !== undefined && isRanked) {
      throw new CkptError('usage', '--last N takes the newest; for the best by --min, --max or --by use --num N')
    }
    if (num !== undefined && !isRanked) {
      throw new CkptError('usage', '--num N takes the best, so it needs --min, --max or --by', {
        hint: 'for the newest use --last N',
      })
    }
    const count = last ?? num ?? null
    if (count !== null && others.length > 0) {
      throw new CkptError('usage', '--last and --num choose from one run, and several things were named')
    }
    if (count === null && others.length === 0) await this.refuseAlone(first)
    return count
  }

  /** One thing, and no count. */
  private async refuseAlone(what: string): Promise<never> {
    const path = resolve(what)
    const [stat] = await this.storage.stat([path])
    if (stat?.ok === false) throw stat.error
    const kind = stat?.value.kind === 'file' ? 'file' : (await findCheckpointAt(this.storage, path)) && 'checkpoint'
    if (kind === null) {
      throw new CkptError('usage', `${what} is a folder: say how many checkpoints of its run are averaged`, {
        hint: '--last 5 for the newest, --num 5 --min loss for the best; or name the files',
      })
    }
    throw new CkptError('usage', `${what} is one ${kind}, and there is nothing to average it with`, {
      hint: 'name several, or a run with --last N or --num N',
    })
  }

  private readonly onNaN = (name: string, count: number): void => {
    this.notNumbers.push(`${name} (${count})`)
  }

  /** One broken file among good ones shows in nothing else. */
  private warnOfNaN(): void {
    const names = this.notNumbers
    if (names.length === 0) return
    const some = [...names.slice(0, 5), ...(names.length > 5 ? ['…'] : [])].join(', ')
    this.alert(`NaN in the mean of ${plural(names.length, 'tensor')}: ${some}; ckpt tensors FILE --stats tells whose`)
  }

  private async write(prepared: PreparedAverage): Promise<AverageResult> {
    const { output, force, to, 'shard-size': shardSize } = this.flags
    if (output === undefined || this.flags['dry-run']) return { written: null, checkpoint: null }
    const weightsOnly = this.flags['weights-only']
    const path = await outputLike(this.storage, output, prepared.plan.newest, to)
    const target = { path, shardSize, weightsOnly, ...(to === undefined ? {} : { format: to }) }
    const written = await this.long('averaging', (work) =>
      writeAverage(this.storage, prepared, target, {
        ...work,
        force,
        strictCast: this.flags['strict-cast'],
        onNaN: this.onNaN,
        onOutdated: (paths) => this.note(renderOutdated(paths)),
      }),
    )
    for (const loss of renderLosses(written)) this.alert(loss)
    return { written, checkpoint: null }
  }

  private async save(prepared: PreparedAverage, run: string): Promise<AverageResult> {
    const { key, name, to: format, meta = [] } = this.flags
    const opened = await openExactly(this.storage, resolve(run))
    if (opened.warning !== null) this.alert(opened.warning)
    ensureSavesInto(opened.run)
    const unixtime = this.now()
    const target = { run: resolve(run), name, stamp: localStamp(unixtime), unixtime }
    const checkpoint = { ...target, key, format, meta: await readMeta(meta) }
    if (this.flags['dry-run']) {
      const { path } = await previewAverage(this.storage, prepared, checkpoint)
      return { written: null, checkpoint: { path, isSaved: false, losses: [] } }
    }
    const strictCast = this.flags['strict-cast']
    const { path, losses = [] } = await this.long('averaging', (work) =>
      saveAverage(this.storage, prepared, checkpoint, { wait, ...work, strictCast, onNaN: this.onNaN }),
    )
    for (const loss of renderLosses({ losses })) this.alert(loss)
    return { written: null, checkpoint: { path, isSaved: true, losses } }
  }
}

/** Throws CkptError `usage`. */
function parseWeights(text: string): number[] {
  const weights = text.split(',').map((part) => (part.trim() === '' ? NaN : Number(part)))
  if (weights.every(Number.isFinite)) return weights
  throw new CkptError('usage', `--weights ${text}: not numbers with commas between them`, { hint: 'as in 1,2,0.5' })
}
