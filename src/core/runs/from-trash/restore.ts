/** Out of the trash, and back into the framework's pointer files. */
import { join } from 'node:path'
import { isSound, timeOf, type Checkpoint, type Run } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import {
  pointerFilesOf,
  emptyPointerFile,
  listingAgain,
  measure,
  nameableOf,
  namingInstead,
  ruleOf,
  type PointerChange,
} from '../../checkpoints/layouts/index.js'
import { byRecency } from '../../choosing/selection/index.js'
import type { ReplaceOptions } from '../../changes/publish/index.js'
import type { StateFolder, TrashEntry } from '../../changes/state/index.js'
import type { Storage } from '../../storage/storage.js'
import { restore } from '../../changes/trash/index.js'
import { toPointed, writePointerFile, type Pointed } from '../pruning/update-pointers.js'
import { examineOne, openRunIfAny } from '../opening/open-run.js'

export interface Restored {
  /** Absolute. */
  readonly path: string
  /** Books of the framework that name it again. */
  readonly pointed: readonly Pointed[]
}

/**
 * Gives it its name back, and has those pointer files name it again that named it when it went, unless they name something newer
 * by now. Under the run's lock. Throws as `restore`; what cannot be written in the pointer files is left.
 */
export async function restoreAndName(
  storage: Storage,
  run: string,
  state: StateFolder,
  entry: TrashEntry,
  options: ReplaceOptions,
): Promise<Restored> {
  const path = await restore(storage, run, state, entry)
  if (entry.namedBy.length === 0) return { path, pointed: [] }
  const pointed: Pointed[] = []
  for (const { change, now } of await changesFor(storage, run, entry, options)) {
    if (await wasWritten(storage, now, change, options)) pointed.push(toPointed(change))
  }
  return { path, pointed }
}

async function wasWritten(
  storage: Storage,
  run: Run,
  change: PointerChange,
  options: ReplaceOptions,
): Promise<boolean> {
  try {
    return await writePointerFile(storage, run, change, options)
  } catch (error) {
    if (error instanceof CkptError) return false
    throw error
  }
}

async function changesFor(storage: Storage, path: string, entry: TrashEntry, { stateDirectory }: ReplaceOptions) {
  const now = await openRunIfAny(storage, path, { stateDirectory })
  const restored = now?.checkpoints.find(({ name }) => name === entry.name)
  if (now?.path !== path || restored === undefined) return []
  const examined = await examineOne(storage, now.checkpoints, restored, 'quick')
  if (!isSound(examined)) return []
  const [measured = restored] = await measure(storage, [restored])
  const next = { ...nameableOf(restored), time: timeOf(measured) }
  const pointerFiles =
    (await pointerFilesOf(storage, now)).find(({ layout }) => layout === restored.layout)?.pointerFiles ?? []
  const { ordered } = byRecency(await measure(storage, now.checkpoints))
  return entry.namedBy.flatMap((file) => {
    const rule = ruleOf(restored.layout, file)
    if (rule === undefined) return []
    const pointerFile =
      pointerFiles.find((one) => one.path === join(path, file)) ?? emptyPointerFile(rule, join(path, file))
    if (pointerFile.names === restored.name) return []
    const change = isNewer(ordered, restored.name, pointerFile.names)
      ? namingInstead(pointerFile, next)
      : listingAgain(pointerFile, next)
    return change === null ? [] : [{ change, now }]
  })
}

function isNewer(ordered: readonly Checkpoint[], name: string, other: string | null): boolean {
  const rankOf = (wanted: string | null) => ordered.findIndex((one) => one.name === wanted)
  return other === null || rankOf(other) === -1 || rankOf(name) < rankOf(other)
}
