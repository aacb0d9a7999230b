/** Which files processes of this machine are writing, as Linux tells below /proc; elsewhere, and of others' processes, nothing. */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { join, sep } from 'node:path'

/** O_WRONLY and O_RDWR (open(2)): the last digit of the flags. */
const writing = 0o3

/** Those of these paths (absolute) that some other process has open for writing, or something below. */
export function heldForWriting(paths: readonly string[]): ReadonlySet<string> {
  const held = new Set<string>()
  // What is told there has no links in it.
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

function isForWriting(pid: string, fd: string): boolean {
  const facts = textOrNull(() => readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1')) ?? ''
  const flags = /^flags:\s*([0-7]+)/m.exec(facts)?.[1]
  return flags !== undefined && (Number.parseInt(flags, 8) & writing) !== 0
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
