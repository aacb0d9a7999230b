/** Asks the system whether every file of a checkpoint may be read, without opening any. */
import { withHealth, type Checkpoint, type Finding } from '../../checkpoint.js'
import { batches, findingOf, listFiles, uniteFindings } from '../layouts/index.js'
import type { ReadStorage, Stat } from '../../storage/storage.js'

/** Checkpoints asked about together. */
const atOnce = 128

/** The checkpoints in order, those with a finding of which the system refuses some file or folder. */
export async function findRefused(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<Checkpoint[]> {
  const permissions = new Permissions(storage)
  const looked: Checkpoint[] = []
  for (const some of batches(checkpoints, atOnce)) looked.push(...(await findRefusedOf(storage, some, permissions)))
  return looked
}

async function findRefusedOf(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
  permissions: Permissions,
): Promise<Checkpoint[]> {
  const contents = await listFiles(storage, checkpoints)
  const looked: Checkpoint[] = []
  for (const checkpoint of checkpoints) {
    const { files = [], findings = [] } = contents.get(checkpoint) ?? {}
    const there = files.filter(({ path, stat }) => stat?.kind === 'file' && !permissions.allow(path, stat))
    if (there.length === 0 && findings.length === 0) {
      looked.push(checkpoint)
      continue
    }
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

/** Tells of files whether their permissions say for sure that the storage's user may read them. */
class Permissions {
  private readonly decideOn = new Map<bigint, boolean>()

  constructor(private readonly storage: ReadStorage) {}

  /**
   * A file's owner is asked for the owner's bit and nothing else, whatever lists there are beside it (POSIX.1e's access
   * check). Of others a list may say otherwise, and to a server even the superuser may be nobody.
   */
  allow(path: string, { owner, mode, device }: Stat): boolean {
    return owner === this.storage.custody.user && (mode & readableByOwner) !== 0 && this.decide(path, device)
  }

  private decide(path: string, device: bigint): boolean {
    const known = this.decideOn.get(device) ?? this.storage.permissionsDecide?.(path) === true
    this.decideOn.set(device, known)
    return known
  }
}

const readableByOwner = 0o400
