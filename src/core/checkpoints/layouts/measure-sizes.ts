/** Sizes and times, taken for what is shown: a stat for each file costs more than reading all the metas. */
import { dirname, relative, sep } from 'node:path'
import { isParameterFile, withHealth, type Checkpoint, type Finding, type Member } from '../../checkpoint.js'
import { reasonOf, type StorageError } from '../../errors.js'
import { lookInto } from '../../storage/entries-below.js'
import { PackedLooks } from '../../storage/packed-looks.js'
import type { DirectoryEntry, FolderLook, ReadStorage, Result, Stat } from '../../storage/storage.js'
import { batches, compareText, danglingReason, findingOf, isNoFile, noFileReason } from './folders.js'
import { complete } from './scan.js'

/** Checkpoints looked at together. */
const batchSize = 128
/** Folders within folders within a checkpoint; no framework nests this deep. */
const deepest = 16

/** One file of a checkpoint, at any depth. */
export interface MeasuredFile {
  /** Relative to the checkpoint, with `/`; the checkpoint's own name when it is a file. */
  readonly name: string
  /** Absolute. */
  readonly path: string
  /** What it leads to; null when it vanished, or is a link that leads nowhere. */
  readonly stat: Stat | null
  readonly isLink: boolean
}

/**
 * The checkpoint with what `scan` left null: step and epoch out of side files, the sizes of its files, its own (everything in it; a file with several names is counted once)
 * and the time of its newest file. What vanished meanwhile stays null and becomes a finding.
 * `total` takes up what they have together.
 */
export async function measure(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
  total?: TotalSize,
): Promise<Checkpoint[]> {
  const measured: Checkpoint[] = []
  for (const batch of batches(checkpoints, batchSize)) {
    const completed = await complete(storage, batch)
    const seen = await lookAtMembers(storage, completed)
    const targets = await followLinks(storage, [...seen.values()])
    for (const checkpoint of completed) {
      const one = seen.get(checkpoint)
      if (one === undefined) continue
      const folder = plainFolder(one)
      const sizes =
        folder === null
          ? sizesOf(filesIn(checkpoint, one, targets), total, markersOf(checkpoint))
          : sizesInPlain(folder, total)
      measured.push(withSizes(checkpoint, sizes))
    }
  }
  return measured
}

