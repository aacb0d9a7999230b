/** Which folders are guarded, and the way to what lies in them. */
import type * as fs from 'node:fs'
import { basename, dirname, isAbsolute, join, sep } from 'node:path'
import { UntrustedError, type CkptError } from '../errors.js'
import { toStorageError } from './storage-errors.js'
import { followLinks, type LinksOnWay } from './links-on-way.js'
import { OpenFolder, type ActAs } from './open-folder.js'
import type { Guarded, GuardedRun, GuardedState, Heir, StateRules } from './storage.js'
import { quoteWord } from '../formats/text/shell-words.js'

/** `look`: nothing changes. `sync`: names in it do not. */
export type Use = 'look' | 'sync' | 'change'

/** A name in a guarded folder, reached without a link. */
export interface GuardedName {
  /** What the name is in, held open. */
  readonly folder: OpenFolder
  readonly name: string
  /** What folders and files there must be like; null where they may be like anything. */
  readonly rules: StateRules | null
  /** Whom a folder made there is given to. */
  readonly heir: Heir | null
  /** A folder made here has the permissions of the one that it is made in: both are of one run's state. */
  readonly inherits: boolean
}

/** Where it lies with all links resolved. */
type ResolvedFolder = Guarded & { readonly real: string }

interface Way {
  readonly guarded: ResolvedFolder
  /** Names below the folder that holds the guarded one, at least one. */
  readonly parts: readonly string[]
}

export class Guard {
  /** By the paths that calls name them by. A state's outermost folder may serve thousands of runs. */
  private readonly states = new Map<string, ResolvedFolder & GuardedState>()
  private readonly runs = new Map<string, ResolvedFolder & GuardedRun>()
  /** Names that the path of anything in a state's folder holds: asked first, for most paths lie in none. */
  private readonly outerNames = new Set<string>()
  /** Why nothing in a guarded folder may be changed, by its path. */
  private readonly misled = new Map<string, CkptError>()

  /** `actAs` is given where this process is the superuser's. `user` is null where the system has none. */
  constructor(
    private readonly actAs: ActAs | null,
    private readonly user: number | null,
  ) {}

  /**
   * Gives why nothing will be changed there, or null. Where it lies, and whose links lead there, is one look: what came
   * by a second one could be another folder.
   */
  add(folder: Guarded): CkptError | null {
    const { real, refusal } = placeOf(folder, this.user)
    // For good: what is named by its real path later is still what somebody's link led to.
    if (refusal !== null) this.misled.set(folder.path, refusal)
    else this.passOnRefusal(folder)
    if (folder.kind === 'run') this.runs.set(folder.path, { ...folder, real })
    else {
      const resolved = { ...folder, real }
      this.states.set(folder.path, resolved)
      this.states.set(folder.outer, resolved)
      this.outerNames.add(sep + basename(folder.outer))
    }
    return this.misled.get(folder.path) ?? null
  }

  /** What is kept of a run that somebody's link led to is changed no more than the run. */
  private passOnRefusal(folder: Guarded): void {
    const refusal = folder.kind === 'state' && folder.run !== null ? this.misled.get(folder.run) : undefined
    if (refusal !== undefined) this.misled.set(folder.path, refusal)
  }

  /** Calls with the place of `path`; gives `undefined` where it lies in no guarded folder. */
  reach<T>(path: string, use: Use, call: (reached: GuardedName) => T): { readonly value: T } | undefined {
    const way = this.wayTo(path, use)
    if (way === null) return undefined
    const reached = this.open(way)
    try {
      return { value: reached.folder.act(() => call(reached)) }
    } finally {
      reached.folder.close()
    }
  }

  /** As `reach`; the folder of the place is the caller's to close. */
  hold(path: string, use: Use): GuardedName | null {
    const way = this.wayTo(path, use)
    return way === null ? null : this.open(way)
  }

