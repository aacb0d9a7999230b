/** What is to be done for each loadable of a plan: what is there, what must come, and from where. Changes nothing. */
import { basename, join } from 'node:path'
import { ConfigError } from '../formats/yaml/config-yaml.js'
import { digestOf, type Digest } from './download/index.js'
import { CkptError } from '../errors.js'
import type { LocalFile, RemoteFile, SourceContext } from './sources/index.js'
import type { ReadStorage, Stat } from '../storage/storage.js'
import type { LinkStrategy, Loadable, PretrainPlan } from './plan.js'
import type { Made, MadeRecord } from './record.js'
import { workThrough } from './few-at-a-time.js'

/** `keep`: it is there already. `use`: where it lies, for nothing is collected. */
export type Action =
  | { readonly kind: 'keep' | 'use' }
  | { readonly kind: 'link'; readonly link: 'symbolic' | 'hard' | 'copy'; readonly file: LocalFile }
  | { readonly kind: 'download'; readonly file: RemoteFile }

export interface Item {
  readonly loadable: Loadable
  /** Where the file is, or will be; absolute. */
  readonly path: string
  /** Its name in the source. */
  readonly name: string
  /** For people. */
  readonly from: string
  /** Bytes; null when they are not known. */
  readonly size: number | null
  /** That it belongs to; null for a file that is in none. */
  readonly checkpoint: LocalFile['checkpoint']
  /** What its bytes must be; null when nobody says. */
  readonly digest: Digest | null
  readonly action: Action
  /** Something of ours is there, or something that may be replaced. */
  readonly replaces: boolean
}

export interface Failed {
  readonly loadable: Loadable
  readonly error: CkptError
}

export interface Survey {
  readonly items: readonly Item[]
  /** Those that a condition leaves out. */
  readonly skipped: readonly Loadable[]
  readonly failed: readonly Failed[]
}

export interface SurveyOptions {
  /** Null where nothing is collected. */
  readonly record: MadeRecord | null
  /** What is there and not ours may be replaced. */
  readonly force: boolean
  /** Servers are asked again for what is there already. */
  readonly update: boolean
}

/** Goes on past a loadable that fails. Throws ConfigError, CkptError `interrupted`. */
export async function survey(plan: PretrainPlan, context: SourceContext, options: SurveyOptions): Promise<Survey> {
  const wanted = plan.loadables.filter(({ skippedBy }) => skippedBy === null)
  const skipped = plan.loadables.filter(({ skippedBy }) => skippedBy !== null)
  const look = (loadable: Loadable, signal: AbortSignal) =>
    orFailed(loadable, () => new Surveyor(plan, loadable, { ...context, signal }, options).survey())
  const answers = await workThrough(wanted, isRemote, look, context.signal)
  // Of several mistakes the first in the plan is reported, whichever was found first.
  const mistake = answers.find((one) => 'error' in one && one.error instanceof ConfigError)
  if (mistake !== undefined && 'error' in mistake) throw mistake.error
  const items = answers.flatMap((one) => ('error' in one ? [] : [one]))
  const failed = answers.flatMap((one) => ('error' in one ? [one] : []))
  return { items, skipped, failed }
}

function isRemote({ key, origin }: Loadable): boolean {
  return origin !== null && origin.source.identify({ key, file: origin.file, digest: origin.digest }) !== null
}

/** What fails for one loadable fails for it alone. Throws CkptError `interrupted`, and what is not a CkptError. */
export async function orFailed<T>(loadable: Loadable, work: () => Promise<T>): Promise<T | Failed> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof CkptError) || error.code === 'interrupted') throw error
    return { loadable, error }
  }
}

class Surveyor {
  private readonly storage: ReadStorage

  constructor(
    private readonly plan: PretrainPlan,
    private readonly loadable: Loadable,
    private readonly context: SourceContext,
    private readonly options: SurveyOptions,
  ) {
    this.storage = context.storage
  }

  async survey(): Promise<Item> {
    const { key, name, position, origin } = this.loadable
    if (origin === null) throw new ConfigError(position, `${key} has no source`)
    const { collectIn } = this.plan
    const path = collectIn === null ? null : join(collectIn, name)
    const there = path === null ? null : await this.look(path)
    const wanted = { key, file: origin.file, digest: origin.digest }
    const from = origin.source.identify(wanted)
    const kept = path === null || from === null ? null : await this.known(path, there, from)
    if (kept !== null) return kept
    const file = await origin.source.locate(wanted, this.context)
    if (file.size === 0)
      throw new CkptError('damaged', `${file.kind === 'local' ? file.path : (from ?? '')}: is empty (0 bytes)`)
    if (file.kind === 'local') return this.surveyLocal(path, there, file)
    if (path === null) throw new ConfigError(position, `${key} must be downloaded, and the plan has no collect_in`)
    return this.surveyRemote(path, there, file, from ?? '')
  }

  private get nameThere(): string | null {
    const { key, origin } = this.loadable
    return origin === null ? null : origin.source.nameOf({ key, file: origin.file, digest: origin.digest })
  }

