/** What of a checkpoint, and of what lies beside it, an inference server needs. Nothing is written here. */
import { basename, dirname, join } from 'node:path'
import { holdsWeights, loneLayout, type Checkpoint } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { isIndexName, isShardName } from '../../formats/safetensors/weight-map.js'
import type { Identity, ReadStorage } from '../../storage/storage.js'
import { findTensorFolder, isTensorFile, openTensors, readShardPaths } from '../../tensors/read/index.js'
import type { OutputFormat } from '../../tensors/write/index.js'
import { filesIn, readBranches, type Branch, type FileThere } from './folders.js'
import { isWeightsName, weightsOfBranch, type FoundWeights } from './hub.js'
import { ensureNoneIsLent } from './links-of-others.js'
import {
  isCompanion,
  isKnownCompanion,
  isTrainingConfig,
  keepsOwnFolder,
  keepsOwnForm,
  ownName,
  stemOf,
} from './names.js'

/** One thing that is written; `to` is its path in the new folder. */
export type ExportItem = {
  /** Where somebody else could put another file in the place of `from`: which one it was when it was looked at. */
  readonly only?: Identity | undefined
} &
  /** A file as it is. */
  (
    | { readonly kind: 'copied'; readonly from: string; readonly to: string; readonly bytes: number }
    /** Tensors, written anew: a file, an index, or a folder that is one checkpoint of several processes. */
    | {
        readonly kind: 'converted'
        readonly from: string
        readonly to: string
        readonly isSharded: boolean
        /** See `ConvertOptions`. */
        readonly keysBeside?: readonly string[] | undefined
      }
  )

export interface ExportPlan {
  readonly items: readonly ExportItem[]
  /** Paths, from the checkpoint on, of what stays behind: state of the training, weights that no loader would take. */
  readonly leftOut: readonly string[]
  /** For people: what a loader will not find. */
  readonly warnings: readonly string[]
}

export interface ExportRequest {
  /** As `weightsOf` takes it; `ema` also means the folders of averaged models that diffusers' scripts save. */
  readonly part?: string | undefined
  /** Left out: what the framework's own loader reads, safetensors where that is open. */
  readonly format?: OutputFormat | undefined
  /** True where names, dtypes or sizes of files are to change: nothing is copied as it is then. */
  readonly changesTensors: boolean
  /** Absolute: where what the checkpoint and its run lack is taken from. */
  readonly beside?: string | undefined
}

/**
 * Throws CkptError: `no-match` for a checkpoint without weights, `usage` for weights that cannot be had in the wanted
 * form, `refused` for a link of somebody else's (`ensureNoneIsLent`), and what reading does.
 */
export async function planExport(
  storage: ReadStorage,
  checkpoint: Checkpoint,
  request: ExportRequest,
): Promise<ExportPlan> {
  const plan = new Planning(storage, checkpoint, request)
  await plan.ofCheckpoint()
  await plan.ofRun()
  const made = plan.finish()
  const seen = new Map<string, Identity>()
  const { beside } = request
  const isBeside = (path: string): boolean => beside !== undefined && path.startsWith(join(beside, '/'))
  for (const [home, paths] of [
    [checkpoint.run, (await filesOf(storage, made)).filter((path) => !isBeside(path))],
    [beside ?? '', made.items.map(({ from }) => from).filter(isBeside)],
  ] as const) {
    if (paths.length === 0) continue
    for (const [path, file] of await ensureNoneIsLent(storage, home, paths)) seen.set(path, file)
  }
  return { ...made, items: made.items.map((item) => ({ ...item, only: seen.get(item.from) })) }
}

/** What is copied or converted, the shards of an index among them. */
async function filesOf(storage: ReadStorage, { items }: ExportPlan): Promise<string[]> {
  const files: string[] = []
  for (const { kind, from } of items) {
    files.push(from)
    if (kind === 'converted' && isIndexName(from)) files.push(...(await readShardPaths(storage, from)))
  }
  return files
}

class Planning {
  readonly #items = new Map<string, ExportItem>()
  readonly #leftOut = new Set<string>()
  readonly #warnings: string[] = []
  /** Beginnings of paths of which nothing is taken any more. */
  readonly #passed = new Set<string>()
  #isHub = false

  constructor(
    private readonly storage: ReadStorage,
    private readonly checkpoint: Checkpoint,
    private readonly request: ExportRequest,
  ) {}