  private wayTo(path: string, use: Use): Way | null {
    const found = this.find(path, use) ?? (use === 'change' ? this.folderAbove(path) : null)
    if (found === null) return null
    const misled = use !== 'look' ? this.misled.get(found.path) : undefined
    if (misled !== undefined) throw misled
    const below = path.slice(outerOf(found).length).split(sep)
    return { guarded: found, parts: [basename(found.real), ...below.filter((part) => part !== '')] }
  }

  /**
   * What lies in no guarded folder is changed as if the folder that it is in were one: somebody else may have put a link
   * on the way there, or put one there in a moment. Null where the system has no users.
   */
  private folderAbove(path: string): ResolvedFolder | null {
    if (this.user === null || !isAbsolute(path)) return null
    const folder = { kind: 'run', path: dirname(path) } as const
    const { real, refusal } = placeOf(folder, this.user)
    if (refusal !== null) throw refusal
    return { ...folder, real }
  }

  /** The nearest one that the path lies in, or is. */
  private find(path: string, use: Use): ResolvedFolder | null {
    if (!this.mayBeState(path) && (use === 'look' || this.runs.size === 0)) return null
    for (let at = path; ; at = dirname(at)) {
      const found = this.states.get(at) ?? (use !== 'look' ? this.runs.get(at) : undefined)
      if (found !== undefined) return found
      if (dirname(at) === at) return null
    }
  }

  /** False only for a path that lies in no state's folder. */
  mayBeState(path: string): boolean {
    for (const name of this.outerNames) if (path.includes(name)) return true
    return false
  }

  private open({ guarded, parts }: Way): GuardedName {
    let folder = OpenFolder.atReal(dirname(guarded.real), this.actAs)
    let path = dirname(outerOf(guarded))
    try {
      for (const [index, name] of parts.slice(0, -1).entries()) {
        path = join(path, name)
        const next = folder.open(name, path)
        folder.close()
        folder = next
        if (guarded.kind === 'state' && index < guarded.levels) checkFolder(path, folder.stats, guarded)
      }
    } catch (error) {
      folder.close()
      throw error
    }
    const isRuled = guarded.kind === 'state' && parts.length <= guarded.levels + 1
    const isHeirs = guarded.kind === 'state' && parts.length === guarded.levels - 1
    return {
      folder,
      name: parts.at(-1) ?? '.',
      rules: isRuled ? guarded : null,
      heir: isHeirs ? guarded.heir : null,
      inherits: guarded.kind === 'state' && guarded.heir !== null && parts.length >= guarded.levels,
    }
  }
}

interface Place {
  readonly real: string
  /** Why nothing is changed there; null where nothing speaks against it. */
  readonly refusal: CkptError | null
}

function placeOf(folder: Guarded, user: number | null): Place {
  const named = nameOf(folder)
  try {
    const way = followLinks(named)
    const real = realOf(folder, way)
    const refusal = user === null ? null : whyMisled(named, way, user)
    if (refusal !== null || !leadsTo(folder, real)) return { real, refusal: refusal ?? replacedMeanwhile(named) }
    return { real, refusal: folder.kind === 'run' ? whyReached(folder, real, user) : null }
  } catch (error) {
    // Who can make the way one that cannot be followed can make it one that can be, a moment later.
    return { real: outerOf(folder), refusal: toStorageError(named, error) }
  }
}

/** Why nothing is changed in a run that lies in `real`, of which something was named by a link. */
function whyReached({ reachedBy }: GuardedRun, real: string, user: number | null): UntrustedError | null {
  if (reachedBy === undefined) return null
  const way = followLinks(reachedBy)
  const refusal = user === null ? null : whyMisled(reachedBy, way, user)
  return refusal ?? (way.real.startsWith(join(real, sep)) ? null : replacedMeanwhile(reachedBy))
}

/** The way that leads to a folder as it was named. */
function nameOf(folder: Guarded): string {
  if (folder.kind === 'run') return folder.path
  return folder.run ?? (folder.mayBeLink ? folder.outer : dirname(folder.outer))
}

