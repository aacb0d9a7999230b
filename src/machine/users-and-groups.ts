/** Which users belong to a group, by the system's lists: so it is known who else may write to a file. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'

export interface People {
  /** The system's number of the user; null where it knows no users. */
  readonly user: number | null
  /** Somebody beside the user and root belongs to the group, or that is unknown. */
  readonly hasStrangers: (group: number) => boolean
}

export const people: People = {
  user: process.geteuid?.() ?? null,
  hasStrangers: (group) =>
    hasStrangers(group, { name: ownName(), group: process.getegid?.() ?? null, lists: { entries, askFor } }),
}

interface Asked {
  /** Null for a number without a name. */
  readonly name: string | null
  /** The user's first group. */
  readonly group: number | null
  readonly lists: {
    readonly entries: (list: 'group' | 'passwd') => readonly (readonly string[])[]
    readonly askFor: (group: number) => readonly string[] | undefined
  }
}

/**
 * A user that a directory service knows is in none of this machine's own lists; then others of that service may have the
 * group as their first one, of whom no list tells, and only a group of the user's own name is the user's alone.
 */
export function hasStrangers(group: number, { name, group: first, lists }: Asked): boolean {
  const isLocal = name === null || lists.entries('passwd').some(([known]) => known === name)
  const [groupName, members] = membersOf(group, lists)
  if (!isLocal && groupName !== name) return true
  const isKnown = members.length > 0 || group === first
  return !isKnown || members.some((one) => one !== name && one !== 'root')
}

/** Those whom the group lists, and those whose first group it is (group(5), passwd(5)). */
function membersOf(group: number, { entries, askFor }: Asked['lists']): [name: string | undefined, string[]] {
  const listed = entries('group').find(([, , id]) => Number(id) === group) ?? askFor(group)
  const members = (listed?.[3] ?? '').split(',').filter((name) => name !== '')
  const first = entries('passwd').flatMap(([name, , , id]) => (Number(id) === group ? [name ?? ''] : []))
  return [listed?.[0], [...new Set([...members, ...first])]]
}

function entries(list: 'group' | 'passwd'): string[][] {
  try {
    return readFileSync(`/etc/${list}`, 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
  } catch {
    return []
  }
}

/**
 * A group of a directory service, which does not list whose first group it is: only one of the user's own name counts
 * as the user's alone.
 */
function askFor(group: number): string[] | undefined {
  const { stdout } = spawnSync('getent', ['group', String(group)], { encoding: 'utf8', timeout: 5000 })
  const [name, ...rest] = (stdout || '').trim().split(':')
  if (name === undefined || name === '') return undefined
  const [password = '', id = '', members = ''] = rest
  return [name, password, id, `${name},${members}`]
}

/** What the user with that number is called; null where the system's own list has none. */
export function userName(user: number | null): string | null {
  if (user === null) return null
  return entries('passwd').find(([, , id]) => id === String(user))?.[0] ?? null
}

/** By the system's own list where the user is in it: bun's userInfo() goes by USER, which cron and containers leave out. */
function ownName(): string | null {
  const listed = userName(process.geteuid?.() ?? null)
  if (listed !== null) return listed
  try {
    return userInfo().username
  } catch {
    // A number without a name, as containers have it.
    return null
  }
}
