/** Groups by the names of their files, and by what the file says that names the others. */
import { sep } from 'node:path'
import { FormatError } from '../../../errors.js'
import type { DirectoryEntry, ReadStorage } from '../../../storage/storage.js'
import type { Folder } from '../layout.js'
import type { Form, LayoutSpec } from '../spec.js'

/** Files that by their names are one group. */
export interface Joined {
  readonly fit: { readonly spec: LayoutSpec; readonly form: Form }
  readonly parts: DirectoryEntry[]
  /** Main files of other names that name these parts. */
  readonly renamed: DirectoryEntry[]
}

/** Bytes of a main file that is read for the names in it. */
const largestMain = 64 << 20

/** A group that is its main alone joins the one whose files it names: of no use without each other, they go together. */
export async function joinRenamed(
  storage: ReadStorage,
  folder: Folder,
  groups: readonly Joined[],
): Promise<readonly Joined[]> {
  const lone = groups.filter(isMainAlone)
  if (lone.length === 0 || lone.length === groups.length) return groups
  const paths = lone.map(({ parts }) => folder.path + sep + (parts[0]?.name ?? ''))
  const texts = await storage.read(paths, largestMain)
  const gone = new Set<Joined>()
  lone.forEach((main, at) => {
    const text = texts[at]
    const named = text?.ok === true ? namesIn(main, text.value) : noNames
    const owner = groups.find(
      (group) => group.fit === main.fit && !lone.includes(group) && group.parts.some(({ name }) => named.has(name)),
    )
    if (owner === undefined) return
    owner.renamed.push(...main.parts)
    gone.add(main)
  })
  return groups.filter((group) => !gone.has(group))
}

const noNames: ReadonlySet<string> = new Set()

function isMainAlone({ fit: { form }, parts }: Joined): boolean {
  return form.namedByMain !== undefined && parts.every(({ name }) => form.main?.test(name) === true)
}

function namesIn({ fit: { form } }: Joined, main: Uint8Array): ReadonlySet<string> {
  try {
    return new Set(form.namedByMain?.(main))
  } catch (error) {
    if (error instanceof FormatError) return noNames
    throw error
  }
}
