/** Compares a file that looks odd with the same file in the other checkpoints of the run. */
import { sep } from 'node:path'
import { isParameterFile, type Checkpoint } from '../../checkpoint.js'
import type { ReadStorage } from '../../storage/storage.js'
import { headLength, kindOf, type Kind } from './file-kind.js'
import { readHead, sourceOf, withFile } from '../../storage/file-source.js'
import { StorageError } from '../../errors.js'
import { RunOrder } from './run-order.js'
import { endsInZeros } from './trailing-zeros.js'

/** Others that are asked. */
const mostAsked = 4
/** Others that must agree before they count. */
const fewestAgreed = 2

/** The same file in another checkpoint. */
interface Other {
  readonly sibling: Checkpoint
  /** Relative to that checkpoint, with `/`. */
  readonly name: string
  readonly path: string
}

export class Neighbours {
  private readonly kinds = new Map<string, Promise<Kind | null>>()
  /** By checkpoint, the kinds of its files that were noted: those that follow one another and have the same share them. */
  private readonly noted = new Map<string, ReadonlyMap<string, Kind>>()
  private lastNoted: ReadonlyMap<string, Kind> = new Map()
  /** The kind that all files of a name have that were noted; null where they differ. */
  private readonly kindOfName = new Map<string, Kind | null>()
  private readonly areAllNoted: boolean
  private around: { readonly of: Checkpoint; readonly nearest: readonly Checkpoint[] } | undefined
  private readonly ends = new Map<string, Promise<boolean | null>>()
  private readonly sizes = new Map<string, Promise<number | null>>()

  constructor(
    private readonly storage: ReadStorage,
    private readonly siblings: readonly Checkpoint[],
    noted: readonly Checkpoint[],
  ) {
    const paths = new Set(noted.map(({ path }) => path))
    this.areAllNoted = siblings.every(({ path }) => paths.has(path))
  }

  /** What its files were found to be, by name: they are not opened again to compare others with them. */
  note(of: Checkpoint, kinds: ReadonlyMap<string, Kind>): void {
    for (const [name, kind] of kinds) this.noteName(of, name, kind)
    if (!areSame(kinds, this.lastNoted)) this.lastNoted = kinds
    this.noted.set(of.path, this.lastNoted)
  }

  private noteName(of: Checkpoint, name: string, kind: Kind): void {
    const known = this.kindOfName.get(nameAmong(of, name))
    if (known === undefined) this.kindOfName.set(nameAmong(of, name), kind)
    else if (known !== null && known !== kind) this.kindOfName.set(nameAmong(of, name), null)
  }

  /** No other checkpoint has another kind of file under that name, as far as they were looked into. */
  isAlike(of: Checkpoint, name: string, kind: Kind): boolean {
    return this.areAllNoted && this.kindOfName.get(nameAmong(of, name)) === kind
  }

  /** Sizes in bytes of the file of that name (relative, with `/`) in some others that have it. */
  async sizesOf(of: Checkpoint, name: string): Promise<number[]> {
    const asked = this.others(of, name).map(async ({ path }) => remember(this.sizes, path, () => this.size(path)))
    return (await Promise.all(asked)).filter((size) => size !== null)
  }

  /** The size that the file has in all others asked, where they agree; else null. */
  async commonSizeOf(of: Checkpoint, name: string): Promise<number | null> {
    return agreed(await this.sizesOf(of, name))
  }

  /** The kind that the file has in all others asked, where they agree; else null. */
  async commonKindOf(of: Checkpoint, name: string): Promise<Kind | null> {
    const asked = this.others(of, name).map(
      async ({ sibling, name: own, path }) =>
        this.noted.get(sibling.path)?.get(own) ?? remember(this.kinds, path, () => this.kind(name, path)),
    )
    return agreed((await Promise.all(asked)).filter((kind) => kind !== null))
  }

  /** Whether the file ends in zeros in all others asked, where they agree; else null. */
  async commonEndOf(of: Checkpoint, name: string): Promise<boolean | null> {
    const asked = this.others(of, name).map(async ({ path }) => remember(this.ends, path, () => this.end(path)))
    return agreed((await Promise.all(asked)).filter((end) => end !== null))
  }

  /** Those nearest in the run's order, on both sides: a file's kind or size may have changed long ago. */
  private others(of: Checkpoint, name: string): Other[] {
    const nearest = this.nearestTo(of)
    // What lies beside the file of a checkpoint, such as a marker, is in none of the others.
    if (of.kind === 'file') {
      const alike = name === of.name ? nearest.filter(isOfFormat(name)) : []
      return alike.map((sibling) => ({ sibling, name: sibling.name, path: sibling.path }))
    }
    // Of a parameter file the others' own lists tell whether they have it: nothing that is not there is asked for.
    const isListed = of.kind === 'directory' && isParameterFile(of, of.path + sep + name)
    return nearest
      .filter((sibling) => !isListed || isParameterFile(sibling, sibling.path + sep + name))
      .map((sibling) => ({ sibling, name, path: sibling.path + sep + name }))
  }

  /** The files of one checkpoint are asked about one after the other. */
  private nearestTo(of: Checkpoint): readonly Checkpoint[] {
    if (this.around?.of === of) return this.around.nearest
    const nearest: Checkpoint[] = []
    for (const pair of RunOrder.of(this.siblings).around(of)) {
      nearest.push(...pair)
      if (nearest.length >= mostAsked) break
    }
    this.around = { of, nearest }
    return nearest
  }

  private async size(path: string): Promise<number | null> {
    const [stat] = await this.storage.stat([path])
    return stat?.ok === true && stat.value.kind === 'file' ? stat.value.size : null
  }

  private async end(path: string): Promise<boolean | null> {
    try {
      return await withFile(this.storage, path, (handle) => endsInZeros(sourceOf(handle)))
    } catch (error) {
      if (error instanceof StorageError) return null
      throw error
    }
  }

  private async kind(name: string, path: string): Promise<Kind | null> {
    const head = await readHead(this.storage, path, headLength)
    return head === null || head.size === 0 ? null : kindOf(name, head.bytes, head.size)
  }
}

/** What is one file has a name of its own in each checkpoint; by its ending it may be of another format than others. */
function nameAmong({ kind }: Checkpoint, name: string): string {
  return kind === 'file' ? `*${endingOf(name)}` : name
}

/** `.h5` beside `.keras` begins otherwise. */
function endingOf(name: string): string {
  return /\.[A-Za-z]\w*$/.exec(name)?.[0].replaceAll(/\d+/g, '0') ?? ''
}

function isOfFormat(name: string): (sibling: Checkpoint) => boolean {
  const ending = endingOf(name)
  return (sibling) => endingOf(sibling.name) === ending
}

function areSame(one: ReadonlyMap<string, Kind>, other: ReadonlyMap<string, Kind>): boolean {
  if (one.size !== other.size) return false
  for (const [name, kind] of one) if (other.get(name) !== kind) return false
  return true
}

function remember<T>(known: Map<string, Promise<T>>, key: string, find: () => Promise<T>): Promise<T> {
  const answer = known.get(key) ?? find()
  known.set(key, answer)
  return answer
}

function agreed<T>(answers: readonly T[]): T | null {
  const [first] = answers
  if (first === undefined || answers.length < fewestAgreed) return null
  return answers.every((answer) => answer === first) ? first : null
}
