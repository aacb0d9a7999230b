/** Can every file of a checkpoint be read? One byte of each tells. */
import { withHealth, type Checkpoint, type Finding } from '../../checkpoint.js'
import { StorageError } from '../../errors.js'
import { findingOf, listFiles, ScanTree, uniteFindings } from '../layouts/index.js'
import { sourceOf, withFile } from '../../storage/file-source.js'
import type { ReadStorage } from '../../storage/storage.js'

/** The checkpoints in order, those with a finding of which the system refuses some file or folder. */
export async function findRefused(remembering: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<Checkpoint[]> {
  const storage = ScanTree.readingFiles(remembering)
  const contents = await listFiles(storage, checkpoints)
  const looked: Checkpoint[] = []
  for (const checkpoint of checkpoints) {
    const { files = [], findings = [] } = contents.get(checkpoint) ?? {}
    const refused: Finding[] = [...findings]
    for (const { name, path, stat } of files) {
      if (stat?.kind === 'file') refused.push(...(await refusalOf(storage, name, path)))
    }
    const unreadable = refused.filter(({ grade }) => grade === 'unreadable')
    const { level, findings: known } = checkpoint.health
    looked.push(unreadable.length === 0 ? checkpoint : withHealth(checkpoint, level, uniteFindings(known, unreadable)))
  }
  return looked
}

async function refusalOf(storage: ReadStorage, name: string, path: string): Promise<Finding[]> {
  try {
    await withFile(storage, path, (handle) => sourceOf(handle).read(0, 1))
    return []
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    const finding = findingOf(error, name)
    return finding === null ? [] : [finding]
  }
}
