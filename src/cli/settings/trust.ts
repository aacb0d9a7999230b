/**
 * Whose settings are taken. They can hold commands (hooks) and answers to questions (`yes: true`), so, as git's
 * safe.directory has it, not those that somebody else can have put above a run.
 */
import { lstatSync, readlinkSync, type BigIntStats } from 'node:fs'
import { dirname, join, parse, sep } from 'node:path'
import type { Identity } from './find-files.js'
import type { People } from '../../machine/users-and-groups.js'
import { quoteWord } from '../../core/formats/text/shell-words.js'

/** What the user's own settings say of others. */
export interface Trusted {
  /** Absolute. Settings in these folders are taken, whichever user owns them. */
  readonly folders: readonly string[]
  /** Settings are taken that a group of several people may write. */
  readonly group: boolean
}

/** Why settings are not taken, and how they could be. */
export interface Doubt {
  readonly reason: string
  readonly hint: string
}

export interface Way {
  /** Absolute; no link in it. */
  readonly real: string
  readonly device: bigint
  readonly inode: bigint
  /** Of the folder that it lies in. */
  readonly folder: Identity | null
  /** Null where nobody else can have a hand in it. */
  readonly doubt: Doubt | null
  /** Why no command may run in that folder, which for the file itself is good enough. */
  readonly hooksDoubt: Doubt | null
}

const othersMayWrite = 0o002
const groupMayWrite = 0o020
/** In such a folder (sticky bit) people can rename and remove only their own files. */
const sticky = 0o1000
/** As many as the system follows (path_resolution(7)). */
const mostLinks = 40

/**
 * Follows the path (absolute) as the system does and looks at each folder and link on the way. Null where it leads
 * nowhere, also where somebody's link goes round in circles.
 */
export function followWay(path: string, people: People, trusted: Trusted): Way | null {
  const doubts = new Doubts(path, people, trusted)
  const { root } = parse(path)
  const left = path.split(sep)
  let at = root
  let folder: Looked | null = null
  for (let links = 0; ;) {
    const next = join(at, left.shift() ?? '')
    const stat = look(next)
    if (stat === null) return doubts.first === null ? null : { ...nowhere, real: next, doubt: doubts.first }
    if ('reason' in stat) return { ...nowhere, real: next, doubt: doubts.first ?? stat }
    const what = lookedAt(next, stat)
    const isLast = left.length === 0
    if (isLast) doubts.lookAtFolder(ownerOf(at), dirname(next))
    if (stat.isSymbolicLink()) {
      doubts.lookAtLink(what)
      if (++links > mostLinks) return { ...nowhere, real: next, doubt: doubts.first ?? endless(next) }
      const target = targetOf(next)
      if (typeof target !== 'string') return { ...nowhere, real: next, doubt: doubts.first ?? target }
      if (target.startsWith(sep)) at = root
      left.unshift(...target.split(sep))
    } else if (isLast) {
      doubts.lookAtFile(what)
      const hooksDoubt = folder === null ? null : doubts.ofCommandsIn(folder)
      return { real: next, ...what.identity, folder: folder?.identity ?? null, doubt: doubts.first, hooksDoubt }
    } else {
      doubts.lookAtWay(what)
      at = next
      folder = what
    }
  }
}

const nowhere = { device: 0n, inode: 0n, folder: null, hooksDoubt: null }

function lookedAt(path: string, { uid, gid, mode, dev, ino }: BigIntStats): Looked {
  return { path, owner: Number(uid), group: Number(gid), mode: Number(mode), identity: { device: dev, inode: ino } }
}

/** Null where nothing is; a doubt where the way is closed to the user. */
function look(path: string): BigIntStats | Doubt | null {
  return orDoubt(path, () => lstatSync(path, { bigint: true, throwIfNoEntry: false }) ?? null)
}

/** A doubt where another thing has been put in the link's place. */
function targetOf(link: string): string | Doubt {
  return orDoubt(link, () => readlinkSync(link))
}

function ownerOf(folder: string): number {
  const stat = look(folder)
  return stat === null || 'reason' in stat ? -1 : Number(stat.uid)
}

function orDoubt<T>(path: string, ask: () => T): T | Doubt {
  try {
    return ask()
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    return { reason: `${path} cannot be looked at (${String(error.code)})`, hint: `ls -ld ${quoteWord(path)}` }
  }
}

function endless(path: string): Doubt {
  return { reason: `the link ${path} leads round in circles`, hint: `rm ${quoteWord(path)}` }
}

interface Looked {
  readonly path: string
  readonly owner: number
  readonly group: number
  readonly mode: number
  readonly identity: Identity
}

class Doubts {
  first: Doubt | null = null
  private readonly isTrusted: boolean

  constructor(
    private readonly file: string,
    private readonly people: People,
    private readonly trusted: Trusted,
  ) {
    this.isTrusted = trusted.folders.some((folder) => `${file}${sep}`.startsWith(`${folder}${sep}`.replace('//', '/')))
  }

  lookAtFile(what: Looked): void {
    this.lookAtOwner('the file', what.path, what.owner)
    this.lookAtMode(what, what.path)
  }

  lookAtLink({ path, owner }: Looked): void {
    this.lookAtOwner('the link', path, owner)
  }

  /** The folders of the file and of links to it: their owners can replace the file. */
  lookAtFolder(owner: number, path: string): void {
    this.lookAtOwner('the folder', path, owner)
  }

  /** Where anybody may put a program or a module, as in /tmp, the sticky bit does not help. */
  ofCommandsIn(folder: Looked): Doubt | null {
    const own = new Doubts(this.file, this.people, this.trusted)
    own.lookAtMode(folder, `in ${folder.path}, where its hooks would run`)
    return own.first === null ? null : { ...own.first, hint: 'move it into a folder of your own' }
  }

  lookAtWay(what: Looked): void {
    if ((what.mode & sticky) === 0) this.lookAtMode(what, `in ${what.path}`)
  }

  private lookAtOwner(what: string, path: string, owner: number): void {
    const { user } = this.people
    if (this.isTrusted || owner === user || owner === 0) return
    this.add(
      `${what} ${path} belongs to another user (${owner}, and you are ${user ?? ''})`,
      `read it, then trust its folder in your own settings (trust: [${JSON.stringify(dirname(this.file))}])`,
    )
  }

  private lookAtMode({ path, group, mode }: Looked, where: string): void {
    if ((mode & othersMayWrite) !== 0) {
      this.add(`anybody may write ${where}`, `chmod o-w ${quoteWord(path)}`)
      return
    }
    if ((mode & groupMayWrite) === 0 || this.isTrusted || this.trusted.group || !this.people.hasStrangers(group)) return
    this.add(
      `others of the group ${group} may write ${where}`,
      `chmod g-w ${quoteWord(path)}, or trust your groups in your own settings (trust: [group])`,
    )
  }

  private add(reason: string, hint: string): void {
    if (this.people.user !== null) this.first ??= { reason, hint }
  }
}
