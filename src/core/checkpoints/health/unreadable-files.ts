/** Asks the system whether every file of a checkpoint may be read, without opening any. */
import { withHealth, type Checkpoint, type Finding } from '../../checkpoint.js'
import { findingOf, listFiles, uniteFindings } from '../layouts/index.js'
import type { ReadStorage } from '../../storage/storage.js'

/** The checkpoints in order, those with a finding of which the system refuses some file or folder. */
export async function findRefused(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<Checkpoint[]> {
  const contents = await listFiles(storage, checkpoints)
  const looked: Checkpoint[] = []
  for (const checkpoint of checkpoints) {
    const { files = [], findings = [] } = contents.get(checkpoint) ?? {}
    const there = files.filter(({ stat }) => stat?.kind === 'file')
    const answers = await storage.mayRead(there.map(({ path }) => path))
    const refused = there.flatMap(({ name }, index): Finding[] => {
      const answer = answers[index]
      const finding = answer?.ok === false ? findingOf(answer.error, name) : null
      return finding === null ? [] : [finding]
    })
    const unreadable = [...findings, ...refused].filter(({ grade }) => grade === 'unreadable')
    const { level, findings: known } = checkpoint.health
    looked.push(unreadable.length === 0 ? checkpoint : withHealth(checkpoint, level, uniteFindings(known, unreadable)))
  }
  return looked
}
