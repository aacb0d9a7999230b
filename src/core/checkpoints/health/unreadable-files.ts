/** Asks the system whether every file of a checkpoint may be read, without opening any. */
import { withHealth, type Checkpoint, type Finding } from '../../checkpoint.js'
import { findingOf, listFiles, uniteFindings } from '../layouts/index.js'
import type { ReadStorage, Stat } from '../../storage/storage.js'

/** The checkpoints in order, those with a finding of which the system refuses some file or folder. */
export async function findRefused(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<Checkpoint[]> {
  const contents = await listFiles(storage, checkpoints)
  const looked: Checkpoint[] = []
  for (const checkpoint of checkpoints) {
    const { files = [], findings = [] } = contents.get(checkpoint) ?? {}
    const there = files.filter(({ stat }) => stat?.kind === 'file' && !isSurelyReadable(stat, storage.custody.user))
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

const superuser = 0
const readableByOwner = 0o400
const readableByAll = 0o444

/**
 * Whether its permissions alone say that the user may read it: a file's owner is asked for the owner's bit and nothing
 * else (POSIX.1e's access check). The superuser may be anybody to a file server, so there all must be allowed to.
 */
function isSurelyReadable({ owner, mode }: Stat, user: number | null): boolean {
  if (user === superuser) return (mode & readableByAll) === readableByAll
  return owner === user && (mode & readableByOwner) !== 0
}
