/** A unit that was claimed and read becomes a checkpoint. */
import { sep } from 'node:path'
import {
  type Checkpoint,
  type Direction,
  type Finding,
  healthFrom,
  type Member,
  type Meta,
  type MetaValue,
  type Moment,
  type Part,
  type Pointer,
} from '../../../checkpoint.js'
import { toFinite } from '../finite-number.js'
import type { LayoutSpec, Reading } from '../spec.js'
import { factsOfName, merged, sourcesOf } from './facts.js'
import { paramFilesOf } from './files.js'
import type { Looked } from './looked-claim.js'
import type { Unit } from './unit-paths.js'
import { hasBeside } from './names-beside.js'
import { findingsOfWhole } from './wholeness.js'

export interface Facts {
  readonly meta: ReadonlyMap<string, MetaValue>
  readonly measuredAt: ReadonlyMap<string, Moment>
}

const noTimes: ReadonlyMap<string, Moment> = new Map()

export function factsAndTimes({ facts }: Looked, reading: Reading | undefined): Facts {
  if (reading !== undefined) return { meta: reading.meta, measuredAt: reading.measuredAt ?? noTimes }
  if (facts.every((one) => one?.measuredAt === undefined)) return { meta: merged(facts), measuredAt: noTimes }
  const measuredAt = new Map<string, Moment>()
  for (const one of facts)
    for (const [key, moment] of one?.measuredAt ?? []) if (!measuredAt.has(key)) measuredAt.set(key, moment)
  return { meta: merged(facts), measuredAt }
}

/** Where step and epoch come from; also the name of what is broken, for there it is all that is left. */
function countsOf({ unit, strength }: Looked, meta: ReadonlyMap<string, MetaValue>): ReadonlyMap<string, MetaValue> {
  if (unit.finding === null || strength !== 'broken') return meta
  const source = sourcesOf(unit).find(({ from }) => from === 'name')
  return source?.from === 'name' ? factsOfName(unit, source).meta : new Map()
}

/** What a checkpoint says of itself: not the counts that only its name tells, and not what a spec keeps for itself. */
function shownOf({ facts }: Looked, meta: ReadonlyMap<string, MetaValue>): ReadonlyMap<string, MetaValue> {
  for (const key of meta.keys()) {
    if (isHidden(key, facts)) return new Map([...meta].filter(([one]) => !isHidden(one, facts)))
  }
  return meta
}

function isHidden(key: string, facts: Looked['facts']): boolean {
  if (key.startsWith('#')) return true
  if (key !== 'step' && key !== 'epoch') return false
  for (const one of facts) if (one !== null && one.isOfName !== true && one.meta.has(key)) return false
  return true
}

interface Around extends Facts {
  readonly reading: Reading | undefined
  readonly pointers: readonly Pointer[]
  readonly sameAs: string | undefined
  readonly neededFor: string | undefined
  readonly stillNamed: string | undefined
  /** Weights alone, beside others of the run that are more. */
  readonly isModelAlone: boolean
}

