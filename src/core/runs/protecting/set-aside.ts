/** Marking checkpoints from which starts make no progress, and what that means for choosing. */
import { timeOf, type Checkpoint, type Run } from '../../checkpoint.js'
import { measure } from '../../checkpoints/layouts/index.js'
import {
  readKnownElsewhere,
  readSetAside,
  stateFolderOf,
  writeSetAside,
  type LockOptions,
  type SetAside,
} from '../../changes/state/index.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import { holding } from './holding.js'
import { readIfAllowed, type StateLocation } from '../opening/run-with-state.js'

/** By the checkpoint's name, of those marked and still the same, in words. Throws CkptError `damaged`, StorageError. */
export async function setAsideReasons(
  storage: ReadStorage,
  run: Run,
  stateLocation: StateLocation,
): Promise<ReadonlyMap<string, string>> {
  const state = await stateFolderOf(storage, run.path, stateLocation.stateDirectory)
  const own = (await readIfAllowed(storage, run, () => readSetAside(storage, state))) ?? []
  const others = await readKnownElsewhere(storage, state, (other) => readSetAside(storage, other))
  const marks = [...others.flatMap(({ value }) => value), ...own]
  if (marks.length === 0) return new Map()
  const marked = new Map(marks.map((mark) => [mark.name, mark]))
  const there = await measure(
    storage,
    run.checkpoints.filter(({ name }) => marked.has(name)),
  )
  return new Map(
    there.flatMap((checkpoint) => {
      const mark = marked.get(checkpoint.name)
      if (mark?.saved !== timeOf(checkpoint)) return []
      return [[checkpoint.name, `set aside: ${mark.starts} starts from it saved no new checkpoint`]]
    }),
  )
}

/** Throws CkptError `refused` when that cannot be remembered. */
export async function setAside(
  storage: Storage,
  checkpoint: Checkpoint,
  starts: number,
  options: LockOptions & StateLocation,
): Promise<void> {
  const [measured] = await measure(storage, [checkpoint])
  const mark = { name: checkpoint.name, saved: timeOf(measured ?? checkpoint), starts, time: options.now() }
  await changeMarks(storage, checkpoint.run, options, (marks) => [
    ...marks.filter(({ name }) => name !== mark.name),
    mark,
  ])
}

/** Takes marks away. */
export async function takeBack(
  storage: Storage,
  run: string,
  names: readonly string[],
  options: LockOptions & StateLocation,
): Promise<void> {
  await changeMarks(storage, run, options, (marks) => marks.filter(({ name }) => !names.includes(name)))
}

async function changeMarks(
  storage: Storage,
  run: string,
  options: LockOptions & StateLocation,
  change: (marks: readonly SetAside[]) => readonly SetAside[],
): Promise<void> {
  const state = await stateFolderOf(storage, run, options.stateDirectory)
  await holding(storage, state, options, 'a checkpoint set aside', async () => {
    await writeSetAside(storage, state, change(await readSetAside(storage, state)))
  })
}
