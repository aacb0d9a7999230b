/** `ckpt tensors`: the tensors of files. */
import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { TensorCommand } from '../cli/tensor-command.js'
import type { Checkpoint, MetaValue } from '../core/checkpoint.js'
import { CkptError, FormatError } from '../core/errors.js'
import { loadByWord, loadNamed } from '../core/runs/opening/checkpoint-by-word.js'
import { orLoneFolder } from '../core/runs/index.js'
import { isIndexName } from '../core/formats/safetensors/weight-map.js'
import { toMetaValue } from '../core/checkpoints/meta/index.js'
import {
  ensureSafe,
  findTensorFolder,
  isTensorFile,
  measureTensor,
  openTensors,
  partsOfStorages,
  plainShape,
  readShardPaths,
  type TensorFile,
  readingNamed,
} from '../core/tensors/read/index.js'
import { named } from '../cli/flags/common-flags.js'
import { renderTensorTree } from '../render/tensor-tree.js'
import { renderTensors, type ListedFile, type ListedTensor } from '../render/tensors.js'
import { baseOf } from '../machine/working-folder.js'
import { nameFilter, type NameFilter } from '../core/tensors/names/index.js'

/** A file to list; the key is null where it stands for itself. */
interface Source {
  readonly key: string | null
  readonly path: string
}

interface Sources {
  readonly sources: readonly Source[]
  /** Absolute paths of the indexes that name files among them. */
  readonly indexes: readonly string[]
}

export default class Tensors extends TensorCommand<typeof Tensors> {
  static override isReader = true
  static override summary = 'List the tensors of a file or a checkpoint: names, dtypes, shapes and sizes'
  static override description = `Reads safetensors, what torch.save writes (the zip archive and the older stream), sharded models by their index, folders
of torch.distributed.checkpoint (.metadata and *.distcp) and DeepSpeed's ZeRO, TensorFlow's checkpoints by their index, NumPy's arrays and
pickles of them, Keras and HDF5, GGUF, TorchScript, Orbax and flax; docs/formats.md says what is read of each. The bytes decide what format a file has, not its name. Only headers are read, except with --stats and --hash. A
torch file is a pickle, which is a program: nothing of it is run here, and what it would run when Python loads it is
listed, with exit status 4. Layers that are alike are shown as one: layers.{0…31}.attn.q.weight.`
  static override examples = [
    { description: 'what is in a file', command: '<%= config.bin %> tensors model.ckpt' },
    {
      description: 'one part of it, with the range of its values',
      command: `<%= config.bin %> tensors model.ckpt --include 'encoder.**' --stats`,
    },
    { description: 'of the newest checkpoint', command: '<%= config.bin %> tensors "$(ckpt find exp/save)" --tree' },
    {
      description: 'are two files the same, tensor by tensor?',
      command: '<%= config.bin %> tensors model.ckpt --hash --json',
    },
  ]
  static override args = {
    what: Args.string({
      name: 'FILE|CHECKPOINT',
      description: named,
      required: true,
      ignoreStdin: true,
    }),
  }
  static override flags = {
    include: Flags.string({
      helpValue: 'PATTERN',
      description: 'only names that match: * matches up to the next dot, ** across dots',
      multiple: true,
      multipleNonGreedy: true,
    }),
    key: Flags.string({ helpValue: 'KEY', description: 'only this parameter file of the checkpoint' }),
    tree: Flags.boolean({ description: 'show the names as a tree, with sizes' }),
    stats: Flags.boolean({ description: 'smallest, largest, mean, deviation, and how many are NaN or infinite' }),
    hash: Flags.boolean({ description: "the SHA-256 of each tensor's values in row-major order" }),
  }

  async run(): Promise<void> {
    const matches = await nameFilter(this.flags.include ?? [])
    const { files, sources, indexes } = await readingNamed(resolve(this.args.what), async () => {
      const found = await this.findSources(this.args.what)
      const listed: ListedFile[] = []
      for (const source of found.sources) listed.push(await this.list(source, matches))
      return { ...found, files: listed }
    })
    for (const file of files) {
      if (file.unsafe.length > 0) this.failWith(documentOf(files))
      ensureSafe(file)
    }
    for (const file of files) for (const finding of file.findings) this.alert(`${file.path}: ${finding}`)
    const damage = await this.findDamage(sources, indexes)
    if (this.flags.include !== undefined) this.warnOfNone(files, this.flags.include)
    const { tree } = this.flags
    if (damage !== null) this.failWith(documentOf(files))
    if (damage === null || !this.wantsJson) {
      this.answer(
        () => documentOf(files),
        () => (tree ? renderTensorTree : renderTensors)(files, this.output),
      )
    }
    if (damage !== null) throw damage
  }

  /** What an index says of the files that are listed one by one: that one of them is gone, or lacks tensors. */
  private async findDamage(sources: readonly Source[], indexes: readonly string[]): Promise<FormatError | null> {
    const listed = new Set(sources.map(({ path }) => path))
    for (const path of indexes) {
      try {
        // Of a model that the hub has in two forms, one index is that of files that were not fetched.
        if (!(await readShardPaths(this.storage, path)).some((shard) => listed.has(shard))) continue
        const file = await openTensors(this.storage, path)
        await file.close()
      } catch (error) {
        if (error instanceof FormatError && error.code !== 'refused') return error
        throw error
      }
    }
    return null
  }