  async ofCheckpoint(): Promise<void> {
    const { kind, path, layout } = this.checkpoint
    const branches = kind === 'directory' ? await this.#branches(path) : []
    if (this.#isTakenWhole()) {
      this.#copyAll(branches)
      return
    }
    this.#isHub = layout !== 'speechbrain' && branches.some((branch) => weightsOfBranch(branch).length > 0)
    if (this.#isHub) await this.#addBranches(branches)
    else await this.#addByRole(branches)
    if (this.#items.size === 0) {
      throw new CkptError('no-match', `${path}: none of its files is known to hold weights`)
    }
    for (const branch of branches) this.#addCompanions(branch)
  }

  /** What belongs to the model and lies beside its checkpoints: a final save puts it there, not into each of them. */
  async ofRun(): Promise<void> {
    const { run, path, kind } = this.checkpoint
    const parent = dirname(run)
    const isFolderOfModel = run === path
    if (!isFolderOfModel) {
      const files = await filesIn(this.storage, run)
      await this.#addPipeline(run, files)
      await this.#addBeside(files, this.#isHub ? isKnownCompanion : isKnownConfig)
      if (!this.#isHub && kind !== 'group') await this.#addBeside(await filesIn(this.storage, parent), isTrainingConfig)
    }
    const { beside } = this.request
    if (beside === undefined) return
    const given = await filesIn(this.storage, beside)
    if (given.length === 0) throw new CkptError('not-found', `${beside}: no folder with files in it`)
    await this.#addBeside(given, isCompanion)
  }

  finish(): ExportPlan {
    const names = new Set(this.#items.keys())
    const has = (name: string): boolean => names.has(name)
    const isOfHub = ['hf-trainer', loneLayout].includes(this.checkpoint.layout)
    const isTransformers =
      this.#isHub && isOfHub && [...names].some((name) => /^model(?:\.[\w-]+)?\.safetensors/.test(name))
    if (isTransformers && !has('config.json')) {
      this.#warnings.push(
        'there is no config.json, and from_pretrained needs one: name a folder that has it with --beside',
      )
    }
    if ([...names].some((name) => name.startsWith('adapter_model.')) && !has('adapter_config.json')) {
      this.#warnings.push(
        'there is no adapter_config.json, and PEFT needs one: name a folder that has it with --beside',
      )
    }
    return {
      items: [...this.#items.values()],
      leftOut: [...this.#leftOut].filter((name) => !names.has(name)).sort(),
      warnings: this.#warnings,
    }
  }

  #isTakenWhole(): boolean {
    const { format, changesTensors, part } = this.request
    const isAsked = format !== undefined || changesTensors || part !== undefined
    return !isAsked && keepsOwnFolder(this.checkpoint.layout)
  }

  #copyAll(branches: readonly Branch[]): void {
    for (const { prefix, files } of branches) {
      for (const { name, path, size } of files)
        this.#add({ kind: 'copied', from: path, to: `${prefix}${name}`, bytes: size })
    }
  }

  #branches(path: string, prefix = ''): Promise<Branch[]> {
    return readBranches(this.storage, path, (name) => this.#leftOut.add(name), prefix)
  }

  /** diffusers' scripts save the averaged model of `unet/` as `unet_ema/`; one of the two is meant. */
  async #addBranches(branches: readonly Branch[]): Promise<void> {
    const averaged = new Map(branches.flatMap((one) => (isAveraged(one) ? [[plainOf(one), one] as const] : [])))
    const takesAveraged = this.request.part === 'ema' && averaged.size > 0
    for (const branch of branches) {
      if (isAveraged(branch) && branches.some(({ prefix }) => prefix === plainOf(branch))) {
        if (!takesAveraged) this.#leftOut.add(branch.prefix)
        this.#passed.add(branch.prefix)
        continue
      }
      const source = (takesAveraged ? averaged.get(branch.prefix) : undefined) ?? branch
      for (const weights of weightsOfBranch({ ...source, prefix: branch.prefix })) {
        await this.#addWeights(weights, takesAveraged && source !== branch)
      }
    }
    if (averaged.size > 0 && !takesAveraged && this.request.part === undefined) {
      const list = [...averaged.values()].map(({ prefix }) => prefix).join(', ')
      this.#warnings.push(`the averaged weights in ${list} are left out: --part ema takes them in place of the others`)
    }
  }

