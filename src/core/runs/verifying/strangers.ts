/** Files that are named as the checkpoints of a run are, and are something else: a pointer, a page, zeros, noise. */
import { basename, dirname } from 'node:path'
import { isDamaged, type Checkpoint, type Run } from '../../checkpoint.js'
import { FormatError, StorageError } from '../../errors.js'
import { checkHealth } from '../../checkpoints/health/index.js'
import type { SaveLeftover } from '../../checkpoints/layouts/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { loneFile, type Lone } from '../opening/lone-weights.js'

/**
 * Sorted by name: of the files whose names differ from a checkpoint's in nothing but numbers those that no layout took,
 * and that by their own bytes are none of the kind that such a name stands for. What they hold in place of a save is
 * reported, as no list of the run has them.
 */
export async function findStrangers(storage: ReadStorage, { path, checkpoints }: Run): Promise<SaveLeftover[]> {
  const series = seriesIn(checkpoints)
  const taken = new Set(checkpoints.flatMap(pathsOf))
  const folders = [...series.keys()]
  const listed = await storage.list(folders)
  const strangers: string[] = []
  for (const [at, folder] of folders.entries()) {
    const entries = listed[at]
    if (entries?.ok !== true) continue
    for (const { name, kind } of entries.value) {
      const isAlike = kind === 'file' && series.get(folder)?.has(withoutNumbers(name)) === true
      if (isAlike && !taken.has(`${folder}/${name}`)) strangers.push(`${folder}/${name}`)
    }
  }
  const found = await Promise.all(strangers.sort().map((one) => whatLiesThere(storage, path, one)))
  return found.flatMap((one) => one ?? [])
}

/** Patterns of names by the folder that they lie in, of checkpoints that are a file each. */
function seriesIn(checkpoints: readonly Checkpoint[]): Map<string, Set<string>> {
  const series = new Map<string, Set<string>>()
  for (const { kind, path } of checkpoints) {
    if (kind !== 'file') continue
    const patterns = series.get(dirname(path)) ?? new Set<string>()
    series.set(dirname(path), patterns.add(withoutNumbers(basename(path))))
  }
  return series
}

function withoutNumbers(name: string): string {
  return name.replace(/\d+/g, '#')
}

function pathsOf({ path, members, files }: Checkpoint): string[] {
  return [path, ...members.map((one) => one.path), ...files.map((one) => one.path)]
}

async function whatLiesThere(storage: ReadStorage, run: string, path: string): Promise<SaveLeftover | null> {
  const lone = await loneIfReadable(storage, path)
  if (lone === null) return null
  const [graded] = await checkHealth(storage, [lone.checkpoint], [lone.checkpoint], 'quick')
  if (graded === undefined || !isDamaged(graded)) return null
  const reason = graded.health.findings[0]?.reason ?? 'no checkpoint'
  return { name: path.slice(run.length + 1), path, reason: `no checkpoint, though named as one: ${reason}` }
}

/** Null too for a file that is gone by now, or that the system refuses to read: that says nothing of what it is. */
async function loneIfReadable(storage: ReadStorage, path: string): Promise<Lone | null> {
  try {
    return await loneFile(storage, path)
  } catch (error) {
    if (error instanceof StorageError || error instanceof FormatError) return null
    throw error
  }
}