  private warnOfNone(files: readonly ListedFile[], patterns: readonly string[]): void {
    if (files.some(({ tensors }) => tensors.length > 0)) return
    this.alert(`--include ${patterns.join(' ')}: no name matches; * matches up to the next dot, ** across dots`)
  }

  /** A path to a file stands for itself; a checkpoint for those of its files that hold tensors. */
  private async findSources(what: string): Promise<Sources> {
    const chosen = await loadByWord(this.storage, what, baseOf(what))
    if (chosen !== null) return this.sourcesIn(chosen.checkpoint)
    const path = resolve(what)
    const [stat] = await this.storage.stat([path])
    if (stat?.ok === true && stat.value.kind !== 'directory') {
      if (this.flags.key === undefined) {
        await this.readThroughHooks([{ path, checkpoint: null }])
        return { sources: [{ key: null, path }], indexes: [] }
      }
      throw new CkptError('usage', `--key ${this.flags.key} is for a checkpoint, and ${path} is a file`)
    }
    const { checkpoint } = await orLoneFolder(this.storage, path, () => loadNamed(this.storage, what, baseOf(what)))
    return this.sourcesIn(checkpoint)
  }

  private async sourcesIn(checkpoint: Checkpoint): Promise<Sources> {
    const { key } = this.flags
    const whole = key === undefined ? await findTensorFolder(this.storage, checkpoint.path) : null
    if (whole !== null) {
      await this.readThroughHooks(checkpoint.files.map((file) => ({ path: file.path, checkpoint })))
      return { sources: [{ key: null, path: whole.path }], indexes: [] }
    }
    const named = checkpoint.files.filter((file) => key === undefined || file.key === key)
    await this.readThroughHooks(named.map((file) => ({ path: file.path, checkpoint })))
    const found: Source[] = []
    for (const file of named) if (await isTensorFile(this.storage, file.path)) found.push(file)
    const indexes = key === undefined ? named.map(({ path }) => path).filter(isIndexName) : []
    if (found.length > 0) return { sources: found, indexes }
    const keys = checkpoint.files.map((file) => file.key).join(', ') || 'none'
    throw new CkptError(
      'no-match',
      key === undefined || named.length > 0
        ? `${checkpoint.path}: none of its files holds tensors (keys: ${keys})`
        : `${checkpoint.path} has no file with the key ${key} (keys: ${keys})`,
    )
  }

  private async list({ key, path }: Source, matches: NameFilter): Promise<ListedFile> {
    const file = await openTensors(this.storage, path)
    try {
      const parts = partsOfStorages(file)
      const tensors = file.tensors
        .filter(({ name }) => matches(name))
        .map((tensor): ListedTensor => (parts.has(tensor.name) ? { ...tensor, isPart: true } : tensor))
      const { metadata, values, findings, opaque, unsafe } = file
      // What would run code is not read further.
      const measured = unsafe.length > 0 ? tensors : await this.measure(file, tensors)
      return { key, path, tensors: measured, metadata, values: toMetaValue(values), findings, opaque, unsafe }
    } catch (error) {
      if (!(error instanceof FormatError) || error.message.startsWith(path)) throw error
      throw new FormatError(`${path}: ${error.message}`, { cause: error })
    } finally {
      await file.close()
    }
  }

  private async measure(file: TensorFile, tensors: readonly ListedTensor[]): Promise<readonly ListedTensor[]> {
    const { hash, stats } = this.flags
    if (!hash && !stats) return tensors
    const total = tensors.reduce((sum, { bytes }) => sum + bytes, 0)
    return this.long('reading', async ({ signal, onProgress }) => {
      const measured: ListedTensor[] = []
      let done = 0
      const onBytes = (count: number) => onProgress((done += count), total)
      for (const tensor of tensors) {
        const data = await file.dataOf(tensor)
        measured.push({ ...tensor, ...(await measureTensor(data, tensor.dtype, { hash, stats, signal, onBytes })) })
      }
      await file.ensureUnchanged()
      return measured
    })
  }
}

interface FindingDocument {
  readonly kind: 'unsafe' | 'opaque' | 'odd'
  readonly file?: string
  readonly message: string
}

function documentOf(files: readonly ListedFile[]) {
  const [only] = files
  const single = files.length === 1 && only?.key === null
  return {
    tensors: files.flatMap(({ key, tensors }) => tensors.map((tensor) => tensorDocument(key, tensor))),
    metadata: single ? only.metadata : byKey(files, ({ metadata }) => metadata),
    values: single ? only.values : byKey(files, ({ values }) => values),
    findings: files.flatMap(findingsOf),
  }
}

function byKey(files: readonly ListedFile[], valueOf: (file: ListedFile) => MetaValue): Map<string, MetaValue> {
  return new Map(files.map((file) => [file.key ?? file.path, valueOf(file)]))
}

function tensorDocument(file: string | null, { name, dtype, shape, bytes, shared, sha256, stats }: ListedTensor) {
  return { file: file ?? undefined, name, dtype, shape: plainShape(shape), bytes, shared, sha256, stats }
}

function findingsOf({ key, unsafe, opaque, findings }: ListedFile): FindingDocument[] {
  const about = key === null ? {} : { file: key }
  return [
    ...unsafe.map((message) => ({ kind: 'unsafe' as const, ...about, message })),
    ...findings.map((message) => ({ kind: 'odd' as const, ...about, message })),
    ...[...opaque].map(([name, count]) => ({
      kind: 'opaque' as const,
      ...about,
      message: `${name} is kept as a name only (${count} ${count === 1 ? 'time' : 'times'})`,
    })),
  ]
}
