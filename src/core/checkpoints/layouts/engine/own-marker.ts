/** A file of one's own that is written last (`complete:` at the top of ckpt.yaml), whatever the framework. */
import { healthFrom, type Checkpoint } from '../../../checkpoint.js'
import type { ReadStorage } from '../../../storage/storage.js'
import { compareText } from '../folders.js'

/** Its name in a checkpoint that is a folder; of any other checkpoint, what comes after the checkpoint's own name. */
export type OwnMarker = string

/** A checkpoint without such a file is unfinished. Beside a checkpoint that is no folder the file becomes a member. */
export async function withOwnMarkers(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
  marker: OwnMarker,
): Promise<Checkpoint[]> {
  const paths = checkpoints.map(({ kind, path }) => path + (kind === 'directory' ? '/' : '') + marker)
  const stats = await storage.lstat(paths)
  const done = new Set(checkpoints.flatMap(({ name }, index) => (stats[index]?.ok === true ? [name] : [])))
  return checkpoints.map((one, index) => {
    const { name, sameAs = name, kind, members, health } = one
    if (done.has(name)) {
      const path = paths[index]
      if (kind === 'directory' || path === undefined) return one
      const all = [...members, { path, kind: 'file', isMarker: true } as const]
      return { ...one, members: all.sort((a, b) => compareText(a.path, b.path)) }
    }
    // A link or a copy under another name is as finished as the checkpoint that it stands for.
    if (done.has(sameAs)) return one
    const file = kind === 'directory' ? marker : name + marker
    const reason = `${file} is not there, which ckpt.yaml says is written last`
    return { ...one, health: healthFrom(health.level, [{ grade: 'unfinished', reason }, ...health.findings]) }
  })
}
