/** The processes of a job, as Linux tells them (proc(5)): by descent, by session, and by a mark in their environment. */
import { readdirSync, readFileSync } from 'node:fs'

export interface Member {
  readonly pid: number
  /** Its process group. */
  readonly group: number
}

export interface Family {
  /** All that descend from this process; null: it has ended, and its number may belong to another one. */
  readonly root: number | null
  /** The session that is the job's own; null where it shares one with others. */
  readonly session: number | null
  /** `NAME=VALUE` in the environment that they were started with: known though their parents have died. */
  readonly mark: string
}

/** Those that are alive; null where /proc does not tell. One whose mark was taken out of its environment may be missing. */
export function membersOf({ root, session, mark }: Family): Member[] | null {
  const all = livingProcesses()
  if (all === null) return null
  const below = root === null ? new Set() : descendants(all, root)
  return all.filter(
    (one) => one.pid !== process.pid && (below.has(one.pid) || one.session === session || hasMark(one.pid, mark)),
  )
}

interface Living extends Member {
  readonly parent: number
  readonly session: number
}

function descendants(all: readonly Living[], root: number): ReadonlySet<number> {
  const found = new Set([root])
  // A set goes on to what is added while it is walked.
  for (const parent of found) for (const one of all) if (one.parent === parent) found.add(one.pid)
  return found
}

function livingProcesses(): Living[] | null {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => statOf(Number(name)) ?? [])
  } catch {
    return null
  }
}

/** Fields 3 to 6 of stat; the second, a name in parentheses, may hold anything. Null of one that has ended. */
function statOf(pid: number): Living | null {
  const stat = textOf(`/proc/${pid}/stat`)
  const [state, parent, group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (session === undefined || state === 'Z' || state === 'X') return null
  return { pid, parent: Number(parent), group: Number(group), session: Number(session) }
}

function hasMark(pid: number, mark: string): boolean {
  return `\0${textOf(`/proc/${pid}/environ`)}`.includes(`\0${mark}\0`)
}

/** Empty where it cannot be read, or is not there. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