export function toCheckpoint(
  one: Looked,
  { meta, measuredAt, reading, pointers, sameAs: copy, neededFor, stillNamed, isModelAlone }: Around,
): Checkpoint {
  const { unit } = one
  const { spec, name, path, folder } = unit
  const counts = reading === undefined ? countsOf(one, meta) : (reading.counts ?? meta)
  const findings = findingsOf(one, meta, reading)
  const directions = reading?.directions ?? directionsBy(spec, meta)
  const sameAs = reading?.sameAs ?? copy
  const { lacks, resumable } = isModelAlone ? weightsAlone : resumingOf(unit, meta, reading, findings)
  // Set one by one: an object of many spreads costs more than all else here, in a run of thousands.
  const checkpoint: Writable<Checkpoint> = {
    name,
    path,
    kind: unit.kind === 'folder' ? 'directory' : isOneFile(unit) ? 'file' : unit.kind,
    members: membersOf(unit),
    run: folder.path,
    layout: spec.id,
    meta: reading === undefined ? shownOf(one, meta) : meta,
    step: toFinite(counts.get('step')),
    epoch: toFinite(counts.get('epoch')),
    unixtime: toFinite(meta.get('unixtime')),
    modified: null,
    files: paramFilesOf(unit),
    size: null,
    health: healthFrom('none', findings),
    pointsTo: reading?.pointsTo ?? pointersFrom(spec.namedBy?.(meta), pointers),
  }
  const saveNumber = toFinite(meta.get('#save') ?? counts.get('#save'))
  if (saveNumber !== null) checkpoint.saveNumber = saveNumber
  if (measuredAt.size > 0) checkpoint.measuredAt = measuredAt
  if (directions.size > 0) checkpoint.directions = directions
  if (sameAs !== undefined) checkpoint.sameAs = sameAs
  if (neededFor !== undefined) checkpoint.neededFor = neededFor
  if (stillNamed !== undefined) checkpoint.stillNamed = stillNamed
  const uncounted = sameAs === undefined ? orderByName(unit, counts, meta) : undefined
  if (uncounted !== undefined) checkpoint.uncounted = uncounted
  if (resumable !== undefined) checkpoint.resumable = resumable
  if (lacks.length > 0) checkpoint.lacks = lacks
  if (reading?.contents !== undefined) checkpoint.contents = reading.contents
  const training = reading?.training ?? one.facts.find((source) => source?.training !== undefined)?.training
  if (training !== undefined) checkpoint.training = training
  return checkpoint
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

const noDirections: ReadonlyMap<string, Direction> = new Map()

function directionsBy({ judge }: LayoutSpec, meta: Meta): ReadonlyMap<string, Direction> {
  return judge === undefined ? noDirections : new Map(judge(meta))
}

const noFindings: readonly Finding[] = []

/** All that is wrong with it, by what was read and by what is not there. */
function findingsOf({ unit, facts, strength }: Looked, meta: Meta, reading: Reading | undefined): readonly Finding[] {
  const ofWhole = findingsOfWhole(unit, meta)
  const isSound = unit.finding === null && strength !== 'bare' && reading?.findings === undefined
  if (isSound && ofWhole.length === 0 && facts.every((one) => one === null || one.findings.length === 0))
    return noFindings
  const findings = [
    ...(unit.finding === null ? noFindings : [unit.finding]),
    ...facts.flatMap((each) => each?.findings ?? noFindings),
    ...(reading?.findings ?? noFindings),
    ...ofWhole,
  ]
  if (strength !== 'bare' || findings.length > 0) return findings
  return [{ grade: 'corrupt', reason: `nothing in it is ${unit.spec.title}'s, as in the others` }]
}

const nothingLacks: readonly Part[] = []
const weightsAlone = { lacks: nothingLacks, resumable: false }

function resumingOf(
  unit: Unit,
  meta: Meta,
  reading: Reading | undefined,
  findings: readonly Finding[],
): { readonly lacks: readonly Part[]; readonly resumable: boolean | undefined } {
  const { form } = unit
  // Of what is not all there, or could not be listed, nothing is known to be left out.
  const isOpen = unit.finding !== null || isUnfinished(findings)
  const lacks = isOpen ? nothingLacks : (reading?.lacks ?? form.lacks?.(unit, meta) ?? nothingLacks)
  if (reading?.resumable !== undefined) return { lacks, resumable: reading.resumable }
  if (lacks.some((part) => part !== 'random state')) return { lacks, resumable: false }
  if (typeof form.resumable !== 'function') return { lacks, resumable: form.resumable }
  return { lacks, resumable: isUnread(findings) ? undefined : form.resumable(unit, meta) }
}

/** A name that may be a copy's, of which no original is there and nothing inside tells when it was saved. */
function orderByName({ spec, name }: Unit, counts: Meta, meta: Meta): Checkpoint['uncounted'] {
  if (spec.copies?.names.test(name) !== true) return undefined
  const isCounted = [counts.get('step'), counts.get('epoch'), meta.get('unixtime')].some(
    (one) => toFinite(one) !== null,
  )
  if (isCounted) return undefined
  return /last|latest|final/i.test(name) ? 'newest' : 'any'
}

/** One list for all where nothing is said of this one alone: there may be thousands of both. */
function pointersFrom(named: readonly Pointer[] = noPointers, pointers: readonly Pointer[]): readonly Pointer[] {
  return named.length === 0 ? pointers : [...named, ...pointers]
}

const noPointers: readonly Pointer[] = []

/** Of one still being written nothing is known to be missing. */
function isUnfinished(findings: readonly Finding[]): boolean {
  return findings.some(({ grade }) => grade === 'unfinished')
}

/** What could not be read does not say what it holds: it is reported as damaged. */
function isUnread(findings: readonly Finding[]): boolean {
  return findings.some(({ grade }) => grade === 'corrupt' || grade === 'unreadable')
}

export function membersOf(unit: Unit): Member[] {
  if (unit.kind !== 'group') {
    return [{ path: unit.path, kind: unit.kind === 'folder' ? 'directory' : 'file' }, ...markerBeside(unit)]
  }
  return unit.entries.map(({ name }) => ({ path: unit.folder.path + sep + name, kind: 'file' }))
}

/** What says that it is unfinished means nothing without it, and would speak of the next one of that name. */
function markerBeside({ folder, form, name }: Unit): Member[] {
  const marker = form.whole?.marker?.replace('{name}', name)
  if (marker === undefined || marker.includes('/') || !hasBeside(folder, marker)) return []
  return [{ path: folder.path + sep + marker, kind: 'file', isMarker: true }]
}

/** A group of a single file with the same name is that file. */
function isOneFile({ kind, entries, name }: Unit): boolean {
  return kind === 'file' || (kind === 'group' && entries.length === 1 && entries[0]?.name === name)
}
