/** What a framework keeps beside its checkpoints to name one of them. */
import { basename } from 'node:path'
import type { Pointer } from '../../../checkpoint.js'
import type { DirectoryEntry, ReadStorage } from '../../../storage/storage.js'
import { prefixOf } from '../folders.js'
import type { Folder } from '../layout.js'
import type { PointerRule } from '../spec.js'
import type { Unit } from './unit.js'

/** A file that names a checkpoint is a line or a few. */
const largestPointer = 1 << 16
/** Names of one kind in a folder: a framework keeps one or a few. */
const mostBooks = 256

/** One such file as it was found. */
export interface Book {
  readonly rule: PointerRule
  /** Absolute. */
  readonly path: string
  /** What is in it, or where the link leads as it is written. */
  readonly text: string
  /** Name of the unit that it names; null for none that is there. */
  readonly names: string | null
}

/** The books of one layout in the folder. */
export async function readBooks(
  storage: ReadStorage,
  folder: Folder,
  rules: readonly PointerRule[],
  units: readonly Unit[],
): Promise<Book[]> {
  const found = rules.flatMap((rule) =>
    folder.entries
      .filter((entry) => isBook(entry, rule))
      .slice(0, mostBooks)
      .map(({ name }) => ({ rule, path: prefixOf(folder.path) + name })),
  )
  const byPath = new Map(units.map((unit) => [unit.path, unit]))
  const known = new KnownUnits(units)
  const links = found.filter(({ rule }) => rule.holds === 'link')
  const resolved = await storage.resolve(links.map(({ path }) => path))
  const files = found.filter(({ rule }) => rule.holds !== 'link')
  const texts = await storage.read(
    files.map(({ path }) => path),
    largestPointer,
  )
  return [
    ...links.map(({ rule, path }, index): Book => {
      const target = resolved[index]
      const text = target?.ok === true ? target.value : ''
      return { rule, path, text, names: byPath.get(text)?.name ?? null }
    }),
    ...files.flatMap(({ rule, path }, index): Book[] => {
      const bytes = texts[index]
      if (bytes?.ok !== true) return []
      const text = new TextDecoder().decode(bytes.value)
      return [{ rule, path, text, names: namedIn(text, rule, known)?.name ?? null }]
    }),
  ]
}

function isBook({ name, kind }: DirectoryEntry, { file, holds }: PointerRule): boolean {
  if ((kind === 'link') !== (holds === 'link') || kind === 'directory' || kind === 'other') return false
  return typeof file === 'string' ? name === file : file.test(name)
}

/** Asked once for each file that names one: there may be as many of these as there are units. */
class KnownUnits {
  readonly byName: ReadonlyMap<string, Unit>
  private numbers: ReadonlyMap<number, Unit> | null = null

  constructor(private readonly units: readonly Unit[]) {
    this.byName = new Map(units.toReversed().map((unit) => [unit.name, unit]))
  }

  get byNumber(): ReadonlyMap<number, Unit> {
    this.numbers ??= new Map(this.units.toReversed().flatMap((unit) => numbersOf(unit).map((one) => [one, unit])))
    return this.numbers
  }
}

function namedIn(text: string, { holds }: PointerRule, { byName, byNumber }: KnownUnits): Unit | undefined {
  const own = text.trim()
  if (holds === 'number') return byNumber.get(Number(own)) ?? byName.get(own)
  const path = holds === 'tensorflow' ? (/^model_checkpoint_path: "((?:[^"\\]|\\.)*)"/m.exec(text)?.[1] ?? '') : own
  const name = path.split(/[/\\]/).findLast((part) => part !== '')
  return name === undefined ? undefined : byName.get(name)
}

function numbersOf({ named }: Unit): number[] {
  return [...named.values()].map(Number)
}

export function pointersOf(books: readonly Book[]): Pointer[] {
  return books.flatMap(({ rule, path, names }) => {
    if (names === null) return []
    const purpose = rule.purpose === undefined ? {} : { purpose: rule.purpose }
    return [{ label: rule.label ?? basename(path), name: names, ...purpose }]
  })
}
