/** The local file system, with the permissions of the user who runs this process. */
import { isAbsolute, join } from 'node:path'
import { localStorage } from '../core/storage/local.js'
import type { Belonging, Storage } from '../core/storage/storage.js'
import { home } from './home.js'

/** `warn` gets each warning about an untrusted file beside a run once. */
export function userStorage(warn: (text: string) => void): Storage {
  const user = process.geteuid?.() ?? null
  return localStorage({
    custody: { user, stateHome: stateHome(), warn },
    actAs: user === 0 ? actAs : undefined,
  })
}

/** XDG Base Directory Specification: a relative path is as none. */
function stateHome(): string {
  const set = process.env['XDG_STATE_HOME'] ?? ''
  return isAbsolute(set) ? set : join(home(), '.local', 'state')
}

/** What nobody is in: taken where a file belongs to the superuser's group, which its owner need not be in. */
const nogroup = 65534

/** The superuser for a moment as somebody else: in that one's groups and the file's own. */
function actAs<T>({ owner, group }: Belonging, call: () => T): T {
  const { getgroups, setgroups, getegid, setegid, geteuid, seteuid } = process
  if (!getgroups || !setgroups || !getegid || !setegid || !geteuid || !seteuid || geteuid() !== 0) return call()
  const groups = getgroups()
  const own = getegid()
  const as = group === 0 ? nogroup : group
  setgroups([as, ...groupsOf(owner, groups)])
  setegid(as)
  seteuid(owner)
  try {
    return call()
  } finally {
    seteuid(0)
    setegid(own)
    setgroups(groups)
  }
}

/** Not in the types of Node: the groups that the system's own books have for the user, and one more (initgroups(3)). */
const { initgroups: initGroups = () => undefined } = process as typeof process & {
  initgroups?: (user: number, more: number) => void
}

const known = new Map<number, readonly number[]>()

/** None of one whom the system has no name for. `now` are those that this process has. */
function groupsOf(user: number, now: number[]): readonly number[] {
  let groups = known.get(user)
  if (groups === undefined) {
    groups = namedGroupsOf(user, now)
    known.set(user, groups)
  }
  return groups
}

function namedGroupsOf(user: number, now: number[]): readonly number[] {
  const own = process.getegid?.() ?? 0
  try {
    // Node gives the own group with the others.
    process.setegid?.(nogroup)
    initGroups(user, nogroup)
    return (process.getgroups?.() ?? []).filter((group) => group !== nogroup)
  } catch (error) {
    if (error instanceof Error && 'code' in error) return []
    throw error
  } finally {
    process.setegid?.(own)
    process.setgroups?.(now)
  }
}
