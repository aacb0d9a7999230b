import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../base-command.js'
import { CkptError } from '../core/errors.js'
import { nearestName } from '../core/expression/index.js'
import { compileMapping, parseMapEntry, parseMapFile, type NameMapping } from '../core/names/index.js'
import type { WrittenOutput } from '../core/output/index.js'
import { findFile, type FoundFile, type Query } from '../core/run/index.js'
import { ensureSafe, openTensors, type TensorFile } from '../core/tensors/index.js'
import {
  ensureTransferable,
  matchTensors,
  reportOf,
  transfer,
  transferInPlace,
  type ResizeKind,
  type TransferPlan,
} from '../core/transfer/index.js'
import { dtypeFlag, formatFlag, keyFlag, nameFlags, outputFlags, shardSizeFlag } from '../file-source.js'
import { dryRunFlag, selectionFlags } from '../flags.js'
import { onlyOrder, readQuery } from '../query.js'
import { renderTransfer } from '../render/transfer.js'

/** A map of a million names has a hundred bytes each. */
const largestMap = 1 << 27

export default class Transfer extends BaseCommand<typeof Transfer> {
  static override summary = 'Carry matching parameters by name from one file of tensors into another'
  static override description = `Values come from SOURCE; names, order, dtypes and metadata stay those of TARGET. What is only in the target keeps
its value, what is only in the source is left out, as with load_state_dict(strict=False). Both are safetensors, what
torch.save writes, or the index of a sharded model. SOURCE may also be a checkpoint, or a run, of which --min, --max,
--by and --where choose a checkpoint (the newest otherwise); --key names its parameter file.

Without --output, and with --dry-run, it reports and writes nothing. Shapes that differ, or nothing in common: exit
status 5. When no name matches as it stands, prefixes that wrappers add are tried, and the one taken is told.`
  static override examples = [
    { description: 'what would match', command: '<%= config.bin %> transfer pretrained.safetensors new.safetensors' },
    {
      description: 'start fine-tuning from it, but for the layers that changed their size',
      command:
        '<%= config.bin %> transfer pretrained.safetensors new.safetensors --skip-mismatched --output init.safetensors',
    },
    {
      description: 'from the best checkpoint of a run, into a model with a larger vocabulary',
      command:
        '<%= config.bin %> transfer exp/save new.safetensors --min WER --key model --resize pad -o init.safetensors',
    },
    {
      description: 'the encoder alone, its names changed as sed does, as half precision',
      command: `<%= config.bin %> transfer pretrained.safetensors new.safetensors --include 'encoder.**' --rename 's/^module\\.//' --dtype F16 -o init.safetensors`,
    },
  ]
  static override args = {
    source: Args.string({
      description: 'values are taken from this file, checkpoint or run',
      required: true,
      ignoreStdin: true,
    }),
    target: Args.string({
      description: 'the structure is that of this file (or of the weights of this checkpoint)',
      required: true,
      ignoreStdin: true,
    }),
  }
  static override flags = {
    ...outputFlags,
    key: keyFlag,
    'skip-mismatched': Flags.boolean({
      description: "go on without tensors whose shapes differ: they keep the target's values",
    }),
    resize: Flags.custom<ResizeKind>({
      options: ['slice', 'pad'],
      helpValue: 'slice|pad',
      description: `where one axis differs, as with another vocabulary: slice takes the first rows of a longer source, pad keeps
the target's own rows behind those of a shorter one; both may be given`,
      multiple: true,
      multipleNonGreedy: true,
    })(),
    strict: Flags.boolean({ description: 'refuse when anything is missing or unexpected' }),
    'min-coverage': Flags.custom<number>({
      helpValue: 'PART',
      description: "refuse when less of the target's tensors, or of their bytes, would get values: 0.9",
      parse: async (text) => parsePart(text),
    })(),
    dtype: dtypeFlag(),
    to: formatFlag(),
    'shard-size': shardSizeFlag(),
    'in-place': Flags.boolean({
      description: `change a clone of TARGET, which shares its blocks where the file system can, and give it TARGET's name, or
that of --output`,
      exclusive: ['dtype', 'to', 'shard-size', 'record-source'],
    }),
    'record-source': Flags.boolean({
      description: 'say in __metadata__ where the values came from: file, checkpoint, metric, count',
    }),
    'dry-run': dryRunFlag,
    ...nameFlags,
    ...selectionFlags,
  }

  async run(): Promise<void> {
    const mapping = await this.readMapping()
    const query = await readQuery(this.flags)
    onlyOrder(query)
    const from = await this.find(this.args.source, query, this.flags.key)
    const into = await this.findTarget()
    const source = await this.open(from)
    const target = await this.open(into)
    try {
      await this.transfer(from, source, target, mapping)
    } finally {
      await source.close()
      await target.close()
    }
  }

