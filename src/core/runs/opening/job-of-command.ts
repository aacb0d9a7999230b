/** Which of several jobs below one folder a command is, by what the folder's journal says of its last start. */
import { attemptsOf, readJournal } from '../../changes/journal/index.js'
import { stateFolderOf } from '../../changes/state/index.js'
import { CkptError } from '../../errors.js'
import type { ReadStorage } from '../../storage/storage.js'
import { tellingWords } from './job-identity.js'
import type { StateLocation } from './run-with-state.js'

/**
 * The newest checkpoint that the command's last start saved, else the one that it began from: its name as seen from
 * `root`. Null where no start of it is known, it is of nothing, or the journal cannot be read.
 */
export async function lastOfCommand(
  storage: ReadStorage,
  root: string,
  command: readonly string[],
  { stateDirectory }: StateLocation,
): Promise<string | null> {
  try {
    const { entries } = await readJournal(storage, await stateFolderOf(storage, root, stateDirectory))
    const last = attemptsOf(entries).findLast(({ start }) => isSameCommand(start.command, command))
    return last?.checkpoints.at(-1)?.name ?? last?.start.checkpoint ?? null
  } catch (error) {
    if (error instanceof CkptError) return null
    throw error
  }
}

function isSameCommand(one: readonly string[], another: readonly string[]): boolean {
  const [words, others] = [tellingWords(one), tellingWords(another)]
  return words.length === others.length && words.every((word, index) => word === others[index])
}