  private async look(path: string): Promise<Stat | null> {
    const [stat] = await this.storage.lstat([path])
    if (stat?.ok === true) return stat.value
    if (stat !== undefined && stat.error.code !== 'not-found') throw stat.error
    return null
  }

  private made(path: string, there: Stat | null): Made | null {
    return there === null ? null : (this.options.record?.of(path, there) ?? null)
  }

  /** What was downloaded from there before, as it was then: no server is asked. */
  private async known(path: string, there: Stat | null, from: string): Promise<Item | null> {
    const made = this.made(path, there)
    if (there === null || made?.origin !== from || this.options.update || this.options.force) return null
    const digest = this.loadable.origin?.digest ?? null
    if (digest !== null && !(await this.holds(path, made, digest))) return null
    return this.item({ path, from, size: there.size, action: { kind: 'keep' }, digest: digest ?? made.digest })
  }

  private async surveyLocal(path: string | null, there: Stat | null, file: LocalFile): Promise<Item> {
    const { link } = this.plan
    const { digest = null } = this.loadable.origin ?? {}
    const name = this.nameThere ?? basename(file.path)
    const said = { from: file.path, size: file.size, checkpoint: file.checkpoint, name, digest }
    if (path === null || link === 'none') return this.item({ ...said, path: file.path, action: { kind: 'use' } })
    const isSame = there !== null && (await this.isSameLocal(path, there, file, link))
    if (isSame) return this.item({ ...said, path, action: { kind: 'keep' } })
    return this.item({ ...said, path, action: { kind: 'link', link, file }, replaces: this.mayReplace(path, there) })
  }

  private async isSameLocal(path: string, there: Stat, file: LocalFile, link: LinkStrategy): Promise<boolean> {
    const [own] = await this.storage.stat([file.path])
    if (own?.ok !== true) throw own?.error ?? new CkptError('not-found', `${file.path} is gone`)
    if (there.kind === 'link') return link === 'symbolic' && (await this.leadsTo(path, file.path))
    if (there.kind !== 'file') return false
    const stat = own.value
    if (there.inode === stat.inode && there.device === stat.device) return link === 'hard'
    if (link === 'hard' || there.size !== stat.size) return false
    const made = this.made(path, there)
    if (made !== null) return link === 'copy' && made.origin === originOf(file.path, stat)
    return (await this.sha256(path)) === (await this.sha256(file.path))
  }

  private async leadsTo(link: string, path: string): Promise<boolean> {
    const [one, other] = await this.storage.resolve([link, path])
    return one?.ok === true && other?.ok === true && one.value === other.value
  }

  private async surveyRemote(path: string, there: Stat | null, file: RemoteFile, from: string): Promise<Item> {
    const said = { path, from, size: file.size, digest: file.digest }
    if (there !== null && (await this.isSameRemote(path, there, file, from))) {
      return this.item({ ...said, action: { kind: 'keep' } })
    }
    return this.item({ ...said, action: { kind: 'download', file }, replaces: this.mayReplace(path, there) })
  }

  private async isSameRemote(path: string, there: Stat, file: RemoteFile, from: string): Promise<boolean> {
    const [stat] = await this.storage.stat([path])
    if (stat?.ok !== true || stat.value.kind !== 'file') return false
    if (file.size !== null && file.size !== stat.value.size) return false
    const made = this.made(path, there)
    if (file.digest !== null) return this.holds(path, made, file.digest)
    return made?.origin === from && (file.validator === null || file.validator === made.validator)
  }

  private async holds(path: string, made: Made | null, digest: Digest): Promise<boolean> {
    if (made?.digest?.algorithm === digest.algorithm) return made.digest.value === digest.value
    const { signal } = this.context
    const found = await digestOf(this.storage, path, digest.algorithm, signal === undefined ? {} : { signal })
    return found.value === digest.value
  }

  private async sha256(path: string): Promise<string> {
    const { signal } = this.context
    return (await digestOf(this.storage, path, 'sha256', signal === undefined ? {} : { signal })).value
  }

  /** Throws CkptError `refused` when something is there that is not ours. */
  private mayReplace(path: string, there: Stat | null): boolean {
    if (there === null) return false
    if (there.kind === 'directory' || there.kind === 'other') {
      throw new CkptError('refused', `${path}: is not a file, and is never replaced`)
    }
    if (this.options.force || this.made(path, there) !== null) return true
    throw new CkptError('refused', `${path}: is there already, and is not what the plan collects`, {
      hint: 'to replace it, use --force',
    })
  }

  private item(one: Partial<Item> & Pick<Item, 'path' | 'from' | 'size' | 'action'>): Item {
    const { loadable } = this
    const name = this.nameThere ?? loadable.name
    return { loadable, name, checkpoint: null, digest: null, replaces: false, ...one }
  }
}

/** Equal when a copy would come out the same. */
export function originOf(path: string, { size, modified, inode }: Stat): string {
  return `${path} ${size} ${modified} ${inode}`
}
