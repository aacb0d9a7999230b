/** What a framework keeps beside its checkpoints to name one of them. */
import { basename, dirname } from 'node:path'
import type { Pointer } from '../../../checkpoint.js'
import type { DirectoryEntry, ReadStorage } from '../../../storage/storage.js'
import { prefixOf } from '../folders.js'
import type { Folder } from '../layout.js'
import type { PointerRule } from '../spec.js'
import { parseCheckpointState } from './checkpoint-state.js'

/** A file that names a checkpoint is a line or a few. */
const largestPointer = 1 << 16
/** Where links cannot be kept (an archive, git without them), a file has the text of each: a path has no more. */
const longestLinkText = 4096
/** Names of one kind in a folder: a framework keeps one or a few. */
const mostBooks = 256

/** What a pointer file may name. */
export interface Nameable {
  /** Relative to the run. */
  readonly name: string
  /** Absolute paths of all that it consists of. */
  readonly paths: readonly string[]
}

/** One such file as it was found. */
export interface PointerFile {
  readonly rule: PointerRule
  /** Absolute. */
  readonly path: string
  /** What is in it; null for a link. */
  readonly text: string | null
  /** What the link leads to, absolute; null for a file. */
  readonly target: string | null
  /** Name of the checkpoint that it names; null for none that is there. */
  readonly names: string | null
}

/** The pointer files of one layout in the folder. */
export async function readPointerFiles(
  storage: ReadStorage,
  folder: Folder,
  rules: readonly PointerRule[],
  checkpoints: readonly Nameable[],
): Promise<PointerFile[]> {
  const folders = await Promise.all(rules.map(async (rule) => foldersOf(storage, folder, rule)))
  const found = rules.flatMap((rule, index) =>
    (folders[index] ?? []).flatMap(({ path, entries }) =>
      entries
        .filter((entry) => isPointerFile(entry, rule))
        .slice(0, mostBooks)
        .map(({ name, kind }) => ({ rule, kind, path: prefixOf(path) + name })),
    ),
  )
  const known = new Known(checkpoints)
  const links = found.filter(({ kind }) => kind === 'link')
  const resolved = await storage.resolve(links.map(({ path }) => path))
  const files = await withoutLarge(
    storage,
    found.filter(({ kind }) => kind !== 'link'),
  )
  const texts = await storage.read(
    files.map(({ path }) => path),
    largestPointer,
  )
  return [
    ...links.map(({ rule, path }, index): PointerFile => {
      const answer = resolved[index]
      const target = answer?.ok === true ? answer.value : ''
      const named = known.byPath.get(rule.inside === undefined ? target : dirname(target))
      return { rule, path, text: null, target, names: named?.name ?? null }
    }),
    ...files.flatMap(({ rule, path }, index): PointerFile[] => {
      const bytes = texts[index]
      if (bytes?.ok !== true) return []
      const text = new TextDecoder().decode(bytes.value)
      const names = namedIn(text, rule, known)?.name ?? null
      return rule.holds === 'link' && names === null ? [] : [{ rule, path, text, target: null, names }]
    }),
  ]
}

/** Where pointer files of that rule lie: in the run's folder, or in one within it. */
async function foldersOf(storage: ReadStorage, folder: Folder, { inside }: PointerRule): Promise<readonly Folder[]> {
  if (inside === undefined) return [folder]
  const paths = folder.entries
    .filter(({ name, kind }) => kind === 'directory' && inside.test(name))
    .map(({ name }) => prefixOf(folder.path) + name)
  const listings = await storage.list(paths)
  return paths.flatMap((path, index): Folder[] => {
    const listing = listings[index]
    return listing?.ok === true ? [{ path, entries: listing.value }] : []
  })
}

function isPointerFile({ name, kind }: DirectoryEntry, rule: PointerRule): boolean {
  if (kind === 'directory' || kind === 'other' || (kind === 'link' && rule.holds !== 'link')) return false
  if (kind !== 'link' && rule.isReal === true) return false
  return isNamedBy(name, rule)
}

export function isNamedBy(name: string, { file }: PointerRule): boolean {
  return typeof file === 'string' ? name === file : file.test(name)
}

/** A file in place of a link may be a whole checkpoint. */
async function withoutLarge<T extends { readonly rule: PointerRule; readonly path: string }>(
  storage: ReadStorage,
  files: readonly T[],
): Promise<T[]> {
  const inPlaceOfLinks = files.filter(({ rule }) => rule.holds === 'link')
  const stats = await storage.lstat(inPlaceOfLinks.map(({ path }) => path))
  const large = new Set(
    inPlaceOfLinks.filter((_, index) => {
      const stat = stats[index]
      return stat?.ok !== true || stat.value.size > longestLinkText
    }),
  )
  return files.filter((file) => !large.has(file))
}

/** Asked once for each file that names one: there may be as many of these as there are checkpoints. */
class Known {
  readonly byName: ReadonlyMap<string, Nameable>
  readonly byPath: ReadonlyMap<string, Nameable>
  private readonly reversed: readonly Nameable[]
  private numbers: ReadonlyMap<number | null, Nameable> | null = null
  private files: ReadonlyMap<string, Nameable> | null = null

  constructor(checkpoints: readonly Nameable[]) {
    // Of several the first has the key.
    this.reversed = checkpoints.toReversed()
    this.byName = new Map(this.reversed.map((one) => [one.name, one]))
    this.byPath = new Map(this.reversed.flatMap((one) => one.paths.map((path) => [path, one] as const)))
  }

  get byNumber(): ReadonlyMap<number | null, Nameable> {
    this.numbers ??= new Map(this.reversed.map((one) => [numberIn(one.name), one]))
    return this.numbers
  }

  get byFile(): ReadonlyMap<string, Nameable> {
    this.files ??= new Map([...this.byPath].map(([path, one]) => [basename(path), one]))
    return this.files
  }
}

function namedIn(text: string, { holds }: PointerRule, known: Known): Nameable | undefined {
  const own = text.trim()
  if (own === '') return undefined
  if (holds === 'number') return known.byNumber.get(Number(own)) ?? known.byName.get(own)
  const path = holds === 'tensorflow' ? parseCheckpointState(text).model : own
  const name = lastPart(path ?? '')
  return known.byName.get(name) ?? (holds === 'link' ? known.byFile.get(name) : undefined)
}

/** Behind `/`, or what another system has in its place. */
export function lastPart(path: string): string {
  return path.split(/[/\\]/).findLast((part) => part !== '') ?? ''
}

/** The number that a name ends with: `iter_0000100`; null where it has none. */
export function numberIn(name: string): number | null {
  const digits = /(\d+)\D*$/.exec(name)?.[1]
  return digits === undefined ? null : Number(digits)
}

export function pointersOf(pointerFiles: readonly PointerFile[]): Pointer[] {
  return pointerFiles.flatMap(({ rule, path, names }) => {
    if (names === null) return []
    const purpose = rule.purpose === undefined ? {} : { purpose: rule.purpose }
    const follows = rule.onDelete === 'protect' ? {} : { follows: true as const }
    return [{ label: rule.label ?? basename(path), name: names, ...purpose, ...follows }]
  })
}