  async #addWeights(found: FoundWeights, isPartTaken: boolean): Promise<void> {
    const { file, to, isSafetensors, isIndex } = found
    const { format, changesTensors, part } = this.request
    const output = format === 'torch' ? torchName(to) : to
    const isAsItIs = isSafetensors && format !== 'torch' && !changesTensors && (part === undefined || isPartTaken)
    if (!isAsItIs || !(await this.#saysFormat(file.path))) {
      this.#add({ kind: 'converted', from: file.path, to: output, isSharded: isIndex })
      return
    }
    const folder = dirname(to) === '.' ? '' : `${dirname(to)}/`
    const shards = isIndex ? await readShardPaths(this.storage, file.path) : []
    // A lone variant loses its name, and so would the files that its index names; that may be any file, settings too.
    const isRenamed =
      isIndex &&
      (basename(file.name, '.index.json') !== basename(to) || !shards.every((path) => isShardName(basename(path))))
    if (isRenamed) this.#add({ kind: 'converted', from: file.path, to, isSharded: true })
    else if (!isIndex) this.#add({ kind: 'copied', from: file.path, to, bytes: file.size })
    else {
      await this.#copy(shards, folder)
      this.#add({ kind: 'copied', from: file.path, to: `${folder}${file.name}`, bytes: file.size })
    }
  }

