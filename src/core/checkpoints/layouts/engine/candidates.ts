/** What in a folder may be a checkpoint: by names alone, then listed, in batches. */
import { sep } from 'node:path'
import type { Finding } from '../../../checkpoint.js'
import type { DirectoryEntry, ReadStorage } from '../../../storage/storage.js'
import { compareNatural } from '../../../formats/text/natural-order.js'
import { addTo } from '../../../grouped.js'
import { compareText, findingOf, findNoFiles, foldersOfTools, prefixOf } from '../folders.js'
import type { Folder } from '../layout.js'
import type { Form, LayoutSpec } from '../spec.js'
import { joinRenamed, type Joined } from './joined-by-main.js'
import { findDeeper } from './names-with-slashes.js'
import { NameGate } from './name-gate.js'
import type { UnclaimedUnit } from './unit-paths.js'

/** A shape that a name fits, and whose it is. */
export interface Fit {
  readonly spec: LayoutSpec
  readonly form: Form
}

/** A name of the folder, and what it may be. */
export interface Named {
  readonly name: string
  readonly kind: UnclaimedUnit['kind']
  /** All of its kind that may fit; those whose name does not are passed over when they are asked. */
  readonly fits: readonly Fit[]
  /** Of a group the files' names; else none. */
  readonly parts: readonly DirectoryEntry[]
  readonly target: string | null
  /** A pipe, a socket or a device under the name of a file. */
  readonly isNoFile: boolean
}

interface Target {
  readonly kind: 'directory' | 'file' | 'other'
  /** Absolute; null for what is not a link. */
  readonly path: string | null
}

/** The shapes of layouts by what they are of. */
interface Kinds {
  readonly folders: readonly Fit[]
  readonly files: readonly Fit[]
  readonly groups: readonly Fit[]
}

interface Shapes extends Kinds {
  /** Those that a link may have too. */
  readonly ofLinks: Kinds
}

interface Gate {
  readonly folders: Shapes
  /** By the name of a file the shapes that it may have, of files and of groups; of few in a tree of other things. */
  readonly files: NameGate<Fit, Shapes>
}

/** Sorted out once: thousands of folders are asked for the same. */
const sortedOut = new WeakMap<readonly LayoutSpec[], Gate>()

export function gateOf(specs: readonly LayoutSpec[]): Gate {
  const known = sortedOut.get(specs)
  if (known !== undefined) return known
  const fits = specs.flatMap((spec) => spec.forms.map((form): Fit => ({ spec, form })))
  const [folders, others] = [fits.filter(isOfFolder), fits.filter((fit) => !isOfFolder(fit))]
  const gate = { folders: shapesOf(folders), files: new NameGate(others, ({ form }) => form.name, shapesOf) }
  sortedOut.set(specs, gate)
  return gate
}

function isOfFolder({ form }: Fit): boolean {
  return form.kind === 'folder'
}

function shapesOf(fits: readonly Fit[]): Shapes {
  return { ...kindsOf(fits), ofLinks: kindsOf(fits.filter(({ form }) => form.isNoLink !== true)) }
}

function kindsOf(fits: readonly Fit[]): Kinds {
  const of = (kind: Form['kind']): Fit[] => fits.filter(({ form }) => form.kind === kind)
  return { folders: of('folder'), files: of('file'), groups: of('group') }
}

