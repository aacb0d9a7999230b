/** Asks all layouts about one folder: which checkpoints they claim, what those say of themselves, and their names. */
import type { Checkpoint, Meta, Pointer } from '../../../checkpoint.js'
import type { ReadStorage } from '../../../storage/storage.js'
import { yieldToEvents } from '../../../storage/yield-to-events.js'
import { batches } from '../folders.js'
import { groupBy } from '../../../grouped.js'
import type { Folder } from '../layout.js'
import { ScanTree } from '../scan-tree.js'
import type { LayoutSpec, Reading } from '../spec.js'
import { compareNatural } from '../../../formats/text/natural-order.js'
import { findNamed, listCandidates, type Named } from './candidates.js'
import { claimByNames, resolveClaims } from './claims.js'
import { findCopies } from './names-of-one-state.js'
import { readBesides } from './facts-beside.js'
import { merged, sourcesOf } from './facts.js'
import { lookAtBatch, readLater } from './look-at-claims.js'
import { isRead, type Looked } from './looked-claim.js'
import type { Unit } from './unit-paths.js'
import { type Facts, factsAndTimes, membersOf, toCheckpoint } from './make-checkpoint.js'
import { withOpener } from './opener.js'
import { withOwnMarkers, type OwnMarker } from './own-marker.js'
import { pointersOf, readPointerFiles } from './pointers.js'

/** Candidates looked at together. */
const batchSize = 256

export async function scanSpecs(
  reading: ReadStorage,
  folder: Folder,
  specs: readonly LayoutSpec[],
  marker: OwnMarker | null = null,
): Promise<Checkpoint[]> {
  const storage = ScanTree.scanning(reading, folder.path)
  const looked = await lookAtAll(storage, folder, await findNamed(storage, folder, specs))
  const resolved = resolveClaims(looked).flatMap((claim) => (claim === null ? [] : [claim as Looked]))
  const taken = withoutForeignLinks(withoutParts(resolved))
  const complete: Looked[] = []
  for (const one of taken) {
    const read = isRead(one) ? one : await readLater(storage, one)
    if (!hasVanished(read)) complete.push(read)
  }
  const found: Checkpoint[] = []
  const bySpec = groupBy(complete, ({ unit }) => unit.spec)
  for (const spec of specs) {
    const own = bySpec.get(spec)
    if (own === undefined) continue
    for (const one of await finish(storage, folder, spec, own)) found.push(one)
  }
  return marker === null ? found : withOwnMarkers(storage, found, marker)
}

/**
 * Whether the folder holds any checkpoint, or one whose name passes `isAsked` (`val/loss=0.2.ckpt` has parts), where
 * names tell that; null where files must be looked into. Less than a scan by far, for who goes through many folders.
 */
export async function holdsByNames(
  reading: ReadStorage,
  folder: Folder,
  specs: readonly LayoutSpec[],
  isAsked: (name: string) => boolean = () => true,
): Promise<boolean | null> {
  const named = (await findNamed(reading, folder, specs)).filter(({ name }) => isAsked(name))
  if (named.length === 0) return false
  const candidates = await listCandidates(reading, folder, named)
  let isOpen = false
  for (const [index, candidate] of candidates.entries()) {
    const fits = named[index]
    if (candidate === null || fits === undefined) continue
    const claims = claimByNames(candidate, fits, folder)
    const last = claims?.at(-1)
    if (last?.strength === 'sure' && last.unit.spec.read === undefined && last.unit.spec.together === undefined)
      return true
    isOpen ||= claims === null || last !== undefined
  }
  return isOpen ? null : false
}

/** Groups come first: into their parts nobody needs to look again. */
async function lookAtAll(storage: ReadStorage, folder: Folder, named: readonly Named[]): Promise<Looked[][]> {
  const groups = named.filter(({ kind }) => kind === 'group')
  if (groups.length === 0) return lookAt(storage, folder, named)
  const looked = await lookAt(storage, folder, groups)
  const parts = partsOf(looked.flatMap(([first]) => (first?.strength === 'sure' ? [first] : [])))
  const others = named.filter(({ kind, name }) => kind !== 'group' && (kind !== 'file' || !parts.has(name)))
  const all = [...looked, ...(await lookAt(storage, folder, others))]
  return all.sort((a, b) => compareNatural(a[0]?.unit.name ?? '', b[0]?.unit.name ?? ''))
}

async function lookAt(storage: ReadStorage, folder: Folder, named: readonly Named[]): Promise<Looked[][]> {
  const looked: Looked[][] = []
  for (const batch of batches(named, batchSize)) {
    if (looked.length > 0) await yieldToEvents()
    for (const one of await lookAtBatch(storage, folder, batch)) looked.push(one)
  }
  return looked
}

function partsOf(groups: readonly Looked[]): ReadonlySet<string> {
  return new Set(groups.flatMap(({ unit }) => unit.entries.map(({ name }) => name)))
}

/** A link to a checkpoint beside it that another layout has is that one's bookkeeping: `latest-rank0.pt`. */
function withoutForeignLinks(taken: readonly Looked[]): readonly Looked[] {
  if (taken.every(({ unit }) => unit.target === null)) return taken
  const owners = new Map(taken.map(({ unit }) => [unit.path, unit.spec]))
  return taken.filter(({ unit }) => {
    const owner = unit.target === null ? undefined : owners.get(unit.target)
    return owner === undefined || owner === unit.spec
  })
}

