/** The processes below another one, as Linux tells them (proc(5)). */
import { readdirSync, readFileSync } from 'node:fs'

export interface Descendant {
  readonly pid: number
  /** Its process group. */
  readonly group: number
}

/** Parents before their children; none where /proc does not tell. */
export function descendantsOf(pid: number): Descendant[] {
  const byParent = new Map<number, Descendant[]>()
  for (const { parent, ...one } of allProcesses()) byParent.set(parent, [...(byParent.get(parent) ?? []), one])
  const found: Descendant[] = []
  const queue = [pid]
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const child of byParent.get(next) ?? []) {
      found.push(child)
      queue.push(child.pid)
    }
  }
  return found
}

function allProcesses(): (Descendant & { readonly parent: number })[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => statOf(Number(name)) ?? [])
  } catch {
    return []
  }
}

/** Fields 4 and 5 of stat; the second, a name in parentheses, may hold anything. */
function statOf(pid: number): (Descendant & { readonly parent: number }) | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [, parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { pid, parent: Number(parent), group: Number(group) }
  } catch {
    return null
  }
}