  private async transfer(from: FoundFile, source: TensorFile, target: TensorFile, mapping: NameMapping): Promise<void> {
    const plan = matchTensors(source, target, {
      isWanted: mapping.isWanted,
      rename: mapping.rename,
      skipMismatched: this.flags['skip-mismatched'],
      autoPrefix: !this.flags['no-auto-prefix'],
      resize: this.flags.resize ?? [],
      strict: this.flags.strict,
      minCoverage: this.flags['min-coverage'],
    })
    this.tellUnused(mapping, source)
    this.tellPrefix(plan)
    const report = { source: source.path, target: target.path, ...reportOf(plan) }
    try {
      ensureTransferable(plan)
      const written = await this.write(plan, from)
      const document = {
        ...report,
        output: written?.path ?? null,
        files: written?.files ?? [],
        bytes: written?.bytes ?? 0,
      }
      this.answer(document, () => renderTransfer(plan, written, this.output))
    } catch (error) {
      // What nearly matched is in the report, in JSON too.
      if (error instanceof CkptError && error.code === 'refused')
        this.failWith({ ...report, output: null, files: [], bytes: 0 })
      throw error
    }
  }

  private async find(argument: string, query: Query, key: string | undefined): Promise<FoundFile> {
    return this.long('checking', (options) =>
      findFile(this.storage, argument, { base: resolve('.'), query, key }, { now: this.now(), ...options }),
    )
  }

  /** The query is for the source; the key for the target too where it is no file. */
  private async findTarget(): Promise<FoundFile> {
    const { target } = this.args
    const [stat] = await this.storage.stat([resolve(target)])
    const isFile = stat?.ok === true && stat.value.kind !== 'directory'
    return this.find(target, { orders: [], where: [] }, isFile ? undefined : this.flags.key)
  }

  private async open({ path, warnings }: FoundFile): Promise<TensorFile> {
    for (const warning of warnings) this.alert(warning)
    const file = await openTensors(this.storage, path)
    ensureSafe(file)
    for (const finding of file.findings) this.alert(`${path}: ${finding}`)
    return file
  }

  private async readMapping(): Promise<NameMapping> {
    const { flags } = this
    const file = flags['map-file']
    const map = new Map(file === undefined ? [] : await this.readMapFile(resolve(file)))
    for (const [old, renamed] of (flags.map ?? []).map(parseMapEntry)) map.set(old, renamed)
    return compileMapping({
      include: flags.include ?? [],
      exclude: flags.exclude ?? [],
      map,
      stripPrefixes: flags['strip-prefix'] ?? [],
      renames: flags.rename ?? [],
      addPrefix: flags['add-prefix'] ?? '',
    })
  }

  private async readMapFile(path: string): Promise<ReadonlyMap<string, string>> {
    const [read] = await this.storage.read([path], largestMap)
    if (read?.ok !== true) throw read?.error ?? new CkptError('system', `${path} could not be read`)
    return parseMapFile(path, new TextDecoder().decode(read.value))
  }

  private tellUnused(mapping: NameMapping, source: TensorFile): void {
    const names = source.tensors.map(({ name }) => name)
    for (const old of mapping.unused()) {
      const near = nearestName(old, names)
      this.alert(`--map ${old}: the source has no such tensor${near === undefined ? '' : `; the nearest is ${near}`}`)
    }
  }

  private tellPrefix({ prefix }: TransferPlan): void {
    if (prefix === null) return
    const { strip, add } = prefix
    const parts = [
      ...(strip === '' ? [] : [`"${strip}" taken from them`]),
      ...(add === '' ? [] : [`"${add}" put before them`]),
    ]
    this.note(`no name of the source matches as it stands; they do with ${parts.join(' and ')}`)
  }

  private async write(plan: TransferPlan, from: FoundFile): Promise<WrittenOutput | null> {
    const { flags } = this
    if (flags['dry-run'] || (flags.output === undefined && !flags['in-place'])) return null
    if (flags['in-place']) return this.writeInPlace(plan)
    const output = resolve(flags.output ?? '')
    const origin = flags['record-source'] ? { origin: originOf(plan, from) } : {}
    const { force, dtype, to: format } = flags
    const shardSize = flags['shard-size']
    return this.long('writing', (work) =>
      transfer(this.storage, plan, output, { ...work, ...origin, force, dtype, format, shardSize }),
    )
  }

  private async writeInPlace(plan: TransferPlan): Promise<WrittenOutput> {
    const { output } = this.flags
    // A link stays a link: what it leads to is replaced.
    const [real] = await this.storage.resolve([plan.target.path])
    const own = real?.ok === true ? real.value : plan.target.path
    const [path, force] = output === undefined ? [own, true] : [resolve(output), this.flags.force]
    return this.long('writing', (work) => transferInPlace(this.storage, plan, path, { ...work, force }))
  }
}

/** What `--record-source` writes. */
function originOf({ source, matched, target }: TransferPlan, { checkpoint, metric }: FoundFile): Map<string, string> {
  return new Map([
    ['ckpt.source', source.path],
    ...(checkpoint === null ? [] : ([['ckpt.checkpoint', checkpoint.name]] as const)),
    ...(metric === null ? [] : ([['ckpt.metric', `${metric.key}=${metric.value}`]] as const)),
    ['ckpt.count', `${matched.length} of ${target.tensors.length}`],
  ])
}

/** `0.9` or `90%`. Throws CkptError `usage`. */
function parsePart(text: string): number {
  const [, digits, percent] = /^\s*(\d+(?:\.\d*)?|\.\d+)\s*(%?)\s*$/.exec(text) ?? []
  const part = digits === undefined ? NaN : Number(digits) / (percent === '%' ? 100 : 1)
  if (part >= 0 && part <= 1) return part
  throw new CkptError('usage', `--min-coverage ${text}: no part of a whole`, { hint: 'as in 0.9 or 90%' })
}