/** A file that is part of a group is not a checkpoint beside it, whatever it looks like by itself. */
function withoutParts(taken: readonly Looked[]): Looked[] {
  const parts = partsOf(taken.filter(({ unit }) => unit.kind === 'group'))
  return taken.filter(({ unit }) => unit.kind !== 'file' || !parts.has(unit.name))
}

/** What proved it is not there any more: somebody removes it just now. */
function hasVanished({ unit, facts }: Looked): boolean {
  if (!facts.some((one) => one?.isGone === true)) return false
  return sourcesOf(unit).some(
    (source, at) =>
      facts[at]?.isGone === true &&
      unit.form.proof.sure.some((has) => 'file' in has && 'file' in source && has.file === source.file),
  )
}

/** All units of one layout in the folder become checkpoints: logs beside them are read once for all. */
async function finish(
  storage: ReadStorage,
  folder: Folder,
  spec: LayoutSpec,
  own: readonly Looked[],
): Promise<Checkpoint[]> {
  await readBesides(storage, folder, own)
  const units = own.map(({ unit }) => unit)
  const readings = spec.read === undefined ? null : await readTogether(storage, spec.read, own)
  const kept = readings === null ? own : inOrderOf(readings, own)
  const facts = kept.map((one) => factsAndTimes(one, readings?.get(one.unit)))
  const metaAt = (at: number): Meta => facts[at]?.meta ?? noMeta
  const isCopied = spec.copies !== undefined || kept.some(({ unit }) => unit.target !== null)
  const known = isCopied ? kept.map(({ unit, print }, at) => ({ unit, print, meta: metaAt(at) })) : []
  const copies = await findCopies(storage, known)
  inheritFacts(kept, copies, facts)
  const pointers = [
    ...(readings === null || [...readings.values()].some(({ pointsTo }) => pointsTo === undefined)
      ? await pointersTo(storage, folder, spec, units)
      : noPointers),
    ...kept.flatMap(({ unit: { name } }, at) =>
      spec.best?.test(name) === true ? [bestUnder(name, spec, metaAt(at))] : [],
    ),
  ]
  const there = kept.map(({ unit: { name } }, at) => ({ name, facts: metaAt(at), sameAs: copies.get(name) }))
  const [needed, named] = [spec.needs?.(there), spec.stillNamed?.(there)]
  const more = kept.map(({ unit }, at) => spec.holdsMore?.(unit, metaAt(at)))
  const isAnyMore = more.includes(true)
  const found = kept.map((one, at) => {
    const { meta, measuredAt } = facts[at] ?? factsAndTimes(one, undefined)
    const reading = readings?.get(one.unit)
    const [neededFor, stillNamed] = [needed?.get(one.unit.name), named?.get(one.unit.name)]
    const isModelAlone = isAnyMore && more[at] === false
    const sameAs = copies.get(one.unit.name)
    return toCheckpoint(one, { meta, measuredAt, reading, pointers, sameAs, neededFor, stillNamed, isModelAlone })
  })
  if (spec.together === undefined) return found
  return spec.together(
    found,
    folder.entries.map(({ name }) => name),
  )
}

type Readings = ReadonlyMap<Unit, Reading>

async function readTogether(
  storage: ReadStorage,
  read: NonNullable<LayoutSpec['read']>,
  own: readonly Looked[],
): Promise<Readings> {
  const taken = own.map(({ unit, facts }) => ({ unit, facts: merged(facts) }))
  return withOpener(storage, async (io) => read(taken, io))
}

function inOrderOf(readings: Readings, own: readonly Looked[]): readonly Looked[] {
  const byUnit = new Map(own.map((one) => [one.unit, one]))
  return [...readings.keys()].flatMap((unit) => byUnit.get(unit) ?? [])
}

const noMeta: Meta = new Map()

/** With the metric, if the framework judges by a single one. */
function bestUnder(name: string, { judge }: LayoutSpec, meta: Meta): Pointer {
  const [metric, second] = (judge?.(meta) ?? []).map(([key]) => key)
  const value = metric === undefined || second !== undefined ? undefined : meta.get(metric)
  const judged = metric !== undefined && typeof value === 'number' ? { metric, value } : {}
  return { label: name, name, purpose: 'best', follows: true, ...judged }
}

async function pointersTo(
  storage: ReadStorage,
  folder: Folder,
  { pointers }: LayoutSpec,
  units: readonly Unit[],
): Promise<readonly Pointer[]> {
  if (pointers === undefined) return noPointers
  const named = units.map((unit) => ({ name: unit.name, paths: membersOf(unit).map(({ path }) => path) }))
  return pointersOf(await readPointerFiles(storage, folder, pointers, named))
}

const noPointers: readonly Pointer[] = []

/** The name of a copy seldom tells its step or epoch: it is the same state, so what its original says holds for it. */
function inheritFacts(kept: readonly Looked[], copies: ReadonlyMap<string, string>, facts: Facts[]): void {
  if (copies.size === 0) return
  const byName = new Map(kept.map((one) => [one.unit.name, one]))
  for (const [at, one] of kept.entries()) {
    const original = byName.get(copies.get(one.unit.name) ?? '')
    if (original === undefined || one.unit.target !== null || one.unit.spec.read !== undefined) continue
    one.facts.push(...original.facts)
    facts[at] = factsAndTimes(one, undefined)
  }
}
