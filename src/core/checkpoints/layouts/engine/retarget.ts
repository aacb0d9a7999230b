/** What a framework's pointer files are to hold when checkpoints go, or come back. Pure. */
import { basename, join } from 'node:path'
import { escaped, parseCheckpointState, writeCheckpointState, type StatePath } from './checkpoint-state.js'
import type { PointerRule } from '../spec.js'
import { lastPart, numberIn, type PointerFile, type Nameable } from './pointers.js'

/** A checkpoint that may be named, and when it was saved (Unix seconds) where that is known. */
export interface Successor extends Nameable {
  readonly time: number | null
}

export interface PointerChange {
  readonly pointerFile: PointerFile
  /** Names of those that it named or listed and that go. */
  readonly was: readonly string[]
  /** The checkpoint that it names from then on; null for none. */
  readonly to: string | null
  /** What has its name from then on: a file with this text, a link that leads there (absolute), or nothing. */
  readonly become: { readonly text: string } | { readonly target: string } | null
}

/**
 * The same pointer file once `going` are gone: it names `next`, the newest whole one that stays, in the spelling that it has; or
 * goes where that is null. Null where nothing of it changes.
 */
export function withoutGoing(
  pointerFile: PointerFile,
  going: ReadonlySet<string>,
  next: Successor | null,
): PointerChange | null {
  if (pointerFile.rule.holds === 'tensorflow' && pointerFile.text !== null)
    return listWithout(pointerFile, pointerFile.text, going, next)
  if (pointerFile.names === null || !going.has(pointerFile.names)) return null
  const was = [pointerFile.names]
  const isLed = next !== null && pointerFile.rule.onDelete === 'rewrite'
  return isLed ? { ...namingInstead(pointerFile, next), was } : { pointerFile, was, to: null, become: null }
}

/** A pointer file that is not there (any more), to be filled in. */
export function emptyPointerFile(rule: PointerRule, path: string): PointerFile {
  return {
    rule,
    path,
    names: null,
    ...(rule.holds === 'link' ? { text: null, target: '' } : { text: '', target: null }),
  }
}

/** The same pointer file, of several checkpoints, with this one among them again; null where it lists one only, or lists it. */
export function listingAgain(pointerFile: PointerFile, next: Successor): PointerChange | null {
  if (pointerFile.rule.holds !== 'tensorflow' || pointerFile.text === null) return null
  const state = parseCheckpointState(pointerFile.text)
  if (ownEntry(state.all, next) !== undefined) return null
  const own = { raw: likeEntry(state.rawModel, next), path: next.name }
  const hasTimes = state.times.length > 0 && state.times.length === state.all.length
  const later = state.times.findIndex((time) => Number(time) > (next.time ?? 0))
  const at = hasTimes && later !== -1 ? later : Math.max(0, state.all.length - 1)
  const all = state.all.toSpliced(at, 0, own)
  const times = hasTimes ? state.times.toSpliced(at, 0, String(next.time ?? 0)) : []
  return listed(pointerFile, { ...state, all, times }, state.rawModel, [], pointerFile.names)
}

/** The same pointer file, naming this one. */
export function namingInstead(pointerFile: PointerFile, next: Successor): PointerChange {
  if (pointerFile.rule.holds === 'tensorflow' && pointerFile.text !== null) {
    const state = parseCheckpointState(pointerFile.text)
    const own = ownEntry(state.all, next) ?? { raw: likeEntry(state.rawModel, next), path: next.name }
    return listed(pointerFile, { ...state, ...movedLast(state, own, next) }, own.raw, [], next.name)
  }
  if (pointerFile.text === null || pointerFile.rule.holds === 'link') return linkTo(pointerFile, next)
  const own = pointerFile.text.trim()
  const text =
    own === '' ? spelled(own, pointerFile, next) : pointerFile.text.replace(own, () => spelled(own, pointerFile, next))
  return { pointerFile, was: [], to: next.name, become: { text } }
}

function spelled(own: string, { rule }: PointerFile, { name, paths }: Nameable): string {
  if (rule.holds === 'number') return String(numberIn(name) ?? name)
  if (rule.holds === 'name') return name
  return own === '' ? (paths[0] ?? name) : own.replace(/[^/\\]+$/, () => name)
}

/** Of several files the one that has the link's ending too: `latest-rank1.pt` leads to `…-rank1.pt`. */
function linkTo(pointerFile: PointerFile, next: Successor): PointerChange {
  const [folder] = next.paths
  if (pointerFile.rule.inside !== undefined && folder !== undefined && pointerFile.target !== null) {
    return { pointerFile, was: [], to: next.name, become: { target: join(folder, basename(pointerFile.target)) } }
  }
  const [only, ...others] = next.paths
  const old = lastPart(pointerFile.target ?? pointerFile.text ?? '')
  const link = basename(pointerFile.path)
  const ending = old === '' ? (/[-_]\w+\.\w+$/.exec(link)?.[0] ?? '') : commonEnding(link, old)
  const target = others.length === 0 ? only : next.paths.find((path) => path.endsWith(ending))
  if (target === undefined) return { pointerFile, was: [], to: null, become: null }
  const text = pointerFile.text?.replace(lastPart(pointerFile.text.trim()), () => basename(target))
  return { pointerFile, was: [], to: next.name, become: text === undefined ? { target } : { text } }
}

function commonEnding(one: string, other: string): string {
  let length = 0
  while (length < one.length && length < other.length && one.at(-1 - length) === other.at(-1 - length)) length += 1
  return one.slice(one.length - length)
}

/** Everything that goes leaves the list together with its time. */
function listWithout(
  pointerFile: PointerFile,
  text: string,
  going: ReadonlySet<string>,
  next: Successor | null,
): PointerChange | null {
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
  if (!isNamed) return listed(pointerFile, left, state.rawModel, was, pointerFile.names)
  if (next === null) return { pointerFile, was, to: null, become: null }
  const own = ownEntry(left.all, next) ?? { raw: likeEntry(state.rawModel, next), path: next.name }
  return listed(pointerFile, { ...left, ...movedLast(left, own, next) }, own.raw, was, next.name)
}

function listed(
  pointerFile: PointerFile,
  state: ReturnType<typeof parseCheckpointState>,
  rawModel: string | null,
  was: readonly string[],
  to: string | null,
): PointerChange {
  return { pointerFile, was, to, become: { text: writeCheckpointState({ ...state, rawModel }) } }
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