  /** Throws StorageError for one that is not there. */
  async #copy(paths: readonly string[], folder = ''): Promise<void> {
    const stats = await this.storage.stat(paths)
    for (const [index, path] of paths.entries()) {
      const stat = stats[index]
      if (stat?.ok !== true) throw stat?.error ?? new RangeError(`${path} was not looked at`)
      this.#add({ kind: 'copied', from: path, to: `${folder}${basename(path)}`, bytes: stat.value.size })
    }
  }

  /** transformers refuses a file whose metadata does not say whose tensors it holds. */
  async #saysFormat(path: string): Promise<boolean> {
    const file = await openTensors(this.storage, path)
    try {
      return file.metadata.has('format')
    } finally {
      await file.close()
    }
  }

  /** Files of a layout that has no names of the hub: what holds weights by its role. */
  async #addByRole(branches: readonly Branch[]): Promise<void> {
    const { path, kind, layout, files } = this.checkpoint
    const folder = kind === 'directory' && layout !== 'speechbrain' ? await findTensorFolder(this.storage, path) : null
    const keysBeside = this.#keysBeside()
    const torchExtension = keysBeside === undefined ? '.pt' : '.ckpt'
    const extension = this.request.format === 'torch' ? torchExtension : '.safetensors'
    if (folder !== null) {
      this.#add({ kind: 'converted', from: folder.path, to: `model${extension}`, isSharded: true })
      // Its files are what the tensors come from.
      for (const branch of branches) {
        if (join(branch.path, '/').startsWith(join(folder.path, '/'))) this.#passed.add(branch.prefix)
      }
      return
    }
    const candidates = chosenFiles(files)
    const isCopied = (one: string): boolean =>
      this.request.format === undefined && !this.request.changesTensors && keepsOwnForm(layout, one)
    for (const file of candidates) {
      const stat = (await this.storage.stat([file.path]))[0]
      if (stat?.ok !== true) throw stat?.error ?? new RangeError(`${file.path} was not looked at`)
      const bytes = stat.value.size
      if (stat.value.kind === 'directory') this.#leftOut.add(`${file.key}/`)
      else if (isCopied(file.path)) {
        if (isIndexName(file.path)) await this.#copy(await readShardPaths(this.storage, file.path))
        this.#add({ kind: 'copied', from: file.path, to: basename(file.path), bytes })
      } else if (file.role === 'index' || (await isTensorFile(this.storage, file.path))) {
        const to = ownName(candidates.length === 1 ? stemOf(file.path) : file.key, candidates.length === 1, extension)
        this.#add({ kind: 'converted', from: file.path, to, isSharded: false, keysBeside })
      } else if (candidates.length === 1 || layout === 'speechbrain') {
        this.#add({ kind: 'copied', from: file.path, to: basename(file.path), bytes })
      }
    }
  }

  /** What Lightning's own loader reads beside the weights; undefined where these are written by themselves. */
  #keysBeside(): readonly string[] | undefined {
    const { format, changesTensors, part } = this.request
    if (this.checkpoint.layout !== 'lightning') return undefined
    if (format === 'torch' && !changesTensors && part === undefined) return keysOfLightning
    this.#warnings.push(
      "these are the weights by themselves, for load_state_dict; --to torch alone makes a file for Lightning's load_from_checkpoint",
    )
    return undefined
  }

  #addCompanions(branch: Branch): void {
    const { prefix, files } = branch
    if (this.#passed.has(prefix)) return
    const isWanted = this.#isHub ? isCompanion : isKnownCompanion
    const taken = new Set([...this.#items.values()].map(({ from }) => from))
    for (const { name, path, size } of files) {
      if (taken.has(path)) continue
      if (isWanted(name) && !isWeightsName(name)) {
        this.#add({ kind: 'copied', from: path, to: `${prefix}${name}`, bytes: size })
      } else this.#leftOut.add(`${prefix}${name}`)
    }
  }

  /** Of a pipeline of diffusers the parts that were not trained. */
  async #addPipeline(run: string, files: readonly FileThere[]): Promise<void> {
    const index = files.find(({ name }) => name === 'model_index.json')
    if (index === undefined || !this.#isHub) return
    for (const part of await partsOfPipeline(this.storage, index.path)) {
      if ([...this.#items.keys()].some((to) => to.startsWith(`${part}/`))) continue
      const [stat] = await this.storage.stat([join(run, part)])
      if (stat?.ok !== true) {
        this.#warnings.push(`model_index.json names ${part}/, which is not there`)
        continue
      }
      const branches = await this.#branches(join(run, part), `${part}/`)
      for (const branch of branches) {
        for (const weights of weightsOfBranch(branch)) await this.#addWeights(weights, true)
        for (const { name, path, size } of branch.files) {
          if (isCompanion(name) && !isWeightsName(name)) {
            this.#add({ kind: 'copied', from: path, to: `${branch.prefix}${name}`, bytes: size })
          }
        }
      }
    }
  }

  async #addBeside(files: readonly FileThere[], isWanted: (name: string) => boolean): Promise<void> {
    for (const { name, path, size } of files) {
      if (this.#items.has(name)) continue
      const isWantedCard = name === 'README.md' && this.#isHub && (await isModelCard(this.storage, path))
      if (isWantedCard || (name !== 'README.md' && isWanted(name) && !isWeightsName(name))) {
        this.#add({ kind: 'copied', from: path, to: name, bytes: size })
      }
    }
  }

  /** The first that comes to a name has it: what lies in the checkpoint goes before what lies beside it. */
  #add(item: ExportItem): void {
    if (!this.#items.has(item.to)) this.#items.set(item.to, item)
  }
}

/** lightning: pytorch/core/saving.py, `_load_from_checkpoint`; epoch and step for its migrations (utilities/migration). */
const keysOfLightning = [
  ...['hyper_parameters', 'hparams_name', 'hparams_type', 'datamodule_hyper_parameters', 'datamodule_hparams_name'],
  ...['pytorch-lightning_version', 'epoch', 'global_step'],
]

/** Of several files that only together hold the tensors, the one that names the others. */
function chosenFiles(files: Checkpoint['files']): Checkpoint['files'] {
  const weights = files.filter(holdsWeights)
  const indexes = weights.filter(({ role }) => role === 'index')
  if (indexes.length > 0) return indexes
  return weights.length > 0 || files.length !== 1 ? weights : files
}

function isKnownConfig(name: string): boolean {
  return isTrainingConfig(name) || /^(?:config\.json|\.?params\.json)$/.test(name)
}

/** `pytorch_model.bin` for `model.safetensors`, as the same libraries name it. */
function torchName(to: string): string {
  const name = basename(to, '.safetensors').replace(/^model(?=$|[._])/, 'pytorch_model')
  return join(dirname(to), `${name}.bin`)
}

function isAveraged({ prefix }: Branch): boolean {
  return prefix.endsWith('_ema/')
}

function plainOf({ prefix }: Branch): string {
  return prefix.replace(/_ema\/$/, '/')
}

/** A pipeline's parts are pairs of a library and a class (diffusers: pipelines/pipeline_utils.py); null where left out. */
async function partsOfPipeline(storage: ReadStorage, path: string): Promise<string[]> {
  const [read] = await storage.read([path], 1 << 20)
  if (read?.ok !== true) return []
  let content: unknown
  try {
    content = JSON.parse(new TextDecoder().decode(read.value))
  } catch {
    return []
  }
  if (typeof content !== 'object' || content === null) return []
  return Object.entries(content).flatMap(([name, value]) => {
    const isPart = Array.isArray(value) && typeof value[0] === 'string' && /^[\w.-]+$/.test(name) && !/^[._]/.test(name)
    return isPart ? [name] : []
  })
}

/** Begins with the fields that a hub reads (huggingface_hub/repocard.py). */
async function isModelCard(storage: ReadStorage, path: string): Promise<boolean> {
  const [read] = await storage.read([path], 4 << 20)
  return read?.ok === true && /^\uFEFF?---\r?\n/.test(new TextDecoder().decode(read.value.subarray(0, 16)))
}
