/** `ckpt transfer`: values from one file of tensors into another, by name. */
import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { TensorCommand } from '../cli/tensor-command.js'
import { positionText } from '../core/formats/yaml/config-yaml.js'
import { CkptError } from '../core/errors.js'
import { parseFuse, parseMapEntries, parseSplit } from '../core/tensors/names/index.js'
import type { WrittenOutput } from '../core/tensors/write/index.js'
import {
  carryTransfer,
  findSides,
  prepareTransfer,
  type Arrangement,
  type PreparedTransfer,
  type TransferRequest,
  type TransferSides,
} from '../core/runs/with-tensors/transfer.js'
import { ensureTransferable, type ResizeKind } from '../core/tensors/transfer/index.js'
import type { TransferHook } from '../cli/file-hooks.js'
import {
  dtypeFlag,
  formatFlag,
  keyFlag,
  nameFlags,
  outputFlags,
  partFlag,
  shardSizeFlag,
  strictCastFlag,
  weightsOnlyFlag,
} from '../cli/flags/tensor-flags.js'
import { chosenVerifyFlag, dryRunFlag, selectionFlags } from '../cli/flags/common-flags.js'
import { outputLike } from '../cli/flags/output-path.js'
import { interruptible } from '../cli/output/progress.js'
import { onlyOrder, readQuery } from '../cli/flags/query.js'
import {
  hookedTransferDocument,
  renderFullCopy,
  renderHookedTransfer,
  renderLosses,
  renderOutdated,
  renderPrefix,
  renderTransfer,
  transferDocument,
} from '../render/transfer.js'
import { baseOf } from '../machine/working-folder.js'

const repeatable = { multiple: true, multipleNonGreedy: true } as const

