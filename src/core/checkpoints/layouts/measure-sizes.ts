/** Sizes and times, taken for what is shown: a stat for each file costs more than reading all the metas. */
import { basename, sep } from 'node:path'
import { isParameterFile, withHealth, type Checkpoint, type Finding, type Member } from '../../checkpoint.js'
import { reasonOf, type StorageError } from '../../errors.js'
import type { DirectoryEntry, ReadStorage, Result, Stat } from '../../storage/storage.js'
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
    const files = await listFiles(storage, completed)
    for (const checkpoint of completed)
      measured.push(withSizes(checkpoint, files.get(checkpoint) ?? emptyContents(), total))
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
  const { files, findings } = await listNames(storage, checkpoints)
  const stats = await lookAt(
    storage,
    files.map((file) => file.path),
  )
  const found = new Map(checkpoints.map((checkpoint) => [checkpoint, emptyContents()]))
  files.forEach((file, index) => {
    const result = stats[index]
    const stat = result?.ok === true ? result.value : null
    if (stat?.kind === 'directory') return
    const one = { name: file.name, path: file.path, stat, isLink: file.isLink }
    const contents = found.get(file.checkpoint)
    contents?.files.push(one)
    if (result?.ok !== true) contents?.findings.push(goneFinding(one, result?.error))
    else if (isNoFile(result.value) && file.checkpoint.kind !== 'file' && isParameterFile(file.checkpoint, file.path)) {
      // Of a checkpoint that is one file, its layout has told what is in that file's place.
      contents?.findings.push({ grade: 'corrupt', file: file.name, reason: noFileReason })
    }
  })
  for (const [checkpoint, finding] of findings) found.get(checkpoint)?.findings.push(finding)
  for (const contents of found.values()) contents.files.sort((a, b) => compareText(a.name, b.name))
  return found
}

/**
 * What each path leads to. For a path that is not a link both looks agree, and the one that follows no link serves those who
 * asks of the tree next.
 */
async function lookAt(storage: ReadStorage, paths: readonly string[]): Promise<Result<Stat>[]> {
  const looks = await storage.lstat(paths)
  const links = paths.filter((_, index) => isLink(looks[index]))
  if (links.length === 0) return looks
  const followed = (await storage.stat(links)).values()
  return looks.map((look) => (isLink(look) ? (followed.next().value ?? look) : look))
}

function isLink(look: Result<Stat> | undefined): boolean {
  return look?.ok === true && look.value.kind === 'link'
}

function emptyContents(): { files: MeasuredFile[]; findings: Finding[] } {
  return { files: [], findings: [] }
}

interface Named {
  readonly checkpoint: Checkpoint
  readonly name: string
  readonly path: string
  readonly isLink: boolean
}

interface Names {
  readonly files: Named[]
  readonly findings: [Checkpoint, Finding][]
}

async function listNames(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<Names> {
  const findings: Names['findings'] = []
  const members = checkpoints.flatMap((checkpoint) =>
    checkpoint.members.map((member) => ({ ...member, checkpoint, name: nameOfMember(checkpoint, member) })),
  )
  const ofKind = (wanted: Member['kind']): Named[] =>
    members.flatMap(({ kind, ...member }) => (kind === wanted ? [{ ...member, isLink: false }] : []))
  const files = ofKind('file')
  let folders = ofKind('directory')
  for (let depth = 0; depth < deepest && folders.length > 0; depth += 1) {
    const listings = await storage.list(folders.map((folder) => folder.path))
    const below: Named[] = []
    folders.forEach((folder, index) => {
      const listing = listings[index]
      if (listing?.ok === true) {
        for (const entry of listing.value) (entry.kind === 'directory' ? below : files).push(inFolder(folder, entry))
      } else if (listing !== undefined) findings.push([folder.checkpoint, unlistedFinding(folder.name, listing.error)])
    })
    folders = below
  }
  return { files, findings }
}

/** The checkpoint's own name when it is one file; nothing before the names in its folder; what lies beside has its own. */
function nameOfMember({ kind, name, path: own }: Checkpoint, { path }: Member): string {
  if (kind === 'group' || path !== own) return basename(path)
  return kind === 'file' ? name : ''
}

function unlistedFinding(name: string, error: StorageError): Finding {
  const file = name === '' ? undefined : name
  return (
    findingOf(error, file) ?? { grade: 'partial', reason: reasonOf(error), ...(file === undefined ? {} : { file }) }
  )
}

function inFolder(folder: Named, entry: DirectoryEntry): Named {
  return {
    checkpoint: folder.checkpoint,
    name: folder.name === '' ? entry.name : `${folder.name}/${entry.name}`,
    path: folder.path + sep + entry.name,
    isLink: entry.kind === 'link',
  }
}

function withSizes(
  checkpoint: Checkpoint,
  { files: found, findings }: CheckpointFiles,
  together?: TotalSize,
): Checkpoint {
  const sizes = new Map<string, number>()
  const seen = new Set<string>()
  let total = 0
  let newest: number | null = null
  for (const { path, stat } of found) {
    if (stat === null) continue
    sizes.set(path, stat.size)
    together?.add(stat)
    newest = Math.max(newest ?? stat.modified, stat.modified)
    if (stat.links > 1 && !isFirst(seen, stat)) continue
    total += stat.size
  }
  const folders = checkpoint.files.some((file) => !sizes.has(file.path))
    ? sizesOfFolders(sizes)
    : new Map<string, number>()
  const files = checkpoint.files.map((file) => ({
    ...file,
    size: sizes.get(file.path) ?? folders.get(file.path) ?? null,
  }))
  const measured = { ...checkpoint, files, size: found.length === 0 ? null : total, modified: newest }
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
const mostTold = 100

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
  return united.size <= mostTold ? [...united.values()] : summedUp([...united.values()])
}

function matterOf({ grade, file, reason }: Finding): string {
  return file === undefined ? `${grade} ${reason}` : `${grade}/${file}`
}

function summedUp(findings: readonly Finding[]): Finding[] {
  const grades = [...new Set(findings.map(({ grade }) => grade))]
  return grades.flatMap((grade): Finding[] => {
    const all = findings.filter((finding) => finding.grade === grade)
    const more = all.length - mostTold
    return more > 0 ? [...all.slice(0, mostTold), { grade, reason: `and ${more} more findings of this kind` }] : all
  })
}