/** Names that fit, sorted. */
export async function findNamed(storage: ReadStorage, folder: Folder, specs: readonly LayoutSpec[]): Promise<Named[]> {
  const deeper = await findDeeper(storage, folder, specs)
  const entries = deeper.size === 0 ? folder.entries : [...folder.entries, ...deeper.keys()]
  const targets = await followLinks(storage, folder.path, entries)
  const gate = gateOf(specs)
  const found: Named[] = []
  const joined = new Map<string, Joined>()
  for (const entry of entries) {
    const { name } = entry
    const target = targets.get(name)
    const is = target?.kind ?? entry.kind
    const shapes = is === 'directory' ? gate.folders : gate.files.find(name)
    if (shapes === null) continue
    if (is === 'link' || name.startsWith('.') || foldersOfTools.has(name)) continue
    const owner = deeper.get(entry)
    const mine = target === undefined ? shapes : shapes.ofLinks
    if (is !== 'directory' && owner === undefined) join(joined, mine.groups, entry)
    const all = is === 'directory' ? mine.folders : mine.files
    const among = owner === undefined ? all : all.filter(({ spec }) => spec === owner)
    if (!among.some(({ form }) => form.name.test(name))) continue
    const kind = is === 'directory' ? 'folder' : 'file'
    found.push({ name, kind, fits: among, parts: [], target: target?.path ?? null, isNoFile: is === 'other' })
  }
  const groupsFound = (await joinRenamed(storage, folder, [...joined.values()])).filter(mayStand)
  const owned = groupsFound.flatMap((group) => (isOwned(group) ? group.parts : []))
  const names = new Set(owned.map(({ name }) => name))
  const alone = names.size === 0 ? found : found.filter(({ name }) => !names.has(name))
  return [...alone, ...groupsFound.map(toNamed)].sort((a, b) => compareNatural(a.name, b.name))
}

function isOwned(group: Joined): boolean {
  return group.fit.form.ownedByMain === true && hasMain(group)
}

function mayStand(group: Joined): boolean {
  const { withoutMain } = group.fit.form
  return withoutMain === undefined || hasMain(group) || withoutMain(group.parts.map(({ name }) => name))
}

function hasMain({ fit: { form }, parts, renamed }: Joined): boolean {
  return [...parts, ...renamed].some(({ name }) => form.main?.test(name) === true)
}

function join(joined: Map<string, Joined>, groups: readonly Fit[], entry: DirectoryEntry): void {
  for (const fit of groups) {
    const groups = fit.form.name.exec(entry.name)?.groups
    if (groups === undefined) continue
    const key = `${fit.spec.id}\n${fit.spec.forms.indexOf(fit.form)}\n${groups['unit'] ?? ''}\n${groups['tail'] ?? ''}`
    const known = joined.get(key)
    if (known === undefined) joined.set(key, { fit, parts: [entry], renamed: [] })
    else known.parts.push(entry)
  }
}

/** Its own name first, which tells what it is of. */
function toNamed({ fit: { spec, form }, parts, renamed }: Joined): Named {
  const byName = (entries: readonly DirectoryEntry[]) => [...entries].sort((a, b) => compareText(a.name, b.name))
  const sorted = [...byName(parts), ...byName(renamed)]
  const [first] = sorted
  const { main, name: pattern } = form
  const named = main === undefined ? undefined : sorted.find(({ name }) => main.test(name))?.name
  const unit = first === undefined ? undefined : pattern.exec(first.name)?.groups?.['unit']
  const own = main === undefined ? unit : (named ?? first?.name)
  return { name: own ?? '', kind: 'group', fits: [{ spec, form }], parts: sorted, target: null, isNoFile: false }
}

/** By name, where the folder's links lead; one that leads nowhere is left as it is. */
async function followLinks(
  storage: ReadStorage,
  folder: string,
  entries: readonly DirectoryEntry[],
): Promise<ReadonlyMap<string, Target>> {
  const links = entries.filter(({ kind }) => kind === 'link')
  if (links.length === 0) return new Map()
  const paths = links.map(({ name }) => prefixOf(folder) + name)
  const [stats, resolved] = [await storage.stat(paths), await storage.resolve(paths)]
  return new Map(
    links.flatMap(({ name }, index): [string, Target][] => {
      const [stat, path] = [stats[index], resolved[index]]
      if (stat?.ok !== true || path?.ok !== true || stat.value.kind === 'link') return []
      return [[name, { kind: stat.value.kind, path: path.value }]]
    }),
  )
}

