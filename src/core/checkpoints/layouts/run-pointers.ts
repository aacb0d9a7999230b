/** The pointer files of a run: what its frameworks keep beside the checkpoints to name one of them. */
import type { Checkpoint, Run } from '../../checkpoint.js'
import type { ReadStorage } from '../../storage/storage.js'
import { isNamedBy, readPointerFiles, type PointerFile, type Nameable } from './engine/pointers.js'
import { findLayout } from './registry.js'
import type { PointerRule } from './spec.js'
import { ScanTree } from './scan-tree.js'

export type { PointerFile, Nameable } from './engine/pointers.js'
export {
  emptyPointerFile,
  listingAgain,
  namingInstead,
  withoutGoing,
  type PointerChange,
  type Successor,
} from './engine/retarget.js'

/** The pointer files of one layout, as they are now. */
export interface LayoutPointerFiles {
  readonly layout: string
  readonly pointerFiles: readonly PointerFile[]
}

/**
 * Of every layout that the run has checkpoints of. A folder that cannot be listed has none. What they name is looked at
 * anew, whatever the storage remembers: a training leads them elsewhere while it is planned what goes.
 */
export async function pointerFilesOf(
  remembering: ReadStorage,
  { path, checkpoints }: Run,
): Promise<LayoutPointerFiles[]> {
  const storage = ScanTree.lookingAgain(remembering)
  const layouts = [...new Set(checkpoints.map(({ layout }) => layout))]
  const ruled = layouts.flatMap((layout) => {
    const rules = findLayout(layout)?.pointers ?? []
    return rules.length === 0 ? [] : [{ layout, rules }]
  })
  if (ruled.length === 0) return []
  const [listing] = await storage.list([path])
  if (listing?.ok !== true) return []
  const found: LayoutPointerFiles[] = []
  for (const { layout, rules } of ruled) {
    const named = checkpoints.filter((one) => one.layout === layout).map(nameableOf)
    found.push({
      layout,
      pointerFiles: await readPointerFiles(storage, { path, entries: listing.value }, rules, named),
    })
  }
  return found
}

/** Layouts of the run whose framework names each finished save in a file beside them, and no such file is there. */
export async function layoutsWithoutPointer(
  storage: ReadStorage,
  { path, checkpoints }: Run,
): Promise<ReadonlySet<string>> {
  const [listing] = await ScanTree.lookingAgain(storage).list([path])
  if (listing?.ok !== true) return new Set()
  const without = checkpoints.filter(({ layout }) => {
    const rules = (findLayout(layout)?.pointers ?? []).filter(({ endsSave }) => endsSave === true)
    return rules.length > 0 && !listing.value.some(({ name }) => rules.some((rule) => isNamedBy(name, rule)))
  })
  return new Set(without.map(({ layout }) => layout))
}

export function nameableOf({ name, members }: Checkpoint): Nameable {
  return { name, paths: members.map(({ path }) => path) }
}

/** By which rule of the layout a file of that name is one of its pointer files; undefined where it is none. */
export function ruleOf(layout: string, file: string): PointerRule | undefined {
  return findLayout(layout)?.pointers?.find((rule) => isNamedBy(file, rule))
}
