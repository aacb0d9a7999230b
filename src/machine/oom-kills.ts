/** How many processes of our control group the kernel has killed because memory ran out. */
import { readFileSync } from 'node:fs'
import type { OomKills } from '../core/jobs/supervise/index.js'

/**
 * From `memory.events` (cgroup v2) or `memory.oom_control` (v1) of the group that this process, and so its job, is in:
 * cgroups(7), /proc/PID/cgroup. In a container the path may be the host's, and the group is the mount itself.
 */
export function oomKills(): OomKills {
  const counts = candidates().map(countIn)
  return { group: counts.find((count) => count !== null) ?? null, machine: countIn('/proc/vmstat') }
}

function candidates(): string[] {
  const lines = (textOf('/proc/self/cgroup') ?? '').split('\n').map((line) => line.split(':'))
  const files: string[] = []
  for (const [, controllers = '', ...rest] of lines) {
    const path = rest.join(':').replace(/\/$/, '')
    if (controllers.split(',').includes('memory')) {
      files.push(
        ...['/sys/fs/cgroup/memory' + path, '/sys/fs/cgroup/memory'].map((group) => `${group}/memory.oom_control`),
      )
    } else if (controllers === '') {
      files.push(...['/sys/fs/cgroup' + path, '/sys/fs/cgroup'].map((group) => `${group}/memory.events`))
    }
  }
  return files
}

function countIn(file: string): number | null {
  const count = /^oom_kill (\d+)$/m.exec(textOf(file) ?? '')?.[1]
  return count === undefined ? null : Number(count)
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}
