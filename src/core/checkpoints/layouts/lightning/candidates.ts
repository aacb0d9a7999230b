/** What can be a checkpoint in a folder, by names alone: `*.ckpt`, also in folders that a slash in a metric's name made. */
import { basename } from 'node:path'
import type { ReadStorage } from '../../../storage/storage.js'
import { prefixOf } from '../folders.js'
import type { Folder } from '../layout.js'
import { mayEndInName, suffix } from './file-name.js'

export interface LightningCandidate {
  /** Relative to the folder, with `/`. */
  readonly name: string
  /** Absolute. */
  readonly path: string
  /** Of what it is, or leads to. */
  readonly kind: 'file' | 'directory' | 'other'
  /** Where it leads to, when it is a link. */
  readonly target: string | null
}

/** As many parts as a checkpoint's name can have (load-checkpoint.ts). */
const mostParts = 3
/** Other folders beside checkpoints that are looked into: a metric's name may come first (`val/loss=0.2.ckpt`). */
const mostFolders = 256
/** Where ModelCheckpoint saves unless it is told otherwise. */
const usualFolder = 'checkpoints'

/** In no order. */
export async function findCandidates(storage: ReadStorage, folder: Folder): Promise<LightningCandidate[]> {
  const found = entriesOf(folder, '')
  const looksInto = found.length > 0 || basename(folder.path) === usualFolder
  let below = foldersIn(folder, '', (name) => mayEndInName(name) || (looksInto && isPlain(name))).slice(0, mostFolders)
  for (let parts = 2; parts <= mostParts && below.length > 0; parts += 1) {
    const listings = await storage.list(below.map((name) => prefixOf(folder.path) + name))
    const next: string[] = []
    below.forEach((name, index) => {
      const listing = listings[index]
      if (listing?.ok !== true) return
      const inside = { path: folder.path, entries: listing.value }
      found.push(...entriesOf(inside, `${name}/`))
      next.push(...foldersIn(inside, `${name}/`, mayEndInName))
    })
    below = next
  }
  return followLinks(storage, found)
}

function isPlain(name: string): boolean {
  return !/^(\.|CKPT|checkpoint|version_)/.test(name)
}

type Found = Omit<LightningCandidate, 'kind' | 'target'> & { readonly kind: LightningCandidate['kind'] | 'link' }

function entriesOf({ path, entries }: Folder, before: string): Found[] {
  return entries.flatMap(({ name, kind }) => {
    if (!name.endsWith(suffix) || name.startsWith('.')) return []
    return [{ name: before + name, path: prefixOf(path) + before + name, kind }]
  })
}

function foldersIn({ entries }: Folder, before: string, accepts: (name: string) => boolean): string[] {
  return entries
    .filter(({ name, kind }) => kind === 'directory' && !name.endsWith(suffix) && accepts(name))
    .map(({ name }) => before + name)
}

/** A link that dangles, or that leads to itself, is nothing. */
async function followLinks(storage: ReadStorage, found: readonly Found[]): Promise<LightningCandidate[]> {
  const links = found.filter(({ kind }) => kind === 'link').map(({ path }) => path)
  const [stats, targets] = [await storage.stat(links), await storage.resolve(links)]
  const known = new Map(links.map((path, index) => [path, { stat: stats[index], target: targets[index] }]))
  return found.flatMap(({ name, path, kind }): LightningCandidate[] => {
    if (kind !== 'link') return [{ name, path, kind, target: null }]
    const { stat, target } = known.get(path) ?? {}
    if (stat?.ok !== true || target?.ok !== true) return []
    const led = stat.value.kind
    return led === 'link' ? [] : [{ name, path, kind: led, target: target.value }]
  })
}