function realOf(folder: Guarded, { real }: LinksOnWay): string {
  if (folder.kind === 'run') return real
  if (folder.run !== null) return join(dirname(real), basename(folder.outer))
  return folder.mayBeLink ? real : join(real, basename(folder.outer))
}

/** What lies beside a run was found by a look before: it led to the same folder, or could not be followed yet. */
function leadsTo(folder: Guarded, real: string): boolean {
  if (folder.kind === 'run' || folder.run === null) return true
  return folder.outer === real || folder.outer === join(dirname(folder.run), basename(folder.outer))
}

/**
 * Why nothing is changed where a way leads: a link of somebody's, who is neither the user nor the superuser, leads to
 * what is not that one's. They would choose what is changed, and with whose rights.
 */
function whyMisled(named: string, way: LinksOnWay, user: number): UntrustedError | null {
  const stranger = [...way.owners].find((owner) => owner !== user && owner !== 0 && owner !== way.endsWith)
  if (stranger === undefined) return null
  const why = `is reached by a link of user ${stranger}, and belongs to user ${way.endsWith}: nothing is changed there`
  return new UntrustedError(named, why, `see where it leads, then name that: ${way.real}`)
}

function replacedMeanwhile(path: string): UntrustedError {
  return new UntrustedError(path, 'led to another folder a moment ago', 'see who changes it, then try again')
}

function outerOf(guarded: Guarded): string {
  return guarded.kind === 'run' ? guarded.path : guarded.outer
}

/** Throws UntrustedError unless a folder with these facts may be one of ckpt's. */
export function checkFolder(path: string, stats: fs.BigIntStats, { owners }: Pick<StateRules, 'owners'>): void {
  if (!stats.isDirectory()) throw new UntrustedError(path, `is ${kindInWords(stats)}, and must be a folder`, moveAway)
  checkRights(path, stats, owners)
}

/** Throws UntrustedError unless a file with these facts may be a record of ckpt's. */
export function checkFile(path: string, stats: fs.BigIntStats, rules: StateRules | null): void {
  if (!stats.isFile()) throw new UntrustedError(path, `is ${kindInWords(stats)}, and must be a file`, moveAway)
  if (rules !== null) checkRights(path, stats, rules.owners)
}

/** Throws UntrustedError for a file with a second name, which may be another record's, or none of ckpt's: both would change. */
export function checkOneName(path: string, { nlink }: fs.BigIntStats): void {
  if (nlink < 2n) return
  const word = quoteWord(path)
  const own = quoteWord(`${path}.own`)
  throw new UntrustedError(
    path,
    `has ${nlink} names (hard links), and what is written there would change the file under each of them`,
    `where it is a record of ckpt's, give it a file of its own: cp -p ${word} ${own} && mv ${own} ${word}; else move it away`,
  )
}

const moveAway = 'see what it is, then move it away'

/** A folder whose names only their owners may change (the sticky bit) is safe although everyone may write to it. */
function checkRights(path: string, { uid, mode }: fs.BigIntStats, owners: readonly number[] | null): void {
  if (owners === null) return
  if (!owners.includes(Number(uid))) {
    throw new UntrustedError(
      path,
      `belongs to user ${uid}, who is neither you nor the owner of the run nor the superuser`,
      'ask that user to move it away, or name a folder of your own: --state DIR',
    )
  }
  const isSticky = (mode & 0o1000n) !== 0n && (mode & 0o170000n) === 0o040000n
  if ((mode & 0o002n) !== 0n && !isSticky) {
    const rights = (mode & 0o7777n).toString(8)
    throw new UntrustedError(path, `can be changed by everyone (mode ${rights})`, `chmod o-w ${quoteWord(path)}`)
  }
}

function kindInWords(stats: fs.BigIntStats): string {
  if (stats.isSymbolicLink()) return 'a symbolic link'
  if (stats.isFIFO()) return 'a named pipe'
  if (stats.isSocket()) return 'a socket'
  if (stats.isDirectory()) return 'a folder'
  return stats.isFile() ? 'a file' : 'a device'
}
