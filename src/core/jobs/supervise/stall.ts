/** Does the job still live? A new checkpoint, output in a file, or a change of what is watched says so. */
import type { DirectoryEntry, ReadStorage, Stat } from '../../storage/storage.js'
import { join } from 'node:path'

export class StallClock {
  private lastSign: number
  private lastLook: number
  private shown: string | null = null

  constructor(
    /** Seconds of silence after which it counts as hung. */
    private readonly limit: number,
    now: number,
  ) {
    this.lastSign = now
    this.lastLook = now
  }

  /**
   * Seconds of silence when they are too many, else null. `state` stands for all that counts as life: any other one
   * than the last is a sign. Where far more time passed since the last look than should have, the machine slept or the
   * job was suspended: that time does not count.
   */
  look(state: string, now: number): number | null {
    const slept = now - this.lastLook > this.limit / 2
    if (slept) this.lastSign += now - this.lastLook
    this.lastLook = now
    if (state !== this.shown) {
      this.shown = state
      this.lastSign = now
    }
    const silence = now - this.lastSign
    return silence >= this.limit ? silence : null
  }
}

/** Sizes and times of the files at these paths (absolute), and of the files in them where they are folders. */
export async function activityOf(storage: ReadStorage, paths: readonly string[]): Promise<string> {
  const folders = await storage.list(paths)
  const inside = paths.flatMap((path, index) => filesIn(path, folders[index]))
  const stats = await storage.stat([...paths, ...inside])
  return stats.map((stat) => (stat.ok ? stamp(stat.value) : '-')).join(' ')
}

function filesIn(
  path: string,
  listing: { ok: true; value: readonly DirectoryEntry[] } | { ok: false } | undefined,
): string[] {
  return listing?.ok === true ? listing.value.map(({ name }) => join(path, name)).sort() : []
}

function stamp({ size, modified }: Stat): string {
  return `${size}@${modified}`
}
