/** The weights of a file that holds more than them: a view of it in which tensors have the names of the model's own. */
import { CkptError } from '../../errors.js'
import type { FilePart, FileParts } from './file-parts.js'
import { FileView } from './file-view.js'
import type { TorchStructure } from './torch-structure.js'
import { isOfTorch } from './tensor.js'
import type { TensorData, TensorFile, TensorInfo } from './tensor.js'

/** Something of a file that is not among its weights. */
export interface LeftOut {
  /** The keys that lead to it, joined with dots. */
  readonly path: string
  readonly tensors: number
}

export interface Weights {
  /** The tensors that are meant, by the model's names. The file itself where it holds nothing else. */
  readonly file: TensorFile
  /** All of it. */
  readonly whole: TensorFile
  /** The keys that lead to the part, joined with dots; empty for the whole file, or for several parts of it. */
  readonly path: string
  /** Several parts whose names keep their keys, as nothing tells which one is the model. */
  readonly isSeveral: boolean
  readonly leftOut: readonly LeftOut[]
  /** Names of the whole file that are not among them. */
  readonly leftOutNames: readonly string[]
}

/**
 * The part of a file that is meant: its weights, or with `part` that of a role (`model`, `ema`, `optimizer`) or of a
 * key. Throws CkptError: `usage` for a part that is not there or could be several, `refused` for a file without weights.
 */
export function weightsOf(file: TensorFile, part?: string): Weights {
  const { parts } = file
  if (parts === undefined)
    return part === undefined ? wholeOf(file) : partByName(file, { parts: [], weights: [], keys: [] }, part)
  if (part !== undefined) return partByName(file, parts, part)
  if (parts.weights.length === 0 && file.tensors.length > 0) throw noWeights(file, parts)
  return viewOf(file, parts, parts.weights)
}

function wholeOf(file: TensorFile): Weights {
  return { file, whole: file, path: '', isSeveral: false, leftOut: [], leftOutNames: [] }
}

function partByName(file: TensorFile, parts: FileParts, wanted: string): Weights {
  const found = matching(parts, wanted)
  if (found.length === 0) found.push(...deeper(file, parts, wanted))
  const [only, ...others] = found
  if (only === undefined && parts.parts.length === 0 && wanted === 'model') return wholeOf(file)
  if (only === undefined) throw noPart(file, parts, wanted)
  if (others.length > 0) throw severalParts(file, found, wanted)
  return viewOf(file, parts, [only])
}

/** A key goes before a role: a part that is called `model` is meant by it, whatever else there is. */
function matching({ parts, weights }: FileParts, wanted: string): FilePart[] {
  const [exact] = parts.filter(({ path }) => path === wanted)
  if (exact !== undefined) return [weights.find(({ path }) => path.startsWith(`${wanted}.`)) ?? exact]
  const byKey = parts.filter(({ path }) => path.endsWith(`.${wanted}`))
  if (byKey.length > 0) return byKey
  if (wanted === 'model') return weights.filter(({ role }) => role === 'model')
  const byRole = parts.filter(({ role }) => role === wanted)
  return wanted === 'ema' && byRole.length === 0 && hasTradedPlaces(parts) ? [...weights] : byRole
}

/** Lightning's WeightAveraging saves the averaged weights as the state_dict, and beside it those under training. */
function hasTradedPlaces(parts: readonly FilePart[]): boolean {
  return parts.some(({ path }) => path === 'current_model_state')
}

/**
 * What lies farther in than the parts of the file: `callbacks.EMA.ema_state_dict`, by its keys, or as `ema` by the one of
 * them that says so. The model's own tensors can be called so too, and are not meant.
 */
function deeper({ tensors }: TensorFile, { parts, weights }: FileParts, wanted: string): FilePart[] {
  if (parts.length === 0) return []
  const outside = tensors.filter(({ name }) => !weights.some((part) => covers(part, name)))
  const paths = outside.flatMap(({ name }): string[] => {
    if (wanted !== 'ema') return isBelow(name, wanted) ? [wanted] : []
    const keys = name.split('.')
    const last = keys.slice(0, -1).findLastIndex((key) => averaged.test(key))
    return last < 0 ? [] : [keys.slice(0, last + 1).join('.')]
  })
  return [...new Set(paths)].map((path) => {
    const count = outside.filter(({ name }) => isBelow(name, path)).length
    return { path, role: wanted === 'ema' ? 'ema' : 'other', tensors: count, isModule: false }
  })
}

const averaged = /(?:^|_)(?:ema|averaged?|swa|shadow)(?:_|$)/i

function viewOf(file: TensorFile, { keys }: FileParts, chosen: readonly FilePart[]): Weights {
  const [first, ...others] = chosen
  if (first === undefined || isAll(first)) return wholeOf(file)
  const isSeveral = others.length > 0
  const names = new Map<string, string>()
  for (const part of chosen) {
    const { path, isModule } = part
    for (const { name, beside } of file.tensors) {
      if (beside === true || !covers(part, name)) continue
      const inPart = path === '' ? name : name.slice(path.length + 1)
      const own = isModule ? inPart.replace(loneLayer, '') : inPart
      names.set(name, isSeveral ? name : own)
    }
  }
  if (names.size === file.tensors.length && [...names].every(([name, own]) => name === own)) return wholeOf(file)
  return {
    file: new PartOfFile(file, names, (name) => chosen.some((part) => covers(part, name))),
    whole: file,
    path: isSeveral ? '' : first.path,
    isSeveral,
    leftOut: leftOutOf(file, keys, chosen, names),
    leftOutNames: file.tensors.flatMap(({ name }) => (names.has(name) ? [] : [name])),
  }
}

