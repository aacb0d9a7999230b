/** Checkpoints whose names have a slash in them, which made a folder of what comes before it: `val/loss=0.2.ckpt`. */
import type { DirectoryEntry, ReadStorage } from '../../../storage/storage.js'
import { prefixOf } from '../folders.js'
import type { Folder } from '../layout.js'
import type { LayoutSpec } from '../spec.js'

/** As many parts as a checkpoint's name can have (load-checkpoint.ts). */
const mostParts = 3
/** Other folders beside checkpoints that are looked into. */
const mostFolders = 256

/** What lies deeper and has a checkpoint's name, with the layout that gives such names. */
export async function findDeeper(
  storage: ReadStorage,
  folder: Folder,
  specs: readonly LayoutSpec[],
): Promise<ReadonlyMap<DirectoryEntry, LayoutSpec>> {
  const found = new Map<DirectoryEntry, LayoutSpec>()
  for (const spec of specs) {
    let level = beginningsIn(spec, folder.entries, folder.path).slice(0, mostFolders)
    for (let parts = 2; parts <= mostParts && level.length > 0; parts += 1) {
      const paths = level.map((name) => prefixOf(folder.path) + name)
      const listings = await storage.list(paths)
      const next: string[] = []
      for (const [index, above] of level.entries()) {
        const listing = listings[index]
        if (listing?.ok !== true) continue
        for (const { name, kind } of namedIn(spec, listing.value)) found.set({ name: `${above}/${name}`, kind }, spec)
        next.push(...beginningsIn(spec, listing.value, '').map((name) => `${above}/${name}`))
      }
      level = next
    }
  }
  return found
}

function namedIn({ forms }: LayoutSpec, entries: readonly DirectoryEntry[]): DirectoryEntry[] {
  return entries.filter(({ name }) => !name.startsWith('.') && forms.some((form) => form.name.test(name)))
}

/** `run` is the run's path, and empty below it: there a folder's own name must tell. */
function beginningsIn(spec: LayoutSpec, entries: readonly DirectoryEntry[], run: string): string[] {
  const { beginsName, forms } = spec
  if (beginsName === undefined) return []
  const folders = entries.filter(
    ({ name, kind }) => kind === 'directory' && !forms.some((form) => form.name.test(name)),
  )
  if (folders.length === 0) return []
  const isAmong = run !== '' && namedIn(spec, entries).length > 0
  return folders.filter(({ name }) => beginsName(name, isAmong, run)).map(({ name }) => name)
}
