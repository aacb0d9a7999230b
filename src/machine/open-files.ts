/** Which files processes of this machine are writing or reading, as Linux tells below /proc; elsewhere, and of others' processes, nothing. */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { join, sep } from 'node:path'

/** O_RDONLY is 0, O_WRONLY 1, O_RDWR 2 (open(2)): the last bits of the flags. */
const accessMode = 0o3
const writeOnly = 0o1

/** Those of these paths (absolute) that some other process has open for writing, or something below. */
export function heldForWriting(paths: readonly string[]): ReadonlySet<string> {
  const held = new Set<string>()
  // What is reported there has no links in it.
  const real = new Map(paths.map((path) => [path, textOrNull(() => realpathSync(path)) ?? path]))
  for (const open of openForWriting()) {
    for (const [path, resolved] of real) if (open === resolved || open.startsWith(resolved + sep)) held.add(path)
  }
  return held
}

function* openForWriting(): Generator<string> {
  for (const pid of namesIn('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue
    for (const fd of namesIn(`/proc/${pid}/fd`)) {
      const path = textOrNull(() => readlinkSync(join('/proc', pid, 'fd', fd)))
      if (path?.startsWith(sep) === true && isForWriting(pid, fd)) yield path
    }
  }
}

/** Files that a process has open for reading or mapped into its memory, links resolved; one may be there twice. */
export function openToRead(pid: number): string[] {
  const open = namesIn(`/proc/${pid}/fd`).flatMap((fd) => {
    const path = textOrNull(() => readlinkSync(`/proc/${pid}/fd/${fd}`))
    return path?.startsWith(sep) === true && (accessOf(String(pid), fd) ?? writeOnly) !== writeOnly ? [path] : []
  })
  return [...open, ...mapped(pid)]
}

/** Lines of maps are `address perms offset dev inode path` (proc(5)). */
function mapped(pid: number): string[] {
  const maps = textOrNull(() => readFileSync(`/proc/${pid}/maps`, 'utf8')) ?? ''
  return [...maps.matchAll(/^\S+ r\S+ \S+ \S+ \S+ +(\/.*)$/gm)].flatMap(([, path]) => path ?? [])
}

function isForWriting(pid: string, fd: string): boolean {
  return (accessOf(pid, fd) ?? 0) !== 0
}

/** Null where it has been closed meanwhile. */
function accessOf(pid: string, fd: string): number | null {
  const facts = textOrNull(() => readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1')) ?? ''
  const flags = /^flags:\s*([0-7]+)/m.exec(facts)?.[1]
  return flags === undefined ? null : Number.parseInt(flags, 8) & accessMode
}

/** Nothing where it cannot be read: another user's process, or one that has ended. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function textOrNull(read: () => string): string | null {
  try {
    return read()
  } catch {
    return null
  }
}