export default class Transfer extends TensorCommand<typeof Transfer> {
  static override summary = 'Carry matching parameters by name from one file of tensors into another'
  static override description = `Values come from SOURCE; names, order, dtypes and metadata stay those of TARGET. What is only in the target keeps
its value, what is only in the source is left out, as with load_state_dict(strict=False). Both are safetensors, what
torch.save writes, or the index of a sharded model. SOURCE may also be a checkpoint, or a run, of which --min, --max,
--by and --where choose a checkpoint (the newest otherwise); --key names its parameter file.

A transfer hook of ckpt.yaml for the source's key or name does it all instead (docs/configuration.md).

Without --output, and with --dry-run, it reports and writes nothing. Shapes that differ, or nothing in common: exit
status 5. When no name matches as it stands, prefixes that wrappers add are tried, and the one taken is reported.`
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
    part: partFlag,
    'weights-only': weightsOnlyFlag,
    'skip-mismatched': Flags.boolean({
      description: "go on without tensors whose shapes differ: they keep the target's values",
    }),
    resize: Flags.custom<ResizeKind>({
      options: ['slice', 'pad'],
      helpValue: 'slice|pad',
      description: `where one axis differs, as with another vocabulary: slice takes the first rows of a longer source, pad keeps the target's own rows behind those of a shorter one; both may be given`,
      multiple: true,
      multipleNonGreedy: true,
    })(),
    transpose: Flags.string({
      ...repeatable,
      helpValue: 'PATTERN',
      description:
        "transpose the source's matrices with such names: GPT-2's '**.c_fc.weight' is a linear layer's, transposed",
    }),
    split: Flags.string({
      ...repeatable,
      helpValue: 'OLD=A,B,…',
      description: `split a tensor of the source by rows, each part as long as the target's tensor: '*.qkv.weight=*.q.weight,*.k.weight,*.v.weight';
* stands for one text in all of them`,
    }),
    fuse: Flags.string({
      ...repeatable,
      helpValue: 'A,B,…=NEW',
      description: 'join tensors of the source, row behind row: the reverse of --split',
    }),
    heads: Flags.integer({
      min: 1,
      helpValue: 'N',
      description:
        'the number of heads, where --split and --fuse must go head by head: query_key_value of GPT-NeoX, BLOOM and Falcon (of Falcon the number of key heads)',
    }),
    strict: Flags.boolean({ description: 'refuse when anything is missing or unexpected' }),
    'min-coverage': Flags.custom<number>({
      helpValue: 'PART',
      description: "refuse when less of the target's tensors, or of their bytes, would get values: 0.9",
      parse: async (text) => parsePart(text),
    })(),
    dtype: dtypeFlag(),
    'strict-cast': strictCastFlag,
    to: formatFlag(),
    'shard-size': shardSizeFlag(),
    'in-place': Flags.boolean({
      description: `change a clone of TARGET, which shares its blocks where the file system can (otherwise all is copied, with a note), and give it TARGET's name, or that of --output`,
      exclusive: ['dtype', 'to', 'shard-size', 'record-source'],
    }),
    'record-source': Flags.boolean({
      description: 'say in __metadata__ where the values came from: file, checkpoint, metric, count',
    }),
    'dry-run': dryRunFlag,
    ...nameFlags,
    ...selectionFlags,
    verify: chosenVerifyFlag,
  }

  async run(): Promise<void> {
    const request = await this.request()
    const sides = await this.long('looking', (work) => findSides(this.storage, request, { now: this.now(), ...work }))
    const hook = await this.hookFor(sides)
    if (hook !== null) return this.carryThrough(hook, sides)
    const prepared = await this.long('checking', (work) =>
      prepareTransfer(this.storage, request, sides, { now: this.now(), ...work, ...this.readingHooks }),
    )
    try {
      await this.carry(prepared)
    } finally {
      await prepared.close()
    }
  }

  private async hookFor({ from, into }: TransferSides): Promise<TransferHook | null> {
    const hooks = await this.hooks()
    return hooks.length === 0 ? null : (await import('../cli/file-hooks.js')).transferHook(hooks, from, into.path)
  }

  /** A hook does all of it. */
  private async carryThrough(hook: TransferHook, { from, into }: TransferSides): Promise<void> {
    this.refuseByName(hook)
    const { output, force, 'dry-run': isTrial } = this.flags
    for (const warning of [...from.warnings, ...into.warnings]) this.alert(warning)
    const { publishHooked } = await import('../cli/file-hooks.js')
    const written =
      isTrial || output === undefined
        ? null
        : await interruptible((signal) => publishHooked(this.storage, hook, resolve(output), { force, signal }))
    this.answer(hookedTransferDocument(hook, written), () => renderHookedTransfer(hook, written))
  }

  /** What is typed and would have no effect is a mistake; what a file says for all transfers is not. */
  private refuseByName({ chosen }: TransferHook): void {
    const typed = Object.entries(this.flags).filter(
      ([name, value]) =>
        byNameFlags.includes(name) && value !== undefined && value !== false && !this.positions.has(name),
    )
    if (typed.length === 0) return
    const names = typed.map(([name]) => `--${name}`).join(', ')
    throw new CkptError('usage', `${names}: ${positionText(chosen.command.position)} has a hook for this transfer`, {
      hint: 'leave the hook out with --no-config',
    })
  }

  private async request(): Promise<TransferRequest> {
    const { flags } = this
    const query = await readQuery(flags)
    onlyOrder(query)
    const mapFile = flags['map-file']
    return {
      source: this.args.source,
      target: this.args.target,
      base: baseOf(this.args.source, this.args.target),
      query,
      verify: flags.verify,
      key: flags.key,
      part: flags.part,
      names: {
        include: flags.include ?? [],
        exclude: flags.exclude ?? [],
        map: parseMapEntries(flags.map ?? []),
        mapFile: mapFile === undefined ? undefined : resolve(mapFile),
        stripPrefixes: flags['strip-prefix'] ?? [],
        renames: flags.rename ?? [],
        addPrefix: flags['add-prefix'] ?? '',
      },
      arrange: arrangementOf(flags),
      match: {
        skipMismatched: flags['skip-mismatched'],
        autoPrefix: !flags['no-auto-prefix'],
        resize: flags.resize ?? [],
        strict: flags.strict,
        minCoverage: flags['min-coverage'],
        dtype: flags.dtype,
        typed: outputWords(flags),
      },
    }
  }

  private async carry(prepared: PreparedTransfer): Promise<void> {
    const { plan, warnings } = prepared
    for (const warning of warnings) this.alert(warning)
    if (plan.prefix !== null) this.note(renderPrefix(plan.prefix))
    try {
      ensureTransferable(plan)
      const written = await this.write(prepared)
      for (const loss of written === null ? [] : renderLosses(written)) this.alert(loss)
      const fullCopy = written === null ? null : renderFullCopy(written)
      if (fullCopy !== null) this.note(fullCopy)
      this.answer(transferDocument(prepared, written), () => renderTransfer(prepared, written, this.output))
    } catch (error) {
      // What nearly matched is in the report, in JSON too.
      if (error instanceof CkptError && error.code === 'refused') this.failWith(transferDocument(prepared, null))
      throw error
    }
  }

  private async write(prepared: PreparedTransfer): Promise<WrittenOutput | null> {
    const { output, force, dtype, to: format, 'in-place': inPlace, 'dry-run': isTrial } = this.flags
    if (isTrial || (output === undefined && !inPlace)) return null
    const path = output === undefined ? null : await outputLike(this.storage, output, prepared.plan.target, format)
    const shardSize = this.flags['shard-size']
    const recordsSource = this.flags['record-source']
    const weightsOnly = this.flags['weights-only']
    return this.long('writing', (work) =>
      carryTransfer(
        this.storage,
        prepared,
        { path, inPlace, format, shardSize, dtype, recordsSource, weightsOnly },
        {
          ...work,
          force,
          strictCast: this.flags['strict-cast'],
          onOutdated: (paths) => this.note(renderOutdated(paths)),
        },
      ),
    )
  }
}

