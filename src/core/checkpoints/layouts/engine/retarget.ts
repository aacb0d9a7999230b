/** What a framework's books are to hold when checkpoints go, or come back. Pure. */
import { basename, join } from 'node:path'
import { escaped, parseCheckpointState, writeCheckpointState, type StatePath } from './checkpoint-state.js'
import type { PointerRule } from '../spec.js'
import { lastPart, numberIn, type Book, type Nameable } from './pointers.js'

/** A checkpoint that may be named, and when it was saved (Unix seconds) where that is known. */
export interface Successor extends Nameable {
  readonly time: number | null
}

export interface BookChange {
  readonly book: Book
  /** Names of those that it named or listed and that go. */
  readonly was: readonly string[]
  /** The checkpoint that it names from then on; null for none. */
  readonly to: string | null
  /** What has its name from then on: a file with this text, a link that leads there (absolute), or nothing. */
  readonly become: { readonly text: string } | { readonly target: string } | null
}

/**
 * The same book once `going` are gone: it names `next`, the newest whole one that stays, in the spelling that it has; or
 * goes where that is null. Null where nothing of it changes.
 */
export function withoutGoing(book: Book, going: ReadonlySet<string>, next: Successor | null): BookChange | null {
  if (book.rule.holds === 'tensorflow' && book.text !== null) return listWithout(book, book.text, going, next)
  if (book.names === null || !going.has(book.names)) return null
  const was = [book.names]
  const isLed = next !== null && book.rule.onDelete === 'rewrite'
  return isLed ? { ...namingInstead(book, next), was } : { book, was, to: null, become: null }
}

/** A book that is not there (any more), to be filled in. */
export function emptyBook(rule: PointerRule, path: string): Book {
  return {
    rule,
    path,
    names: null,
    ...(rule.holds === 'link' ? { text: null, target: '' } : { text: '', target: null }),
  }
}

/** The same book, of several checkpoints, with this one among them again; null where it lists one only, or lists it. */
export function listingAgain(book: Book, next: Successor): BookChange | null {
  if (book.rule.holds !== 'tensorflow' || book.text === null) return null
  const state = parseCheckpointState(book.text)
  if (ownEntry(state.all, next) !== undefined) return null
  const own = { raw: likeEntry(state.rawModel, next), path: next.name }
  const hasTimes = state.times.length > 0 && state.times.length === state.all.length
  const later = state.times.findIndex((time) => Number(time) > (next.time ?? 0))
  const at = hasTimes && later !== -1 ? later : Math.max(0, state.all.length - 1)
  const all = state.all.toSpliced(at, 0, own)
  const times = hasTimes ? state.times.toSpliced(at, 0, String(next.time ?? 0)) : []
  return listed(book, { ...state, all, times }, state.rawModel, [], book.names)
}

/** The same book, naming this one. */
export function namingInstead(book: Book, next: Successor): BookChange {
  if (book.rule.holds === 'tensorflow' && book.text !== null) {
    const state = parseCheckpointState(book.text)
    const own = ownEntry(state.all, next) ?? { raw: likeEntry(state.rawModel, next), path: next.name }
    return listed(book, { ...state, ...movedLast(state, own, next) }, own.raw, [], next.name)
  }
  if (book.text === null || book.rule.holds === 'link') return linkTo(book, next)
  const own = book.text.trim()
  const text = own === '' ? spelled(own, book, next) : book.text.replace(own, () => spelled(own, book, next))
  return { book, was: [], to: next.name, become: { text } }
}

function spelled(own: string, { rule }: Book, { name, paths }: Nameable): string {
  if (rule.holds === 'number') return String(numberIn(name) ?? name)
  if (rule.holds === 'name') return name
  return own === '' ? (paths[0] ?? name) : own.replace(/[^/\\]+$/, () => name)
}

/** Of several files the one that has the link's ending too: `latest-rank1.pt` leads to `…-rank1.pt`. */
function linkTo(book: Book, next: Successor): BookChange {
  const [folder] = next.paths
  if (book.rule.inside !== undefined && folder !== undefined && book.target !== null) {
    return { book, was: [], to: next.name, become: { target: join(folder, basename(book.target)) } }
  }
  const [only, ...others] = next.paths
  const old = lastPart(book.target ?? book.text ?? '')
  const link = basename(book.path)
  const ending = old === '' ? (/[-_]\w+\.\w+$/.exec(link)?.[0] ?? '') : commonEnding(link, old)
  const target = others.length === 0 ? only : next.paths.find((path) => path.endsWith(ending))
  if (target === undefined) return { book, was: [], to: null, become: null }
  const text = book.text?.replace(lastPart(book.text.trim()), () => basename(target))
  return { book, was: [], to: next.name, become: text === undefined ? { target } : { text } }
}

function commonEnding(one: string, other: string): string {
  let length = 0
  while (length < one.length && length < other.length && one.at(-1 - length) === other.at(-1 - length)) length += 1
  return one.slice(one.length - length)
}

/** Everything that goes leaves the list together with its time. */
function listWithout(book: Book, text: string, going: ReadonlySet<string>, next: Successor | null): BookChange | null {
  const state = parseCheckpointState(text)
  const stays = state.all.map(({ path }) => !going.has(lastPart(path)))
  const isNamed = state.model !== null && going.has(lastPart(state.model))
  const listedToo = state.all.flatMap(({ path }, index) => (stays[index] === true ? [] : [lastPart(path)]))
  const was = [...new Set([...listedToo, ...(isNamed ? [lastPart(state.model)] : [])])]
  if (was.length === 0) return null
  const hasTimes = state.times.length === state.all.length
  const left = {
    ...state,
    all: state.all.filter((_, index) => stays[index]),
    times: hasTimes ? state.times.filter((_, index) => stays[index]) : [],
  }
  if (!isNamed) return listed(book, left, state.rawModel, was, book.names)
  if (next === null) return { book, was, to: null, become: null }
  const own = ownEntry(left.all, next) ?? { raw: likeEntry(state.rawModel, next), path: next.name }
  return listed(book, { ...left, ...movedLast(left, own, next) }, own.raw, was, next.name)
}

function listed(
  book: Book,
  state: ReturnType<typeof parseCheckpointState>,
  rawModel: string | null,
  was: readonly string[],
  to: string | null,
): BookChange {
  return { book, was, to, become: { text: writeCheckpointState({ ...state, rawModel }) } }
}

function ownEntry(all: readonly StatePath[], { name }: Nameable): StatePath | undefined {
  return all.find(({ path }) => lastPart(path) === name)
}

/** In the spelling of another: relative, or with the folder that it has. */
function likeEntry(raw: string | null, { name }: Nameable): string {
  return `${/^.*[/\\]/.exec(raw ?? '')?.[0] ?? ''}${escaped(name)}`
}

/** The one that is named stands last. Where the list says nothing at all, it goes on to. */
function movedLast(
  { all, times }: Pick<ReturnType<typeof parseCheckpointState>, 'all' | 'times'>,
  own: StatePath,
  { time }: Successor,
) {
  const at = all.findIndex(({ raw }) => raw === own.raw)
  const hasTimes = times.length > 0 && times.length === all.length
  const ownTime = times[at] ?? (time === null ? '0' : String(time))
  return {
    all: [...all.filter((_, index) => index !== at), own],
    times: hasTimes ? [...times.filter((_, index) => index !== at), ownTime] : [],
  }
}