/** The candidates in order, each listed; null for one that is not there any more. */
export async function listCandidates(
  storage: ReadStorage,
  folder: Folder,
  batch: readonly Named[],
): Promise<readonly (UnclaimedUnit | null)[]> {
  const prefix = prefixOf(folder.path)
  const folders: string[] = []
  for (const { kind, name } of batch) if (kind === 'folder') folders.push(prefix + name)
  const listings = await storage.list(folders)
  const candidates: (UnclaimedUnit | null)[] = []
  let next = 0
  for (const { name, kind, parts, target, isNoFile } of batch) {
    if (kind !== 'folder') {
      const finding = isNoFile ? pipeFinding : null
      candidates.push({ name, path: prefix + name, kind, entries: parts, finding, odd: noneOdd, target })
      continue
    }
    // The very text that was listed: in one piece already.
    const path = folders[next] ?? ''
    const listing = listings[next]
    next += 1
    const finding = listing === undefined || listing.ok ? null : findingOf(listing.error)
    const entries = listing?.ok === true ? listing.value : noEntries
    const isThere = listing?.ok === true || finding !== null
    candidates.push(isThere ? { name, path, kind, entries, finding, odd: noneOdd, target } : null)
  }
  if (candidates.every((one) => one === null || one.kind === 'file' || isPlain(one.entries))) return candidates
  await lookBelow(storage, batch, candidates)
  return markOdd(storage, folder, candidates)
}

const noEntries: readonly DirectoryEntry[] = []

/** By listing, which thousands of checkpoints may share: whether all in it are files. */
const plain = new WeakMap<readonly DirectoryEntry[], boolean>()

export function isPlain(entries: readonly DirectoryEntry[]): boolean {
  let answer = plain.get(entries)
  if (answer === undefined) plain.set(entries, (answer = entries.every(({ kind }) => kind === 'file')))
  return answer
}

const noneOdd: ReadonlyMap<string, Finding> = new Map()
const pipeFinding: Finding = { grade: 'corrupt', reason: 'not a file, but a pipe, a socket or a device' }

/** Adds what is in the folders within that some form looks into. */
async function lookBelow(
  storage: ReadStorage,
  batch: readonly Named[],
  candidates: (UnclaimedUnit | null)[],
): Promise<void> {
  const wanted: { readonly index: number; readonly path: string; readonly name: string }[] = []
  batch.forEach(({ fits, name: own }, index) => {
    const candidate = candidates[index]
    if (candidate?.entries.some(({ kind }) => kind === 'directory') !== true) return
    const patterns = fits.flatMap(({ form }) => (form.below !== undefined && form.name.test(own) ? [form.below] : []))
    for (const { name, kind } of candidate.entries) {
      if (kind !== 'directory' || !patterns.some((pattern) => pattern.test(name))) continue
      wanted.push({ index, path: candidate.path + sep + name, name })
    }
  })
  const listings = await storage.list(wanted.map(({ path }) => path))
  const below = new Map<number, DirectoryEntry[]>()
  for (const [at, { index, name }] of wanted.entries()) {
    const listing = listings[at]
    if (listing?.ok !== true) continue
    for (const entry of listing.value) addTo(below, index, { name: `${name}/${entry.name}`, kind: entry.kind })
  }
  // Once for all folders in it, of which there may be thousands.
  for (const [index, inside] of below) {
    const candidate = candidates[index] ?? null
    if (candidate !== null) candidates[index] = { ...candidate, entries: candidate.entries.concat(inside) }
  }
}

/** Tells which entries lead to no file; links and special files only are looked at. */
async function markOdd(
  storage: ReadStorage,
  folder: Folder,
  candidates: readonly (UnclaimedUnit | null)[],
): Promise<readonly (UnclaimedUnit | null)[]> {
  const placed: { candidate: UnclaimedUnit; entry: DirectoryEntry; path: string }[] = []
  for (const candidate of candidates) {
    if (candidate === null || candidate.kind === 'file') continue
    for (const entry of candidate.entries) {
      if (entry.kind !== 'link' && entry.kind !== 'other') continue
      const base = candidate.kind === 'folder' ? candidate.path : folder.path
      placed.push({ candidate, entry, path: base + sep + entry.name })
    }
  }
  if (placed.length === 0) return candidates
  const findings = await findNoFiles(storage, placed)
  const odd = new Map<UnclaimedUnit, Map<string, Finding>>()
  for (const { candidate, entry, path } of placed) {
    const finding = findings.get(path)
    if (finding !== undefined)
      odd.set(candidate, (odd.get(candidate) ?? new Map<string, Finding>()).set(entry.name, finding))
  }
  return candidates.map((one) => (one === null || !odd.has(one) ? one : { ...one, odd: odd.get(one) ?? noneOdd }))
}