/** Flags that say how tensors go by name. */
const byNameFlags = [
  ...Object.keys(nameFlags),
  ...['skip-mismatched', 'resize', 'strict', 'min-coverage', 'dtype', 'to', 'shard-size', 'in-place', 'record-source'],
  ...['part', 'weights-only', 'strict-cast', 'transpose', 'split', 'fuse', 'heads'],
]

interface OutputFlags {
  readonly output?: string | undefined
  readonly [flag: string]: unknown
}

/** Flags that say what is written and where, as they are typed. */
function outputWords({ output, ...flags }: OutputFlags): string[] {
  const switches = ['force', 'in-place', 'weights-only', 'strict-cast', 'record-source'].filter(
    (name) => flags[name] === true,
  )
  const values = ['to', 'dtype', 'part'].flatMap((name) => {
    const value = flags[name]
    return typeof value === 'string' ? [`--${name}`, value] : []
  })
  return [...(output === undefined ? [] : ['--output', output]), ...switches.map((name) => `--${name}`), ...values]
}

interface ArrangementFlags {
  readonly transpose?: readonly string[] | undefined
  readonly split?: readonly string[] | undefined
  readonly fuse?: readonly string[] | undefined
  readonly heads?: number | undefined
}

/** Throws CkptError `usage`. */
function arrangementOf(flags: ArrangementFlags): Arrangement | undefined {
  const { transpose = [], split = [], fuse = [], heads } = flags
  if (heads !== undefined && split.length + fuse.length === 0) {
    throw new CkptError('usage', `--heads ${heads}: it says how the rows lie that --split or --fuse is to move`)
  }
  if (transpose.length + split.length + fuse.length === 0) return undefined
  return { transpose, splits: split.map(parseSplit), fuses: fuse.map(parseFuse), heads }
}

/** `0.9` or `90%`. Throws CkptError `usage`. */
function parsePart(text: string): number {
  const [, digits, percent] = /^\s*(\d+(?:\.\d*)?|\.\d+)\s*(%?)\s*$/.exec(text) ?? []
  const part = digits === undefined ? NaN : Number(digits) / (percent === '%' ? 100 : 1)
  if (part >= 0 && part <= 1) return part
  throw new CkptError('usage', `--min-coverage ${text}: no part of a whole`, { hint: 'as in 0.9 or 90%' })
}