/** Bytes of many checkpoints together: what has several names, or is led to by a link, counts once. */
export class TotalSize {
  #seen = new Set<string>()
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  add(stat: Stat): void {
    if (isFirst(this.#seen, stat)) this.#bytes += stat.size
  }
}

/** What lies in a checkpoint. */
export interface CheckpointFiles {
  /** Sorted by name. */
  readonly files: readonly MeasuredFile[]
  /** What could not be looked at. */
  readonly findings: readonly Finding[]
}

/** All files of each checkpoint, those in its folders too. Links to folders are not followed. */
export async function listFiles(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
): Promise<Map<Checkpoint, CheckpointFiles>> {
  const seen = await lookAtMembers(storage, checkpoints)
  const targets = await followLinks(storage, [...seen.values()])
  return new Map(
    [...seen].map(([checkpoint, one]) => {
      const folder = plainFolder(one)
      return [checkpoint, folder === null ? filesIn(checkpoint, one, targets) : filesInPlain(folder)]
    }),
  )
}

/** What was seen of a checkpoint. */
interface SeenMembers {
  readonly files: { readonly name: string; readonly path: string; readonly look: Result<Stat> }[]
  readonly folders: LookedFolder[]
  readonly unlisted: Finding[]
}

interface LookedFolder extends Named {
  readonly look: FolderLook
}

/** A folder of a checkpoint. */
interface Named {
  readonly checkpoint: Checkpoint
  /** Relative to the checkpoint. */
  readonly name: string
  readonly path: string
}

async function lookAtMembers(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
): Promise<ReadonlyMap<Checkpoint, SeenMembers>> {
  const seen = new Map<Checkpoint, SeenMembers>()
  const files: Named[] = []
  let folders: Named[] = []
  for (const checkpoint of checkpoints) {
    seen.set(checkpoint, { files: [], folders: [], unlisted: [] })
    for (const member of checkpoint.members) {
      const named = { checkpoint, name: nameOfMember(checkpoint, member), path: member.path }
      if (member.kind === 'file') files.push(named)
      else folders.push(named)
    }
  }
  const looks = await storage.lstat(files.map(({ path }) => path))
  for (const [index, { checkpoint, name, path }] of files.entries()) {
    const look = looks[index]
    if (look !== undefined) seen.get(checkpoint)?.files.push({ name, path, look })
  }
  for (let depth = 0; depth < deepest && folders.length > 0; depth += 1) {
    folders = await lookAtFolders(storage, folders, seen)
  }
  return seen
}

/** Gives the folders in these. */
async function lookAtFolders(
  storage: ReadStorage,
  folders: readonly Named[],
  seen: ReadonlyMap<Checkpoint, SeenMembers>,
): Promise<Named[]> {
  const looks = await lookInto(
    storage,
    folders.map(({ path }) => path),
  )
  const below: Named[] = []
  for (const [index, folder] of folders.entries()) {
    const look = looks[index]
    const one = seen.get(folder.checkpoint)
    if (look?.ok === false) one?.unlisted.push(unlistedFinding(folder.name, look.error))
    if (look?.ok !== true) continue
    one?.folders.push({ ...folder, look: look.value })
    for (const { name, kind } of look.value.entries) {
      if (kind !== 'directory') continue
      below.push({ checkpoint: folder.checkpoint, name: nameIn(folder, name), path: folder.path + sep + name })
    }
  }
  return below
}

/** What the links among them lead to, by their paths. Of all else both looks agree. */
async function followLinks(
  storage: ReadStorage,
  seen: readonly SeenMembers[],
): Promise<ReadonlyMap<string, Result<Stat>>> {
  const links: string[] = []
  for (const { files, folders } of seen) {
    for (const { path, look } of files) if (isLink(look)) links.push(path)
    for (const { path, look } of folders) {
      if (look.looks instanceof PackedLooks && look.looks.areFiles) continue
      for (const [index, entry] of look.entries.entries()) {
        if (isLink(look.looks.at(index))) links.push(path + sep + entry.name)
      }
    }
  }
  if (links.length === 0) return noTargets
  const stats = await storage.stat(links)
  return new Map(
    links.flatMap((path, index): [string, Result<Stat>][] => {
      const stat = stats[index]
      return stat === undefined ? [] : [[path, stat]]
    }),
  )
}

const noTargets: ReadonlyMap<string, Result<Stat>> = new Map()

function filesIn(
  checkpoint: Checkpoint,
  seen: SeenMembers,
  targets: ReadonlyMap<string, Result<Stat>>,
): CheckpointFiles {
  const contents = emptyContents()
  for (const { name, path, look } of seen.files)
    addFile(contents, checkpoint, { name, path, isLink: false }, look, targets)
  for (const folder of seen.folders) {
    const { entries, looks } = folder.look
    for (const [index, entry] of entries.entries()) {
      const look = looks.at(index) ?? null
      if (look === null) continue
      const file = {
        name: nameIn(folder, entry.name),
        path: folder.path + sep + entry.name,
        isLink: entry.kind === 'link',
      }
      addFile(contents, checkpoint, file, look, targets)
    }
  }
  contents.findings.push(...seen.unlisted)
  contents.files.sort((a, b) => compareText(a.name, b.name))
  return contents
}

function addFile(
  contents: ReturnType<typeof emptyContents>,
  checkpoint: Checkpoint,
  { name, path, isLink: leads }: Omit<MeasuredFile, 'stat'>,
  look: Result<Stat>,
  targets: ReadonlyMap<string, Result<Stat>>,
): void {
  const result = isLink(look) ? (targets.get(path) ?? look) : look
  const stat = result.ok ? result.value : null
  if (stat?.kind === 'directory') return
  const file = { name, path, stat, isLink: leads }
  contents.files.push(file)
  if (!result.ok) contents.findings.push(goneFinding(file, result.error))
  else if (isNoFile(result.value) && checkpoint.kind !== 'file' && isParameterFile(checkpoint, path)) {
    // Of a checkpoint that is one file, its layout has reported what is in that file's place.
    contents.findings.push({ grade: 'corrupt', file: name, reason: noFileReason })
  }
}

function isLink(look: Result<Stat> | null | undefined): boolean {
  return look?.ok === true && look.value.kind === 'link'
}

function emptyContents(): { files: MeasuredFile[]; findings: Finding[] } {
  return { files: [], findings: [] }
}

/**
 * The checkpoint's own name when it is one file; nothing before the names in its folder; what lies beside has its own, with
 * the folder that it may lie in.
 */
function nameOfMember({ kind, name, path: own }: Checkpoint, { path }: Member): string {
  if (kind === 'group' || path !== own) return relative(dirname(own), path)
  return kind === 'file' ? name : ''
}

function unlistedFinding(name: string, error: StorageError): Finding {
  const file = name === '' ? undefined : name
  return (
    findingOf(error, file) ?? { grade: 'partial', reason: reasonOf(error), ...(file === undefined ? {} : { file }) }
  )
}

function nameIn(folder: Named, name: string): string {
  return folder.name === '' ? name : `${folder.name}/${name}`
}

/** What the files of a checkpoint come to. */
interface Sizes {
  /** Bytes of a parameter file, of a folder's what is in it; null where there is nothing. */
  readonly of: (path: string) => number | null
  readonly total: number | null
  readonly newest: number | null
  readonly findings: readonly Finding[]
}

/** The folder that is all of a checkpoint, where everything in it is a file, as in most. */
function plainFolder({ files, folders, unlisted }: SeenMembers): PlainFolder | null {
  const [folder] = folders
  if (files.length > 0 || unlisted.length > 0 || folders.length !== 1 || folder === undefined) return null
  const { entries, looks } = folder.look
  const isPlain = folder.name === '' && entries.length > 0 && looks instanceof PackedLooks && looks.areFiles
  return isPlain ? { path: folder.path, entries, looks } : null
}

interface PlainFolder {
  readonly path: string
  readonly entries: readonly DirectoryEntry[]
  readonly looks: PackedLooks
}

function filesInPlain({ path: folder, entries, looks }: PlainFolder): CheckpointFiles {
  const files: MeasuredFile[] = []
  for (const at of byName(entries)) {
    const name = entries[at]?.name
    const look = looks.at(at)
    if (name !== undefined && look?.ok === true) {
      files.push({ name, path: folder + sep + name, stat: look.value, isLink: entries[at]?.kind === 'link' })
    }
  }
  return { files, findings: [] }
}

/** By listing, the places of its entries in the order of their names. */
const orders = new WeakMap<readonly DirectoryEntry[], readonly number[]>()

function byName(entries: readonly DirectoryEntry[]): readonly number[] {
  const known = orders.get(entries)
  if (known !== undefined) return known
  const named = entries.map(({ name }, index) => ({ name, index }))
  const order = named.sort((a, b) => compareText(a.name, b.name)).map(({ index }) => index)
  orders.set(entries, order)
  return order
}

function sizesInPlain({ path: folder, entries, looks }: PlainFolder, together: TotalSize | undefined): Sizes {
  const seen = new Set<string>()
  let total = 0
  let newest = -Infinity
  for (let index = 0; index < looks.length; index += 1) {
    newest = Math.max(newest, looks.modifiedAt(index))
    const look = together === undefined && looks.linksAt(index) <= 1 ? null : looks.at(index)
    if (look?.ok === true) together?.add(look.value)
    if (look?.ok !== true || look.value.links <= 1 || isFirst(seen, look.value)) total += looks.sizeAt(index)
  }
  const positions = positionsIn(entries)
  const prefix = folder + sep
  const sizeOf = (path: string): number | null => {
    const at = path.startsWith(prefix) ? positions.get(path.slice(prefix.length)) : undefined
    return at === undefined ? null : looks.sizeAt(at)
  }
  return { of: sizeOf, total, newest, findings: [] }
}

/** By listing, which thousands of checkpoints may share, where each name stands in it. */
const positionsByListing = new WeakMap<readonly DirectoryEntry[], ReadonlyMap<string, number>>()

function positionsIn(entries: readonly DirectoryEntry[]): ReadonlyMap<string, number> {
  const known = positionsByListing.get(entries)
  if (known !== undefined) return known
  const positions = new Map(entries.map(({ name }, index) => [name, index]))
  positionsByListing.set(entries, positions)
  return positions
}

/** Absolute paths of what tells no time of the save. */
function markersOf({ members }: Checkpoint): ReadonlySet<string> {
  return members.length === 1 ? noMarkers : new Set(members.flatMap((one) => (one.isMarker === true ? [one.path] : [])))
}

const noMarkers: ReadonlySet<string> = new Set()

function sizesOf(
  { files, findings }: CheckpointFiles,
  together: TotalSize | undefined,
  markers: ReadonlySet<string>,
): Sizes {
  const sizes = new Map<string, number>()
  const seen = new Set<string>()
  let total = 0
  let newest: number | null = null
  for (const { path, stat } of files) {
    if (stat === null) continue
    sizes.set(path, stat.size)
    together?.add(stat)
    if (!markers.has(path)) newest = Math.max(newest ?? stat.modified, stat.modified)
    if (stat.links > 1 && !isFirst(seen, stat)) continue
    total += stat.size
  }
  let folders: ReadonlyMap<string, number> | undefined
  return {
    of: (path) => sizes.get(path) ?? (folders ??= sizesOfFolders(sizes)).get(path) ?? null,
    total: files.length === 0 ? null : total,
    newest,
    findings,
  }
}

function withSizes(checkpoint: Checkpoint, { of: sizeOf, total, newest, findings }: Sizes): Checkpoint {
  const files = checkpoint.files.map((file) => ({ ...file, size: sizeOf(file.path) }))
  const measured = { ...checkpoint, files, size: total, modified: newest }
  if (findings.length === 0) return measured
  return withHealth(measured, checkpoint.health.level, uniteFindings(checkpoint.health.findings, findings))
}

function isFirst(seen: Set<string>, stat: Stat): boolean {
  const identity = `${stat.device}:${stat.inode}`
  if (seen.has(identity)) return false
  seen.add(identity)
  return true
}

/** A parameter "file" may be a folder: the sum of what is in each folder, at any depth. */
function sizesOfFolders(sizes: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const folders = new Map<string, number>()
  for (const [path, size] of sizes) {
    for (let end = path.lastIndexOf(sep); end > 0; end = path.lastIndexOf(sep, end - 1)) {
      const folder = path.slice(0, end)
      folders.set(folder, (folders.get(folder) ?? 0) + size)
    }
  }
  return folders
}

/** What a file that is listed and cannot be reached means for its checkpoint. */
function goneFinding(file: MeasuredFile, error: StorageError | undefined): Finding {
  const refused = error === undefined ? null : findingOf(error, file.name)
  if (refused !== null) return refused
  const reason = file.isLink ? danglingReason : 'vanished while it was looked at'
  return { grade: 'partial', file: file.name, reason }
}

/** Findings of one grade that are reported one by one. */
const mostFindings = 100

/**
 * All findings; of several about one file and of one grade the first, which is the most exact one known. Of very many
 * the first are reported, and how many more there are.
 */
export function uniteFindings(...lists: readonly (readonly Finding[])[]): Finding[] {
  if (lists.every(({ length }) => length === 0)) return []
  const united = new Map<string, Finding>()
  for (const list of lists) {
    for (const finding of list) {
      const matter = matterOf(finding)
      if (!united.has(matter)) united.set(matter, finding)
    }
  }
  return united.size <= mostFindings ? [...united.values()] : summedUp([...united.values()])
}

function matterOf({ grade, file, reason }: Finding): string {
  return file === undefined ? `${grade} ${reason}` : `${grade}/${file}`
}

function summedUp(findings: readonly Finding[]): Finding[] {
  const grades = [...new Set(findings.map(({ grade }) => grade))]
  return grades.flatMap((grade): Finding[] => {
    const all = findings.filter((finding) => finding.grade === grade)
    const more = all.length - mostFindings
    return more > 0 ? [...all.slice(0, mostFindings), { grade, reason: `and ${more} more findings of this kind` }] : all
  })
}
