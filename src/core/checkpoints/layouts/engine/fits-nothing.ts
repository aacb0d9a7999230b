/** Folders of files of which no name fits: most of a disk's, and passed over without asking any layout. */
import type { DirectoryEntry } from '../../../storage/storage.js'
import { prefixOf } from '../folders.js'
import type { Folder } from '../layout.js'
import type { LayoutSpec } from '../spec.js'
import { gateOf, type Fit } from './candidates.js'
import { strengthByNames, unitOf } from './claims.js'

/** By listing, which folders side by side may share. */
const known = new WeakMap<readonly LayoutSpec[], WeakSet<readonly DirectoryEntry[]>>()

/**
 * True where names alone tell that the folder holds no checkpoint. Only of files: what lies in a folder, or behind a
 * link, its name does not tell.
 */
export function fitsNothing(folder: Folder, specs: readonly LayoutSpec[]): boolean {
  const { entries } = folder
  const found = known.get(specs) ?? new WeakSet<readonly DirectoryEntry[]>()
  if (found.has(entries)) return true
  const gate = gateOf(specs).files
  for (const { name, kind } of entries) {
    if (kind === 'directory' || kind === 'link') return false
    const shapes = gate.find(name)
    if (shapes === null) continue
    if (shapes.groups.some(({ form }) => form.name.test(name))) return false
    if (shapes.files.some((fit) => fit.form.name.test(name) && mayBe(name, fit, folder))) return false
  }
  known.set(specs, found.add(entries))
  return true
}

/** False for a name that counts beside others alone, which are not there. */
function mayBe(name: string, fit: Fit, folder: Folder): boolean {
  const path = prefixOf(folder.path) + name
  const candidate = { name, path, kind: 'file', entries: [], finding: null, odd: new Map(), target: null } as const
  return strengthByNames(unitOf(candidate, fit, folder)) !== null
}