function isAll({ path, isModule, except = [] }: FilePart): boolean {
  return path === '' && !isModule && except.length === 0
}

function covers({ path, except = [] }: FilePart, name: string): boolean {
  return isBelow(name, path) && !except.some((other) => name === other || isBelow(name, other))
}

/** A module of one layer keeps the paths of its parts within other things. */
const loneLayer = /^_(?:parameters|buffers)\./

function isBelow(name: string, path: string): boolean {
  return path === '' || (name.length > path.length && name.startsWith(path) && name[path.length] === '.')
}

function leftOutOf(
  { tensors }: TensorFile,
  keys: readonly string[],
  chosen: readonly FilePart[],
  names: ReadonlyMap<string, string>,
): LeftOut[] {
  const others = keys.filter(
    (key) => !chosen.some((part) => part.path === key || isBelow(part.path, key) || covers(part, key)),
  )
  const found = others.map((path) => ({
    path,
    tensors: tensors.filter(({ name }) => name === path || isBelow(name, path)).length,
  }))
  const beside = tensors.filter(({ name }) => !names.has(name) && chosen.some((part) => covers(part, name))).length
  const attributes =
    chosen.length === 1 && beside > 0 ? [{ path: 'what its modules keep beside their state', tensors: beside }] : []
  return [...found, ...attributes]
}

function noPart(file: TensorFile, parts: FileParts, wanted: string): CkptError {
  return new CkptError('usage', `--part ${wanted}: ${file.path} has no such part`, { hint: partsHint(parts) })
}

function severalParts(file: TensorFile, found: readonly FilePart[], wanted: string): CkptError {
  const list = found.map(({ path }) => path).join(', ')
  return new CkptError('usage', `--part ${wanted}: several parts of ${file.path} are meant: ${list}`, {
    hint: 'name one of them',
  })
}

function noWeights(file: TensorFile, parts: FileParts): CkptError {
  const list = parts.parts.map(({ path, role }) => (path === '' ? 'the state of an optimizer' : `${path} (${role})`))
  return new CkptError('refused', `${file.path}: holds no weights of a model, but ${list.join(', ')}`, {
    hint: 'to take a part of it all the same, name it: --part optimizer, or its key',
  })
}

function partsHint({ parts }: FileParts): string {
  if (parts.length === 0) return 'it holds one set of tensors: leave out --part'
  return `it has: ${parts.map(({ path, role }) => (path === '' ? `the tensors at its top (${role})` : `${path} (${role})`)).join(', ')}`
}

/** Some of a file's tensors, under other names. */
class PartOfFile extends FileView {
  readonly tensors: readonly TensorInfo[]
  readonly composites: ReadonlyMap<string, string>
  readonly isNested: boolean
  private readonly originals: ReadonlyMap<string, TensorInfo>

  constructor(
    whole: TensorFile,
    private readonly names: ReadonlyMap<string, string>,
    isComposite: (name: string) => boolean,
  ) {
    super(whole, isOfTorch(whole) ? new Map() : whole.metadata)
    this.isNested = whole.isNested === true
    const originals = whole.tensors.flatMap((tensor) => {
      const name = names.get(tensor.name)
      return name === undefined ? [] : [[name, tensor] as const]
    })
    this.originals = new Map(originals)
    this.tensors = [...this.originals].map(([name, tensor]) => renamed(tensor, name, names))
    this.composites = new Map([...(whole.composites ?? [])].filter(([name]) => isComposite(name)))
  }

  locationOf({ name }: TensorInfo): string | undefined {
    return this.whole.locationOf?.(this.originalOf(name))
  }

  async dataOf({ name }: TensorInfo): Promise<TensorData> {
    return this.whole.dataOf(this.originalOf(name))
  }

  async structure(): Promise<TorchStructure> {
    const structure = await this.whole.structure?.()
    if (structure === undefined) throw new RangeError(`${this.path} has no structure`)
    const nodes = [...structure.nodes].flatMap(([name, node]) => {
      const own = this.names.get(name)
      return own === undefined ? [] : [[own, node] as const]
    })
    return { ...structure, nodes: new Map(nodes) }
  }

  private originalOf(name: string): TensorInfo {
    const original = this.originals.get(name)
    if (original === undefined) throw new RangeError(`${this.path} has no tensor ${name}`)
    return original
  }
}

/** A tensor that shares a storage with one outside of the part is still marked as sharing. */
function renamed(tensor: TensorInfo, name: string, names: ReadonlyMap<string, string>): TensorInfo {
  const { shared } = tensor
  return shared === undefined ? { ...tensor, name } : { ...tensor, name, shared: names.get(shared) ?? shared }
}
