/** All layouts that are data, asked about one folder: what is claimed, what it says, what it is called. */
import { sep } from 'node:path'
import {
  healthFrom,
  type Checkpoint,
  type Direction,
  type Finding,
  type Member,
  type Meta,
  type MetaValue,
  type Moment,
  type Part,
  type Pointer,
} from '../../../checkpoint.js'
import { crc32 } from '../../../formats/crc32.js'
import type { ReadStorage } from '../../../storage/storage.js'
import { batches } from '../folders.js'
import type { Folder } from '../layout.js'
import { toFinite } from '../numbers.js'
import type { FactFile, FactSource, FileLook, LayoutSpec, LookSource, Reading, TableSource } from '../spec.js'
import { filesBeside } from './beside.js'
import { findNamed, listCandidates, type Named } from './candidates.js'
import { claimByContents, claimByNames, resolveClaims, type Claim } from './claims.js'
import { findCopies } from './copies.js'
import {
  factsOf,
  factsOfName,
  merged,
  pickedAs,
  sourcesOf,
  storageFinding,
  torchContent,
  withoutWrong,
  type Told,
} from './facts.js'
import { corrupt, nameWithin, parseAll, pathsOf, readOwnFiles, tellContent } from './own-files.js'
import { paramFilesOf } from './files.js'
import { ownFiles } from './has.js'
import { withOpener, type Opener } from './opener.js'
import { pointersOf, readBooks } from './pointers.js'
import { readRows, type Joined } from './tables.js'
import type { UnclaimedUnit, Unit } from './unit.js'
import { findingsOfWhole } from './whole.js'

/** Candidates looked at together. */
const batchSize = 256
/** A file of facts beside the checkpoints has no more, unless its source says so. */
const largestFacts = 64 << 20

/** What is known of a claim once its own files were read; told by source, in the form's order. */
interface Looked extends Claim {
  readonly told: (Told | null)[]
  /** Equal for equal contents, where copies are looked for. */
  print: string | null
}

export async function scanSpecs(
  storage: ReadStorage,
  folder: Folder,
  specs: readonly LayoutSpec[],
): Promise<Checkpoint[]> {
  const named = await findNamed(storage, folder, specs)
  const looked: Looked[][] = []
  for (const batch of batches(named, batchSize)) looked.push(...(await lookAtBatch(storage, folder, batch)))
  const resolved = resolveClaims(looked).flatMap((claim) => (claim === null ? [] : [claim as Looked]))
  const taken = withoutForeignLinks(withoutParts(resolved))
  const complete: Looked[] = []
  for (const one of taken) {
    const read = isRead(one) ? one : await readLater(storage, one)
    if (!hasVanished(read)) complete.push(read)
  }
  const found: Checkpoint[] = []
  for (const spec of specs) {
    const own = complete.filter(({ unit }) => unit.spec === spec)
    if (own.length > 0) found.push(...(await finish(storage, folder, spec, own)))
  }
  return found
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

/** A file that is part of a group is no checkpoint beside it, whatever it looks like by itself. */
function withoutParts(taken: readonly Looked[]): Looked[] {
  const groups = taken.filter(({ unit, strength }) => unit.kind === 'group' && strength !== 'broken')
  const parts = new Set(groups.flatMap(({ unit }) => unit.entries.map(({ name }) => name)))
  return taken.filter(({ unit }) => unit.kind !== 'file' || !parts.has(unit.name))
}

/** The claims of each, with what the first of them would say. */
async function lookAtBatch(storage: ReadStorage, folder: Folder, batch: readonly Named[]): Promise<Looked[][]> {
  const candidates = await listCandidates(storage, folder, batch)
  const listed = batch.flatMap((named, index): Listed[] => {
    const candidate = candidates[index] ?? null
    return candidate === null ? [] : [{ candidate, named, claims: claimByNames(candidate, named, folder) }]
  })
  const prefetched = await readOwnFiles(storage, readable(listed.flatMap(({ claims }) => claims?.slice(0, 1) ?? [])))
  const looked: Looked[][] = []
  for (const one of listed)
    looked.push(lookByNames(one, prefetched) ?? (await lookWithin(storage, folder, one, prefetched)))
  return looked
}

interface Listed {
  readonly candidate: UnclaimedUnit
  readonly named: Named
  /** Null where files must be looked into. */
  readonly claims: readonly Claim[] | null
}

type OwnTold = ReadonlyMap<Unit, (Told | null)[]>

/** Null where a file must be opened. */
function lookByNames({ claims }: Listed, prefetched: OwnTold): Looked[] | null {
  return claims === null || claims.some(needsOpening) ? null : withTold(claims, prefetched)
}

async function lookWithin(storage: ReadStorage, folder: Folder, one: Listed, prefetched: OwnTold): Promise<Looked[]> {
  return withOpener(storage, (opener) => openClaims(folder, one, prefetched, opener))
}

function readable(claims: readonly Claim[]): Unit[] {
  return claims.filter(isWorthReading).map(({ unit }) => unit)
}

function isWorthReading({ strength, unit }: Claim): boolean {
  return (strength === 'sure' || strength === 'likely') && unit.spec.read === undefined
}

function needsOpening(claim: Claim, index: number): boolean {
  if (index > 0 || !isWorthReading(claim)) return false
  return claim.unit.spec.copies?.by.includes('content') === true || sourcesOf(claim.unit).some(isLookedInto)
}

function withTold(claims: readonly Claim[], prefetched: OwnTold): Looked[] {
  return claims.map(({ unit, strength }) => ({ unit, strength, told: prefetched.get(unit) ?? [], print: null }))
}

async function openClaims(
  folder: Folder,
  { candidate, named, claims: known }: Listed,
  prefetched: OwnTold,
  opener: Opener,
): Promise<Looked[]> {
  const claims = known ?? (await claimByContents(candidate, named, folder, opener))
  const looked = withTold(claims, prefetched)
  const [first] = looked
  if (first === undefined || !isWorthReading(first)) return looked
  const own =
    first.told.length === 0 ? await readOwnFiles(opener.storage, [first.unit]) : new Map<Unit, (Told | null)[]>()
  const told = await readTorch(first.unit, own.get(first.unit) ?? first.told, opener)
  return [{ ...first, told, print: await printOf(first.unit, opener) }, ...looked.slice(1)]
}

/** One whose claim held although another came first: what it says is read now. */
async function readLater(storage: ReadStorage, one: Looked): Promise<Looked> {
  const own = await readOwnFiles(storage, readable([one]))
  return withOpener(storage, async (opener) => ({
    ...one,
    told: await readTorch(one.unit, own.get(one.unit) ?? [], opener),
    print: await printOf(one.unit, opener),
  }))
}

/** What proved it is not there any more: somebody removes it just now. */
function hasVanished({ unit, told }: Looked): boolean {
  if (!told.some((one) => one?.isGone === true)) return false
  return sourcesOf(unit).some(
    (source, at) =>
      told[at]?.isGone === true &&
      unit.form.proof.sure.some((has) => 'file' in has && 'file' in source && has.file === source.file),
  )
}

function isRead(one: Looked): boolean {
  return !isWorthReading(one) || one.told.length > 0
}

function isLookedInto(source: FactSource): source is LookSource | FactFile {
  return source.from === 'look' || (source.from === 'torch' && source.beside === undefined)
}

/** Adds what files of torch.save say, and those that the layout asks itself. */
async function readTorch(unit: Unit, told: readonly (Told | null)[], opener: Opener): Promise<(Told | null)[]> {
  const all = [...told]
  for (const [at, source] of sourcesOf(unit).entries()) {
    if (!isLookedInto(source)) continue
    const [path] = pathsOf(unit, source)
    if (path === undefined) continue
    const file = nameWithin(unit, path)
    try {
      const look = await opener.look(path)
      if (source.from === 'look') {
        if (look.broken === null) all[at] = withoutWrong(pickedAs(await source.tell(look, unit, merged(all))), file)
      } else if (look.broken !== null) {
        all[at] = tellContent(source, corrupt(file, look.broken), unit, file, all)
      } else all[at] = tellContent(source, await torchContent(look, source), unit, file, all)
    } catch (error) {
      const finding = storageFinding(error, file)
      if (finding === null) continue
      all[at] =
        source.from === 'look'
          ? { meta: new Map(), findings: [finding] }
          : tellContent(source, finding, unit, file, all)
    }
  }
  return all
}

async function printOf(unit: Unit, opener: Opener): Promise<string | null> {
  if (unit.spec.copies?.by.includes('content') !== true || unit.kind === 'folder') return null
  try {
    const prints: string[] = []
    for (const path of ownFiles(unit)) {
      const print = await printOfFile(await opener.look(path))
      if (print === null) return null
      prints.push(print)
    }
    return prints.join(' ')
  } catch (error) {
    if (storageFinding(error) === null) return null
    return null
  }
}

/** Of an archive its entries' checksums; of any other file the bytes, where they are few. */
async function printOfFile(look: FileLook): Promise<string | null> {
  const sums = await look.zip()
  if (sums === null) {
    const sum = await look.sum()
    return sum === null ? null : `${look.size}:${sum}`
  }
  const text = [...sums].map(([name, sum]) => `${name.replace(/^[^/]*\//, '')} ${sum}`).join('\n')
  return `${look.size}:${crc32(new TextEncoder().encode(text), 0)}`
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
  const read = spec.read?.bind(spec)
  const readings = read === undefined ? null : await withOpener(storage, async (io) => read(units, io))
  const kept = readings === null ? own : own.filter(({ unit, strength }) => readings.has(unit) || strength === 'broken')
  const facts = new Map(kept.map((one) => [one, factsAndTimes(one, readings?.get(one.unit))]))
  const copies = await findCopies(
    storage,
    kept.map((one) => ({ unit: one.unit, print: one.print, meta: facts.get(one)?.meta ?? new Map() })),
  )
  inheritFacts(kept, copies, facts)
  const named = units.map((unit) => ({ name: unit.name, paths: membersOf(unit).map(({ path }) => path) }))
  const books = await readBooks(storage, folder, spec.pointers ?? [], named)
  const pointers = pointersOf(books)
  const needed = spec.needs?.(
    kept.map((one) => ({
      name: one.unit.name,
      facts: facts.get(one)?.meta ?? new Map<string, MetaValue>(),
      sameAs: copies.get(one.unit.name),
    })),
  )
  return kept.map((one) => {
    const { meta, measuredAt } = facts.get(one) ?? factsAndTimes(one, undefined)
    const reading = readings?.get(one.unit)
    const neededFor = needed?.get(one.unit.name)
    return toCheckpoint(one, { meta, measuredAt, reading, pointers, sameAs: copies.get(one.unit.name), neededFor })
  })
}

/** The name of a copy seldom tells its step or epoch: it is the same state, so what its original says holds for it. */
function inheritFacts(kept: readonly Looked[], copies: ReadonlyMap<string, string>, facts: Map<Looked, Facts>): void {
  if (copies.size === 0) return
  const byName = new Map(kept.map((one) => [one.unit.name, one]))
  for (const one of kept) {
    const original = byName.get(copies.get(one.unit.name) ?? '')
    if (original === undefined || one.unit.target !== null || one.unit.spec.read !== undefined) continue
    one.told.push(...original.told)
    facts.set(one, factsAndTimes(one, undefined))
  }
}

/** Fills in what lies beside the run's checkpoints: each file once. */
async function readBesides(storage: ReadStorage, folder: Folder, own: readonly Looked[]): Promise<void> {
  const sources = new Map<FactSource, { one: Looked; at: number }[]>()
  for (const one of own.filter((each) => isWorthReading(each) && each.told.length > 0)) {
    sourcesOf(one.unit).forEach((source, at) => {
      if ('beside' in source) sources.set(source, [...(sources.get(source) ?? []), { one, at }])
    })
  }
  for (const [source, all] of sources) {
    if (source.from === 'jsonl' || source.from === 'csv') await joinTable(storage, folder, source, all)
    else if (isFile(source)) await tellBeside(storage, folder, source, all)
  }
}

function isFile(source: FactSource): source is FactFile {
  return !['name', 'jsonl', 'csv', 'bytes', 'look'].includes(source.from)
}

async function joinTable(
  storage: ReadStorage,
  folder: Folder,
  source: TableSource,
  all: readonly { readonly one: Looked; readonly at: number }[],
): Promise<void> {
  const keys = all.map(({ one }) => keyOf(one, source))
  const wanted = new Set(keys.filter((key) => key !== null))
  const rows = await readRows(storage, await filesBeside(storage, folder, source.beside), source, wanted)
  all.forEach(({ one, at }, index) => {
    const row = rows.get(keys[index] ?? NaN)
    if (row !== undefined) one.told[at] = { meta: row, findings: [] }
  })
}

/** What the checkpoint's row is found by; null where that is not known. */
function keyOf(one: Looked, { by, offset = 0 }: TableSource): Joined | null {
  if (by === 'name') return one.unit.name
  const count = toFinite(merged(one.told).get(by))
  return count === null ? null : count + offset
}

async function tellBeside(
  storage: ReadStorage,
  folder: Folder,
  source: FactFile,
  all: readonly { readonly one: Looked; readonly at: number }[],
): Promise<void> {
  const [path] = await filesBeside(storage, folder, source.beside ?? '')
  if (path === undefined) return
  const content = await contentBeside(storage, source, path)
  if (content === null || 'reason' in content) return
  for (const { one, at } of all) one.told[at] = factsOf(source, content, one.unit, merged(one.told))
}

async function contentBeside(storage: ReadStorage, source: FactFile, path: string): Promise<Meta | Finding | null> {
  if (source.from === 'torch') {
    return withOpener(storage, async (opener) => {
      try {
        return await torchContent(await opener.look(path), source)
      } catch (error) {
        return storageFinding(error)
      }
    })
  }
  const [bytes] = await storage.read([path], source.limit ?? largestFacts)
  if (bytes === undefined) return null
  const [content] = await parseAll(source, [bytes], [path])
  return content ?? null
}

interface Facts {
  readonly meta: ReadonlyMap<string, MetaValue>
  readonly measuredAt: ReadonlyMap<string, Moment>
}

const noTimes: ReadonlyMap<string, Moment> = new Map()

function factsAndTimes({ told }: Looked, reading: Reading | undefined): Facts {
  if (reading !== undefined) return { meta: reading.meta, measuredAt: reading.measuredAt ?? noTimes }
  if (told.every((one) => one?.measuredAt === undefined)) return { meta: merged(told), measuredAt: noTimes }
  const measuredAt = new Map<string, Moment>()
  for (const one of told)
    for (const [key, moment] of one?.measuredAt ?? []) if (!measuredAt.has(key)) measuredAt.set(key, moment)
  return { meta: merged(told), measuredAt }
}

/** Where step and epoch are told, the name of what is broken included: there it is all that is left. */
function countsOf({ unit, told }: Looked): ReadonlyMap<string, MetaValue> {
  if (unit.finding === null) return merged(told)
  const source = sourcesOf(unit).find(({ from }) => from === 'name')
  return source?.from === 'name' ? factsOfName(unit, source).meta : new Map()
}

/** What a checkpoint says of itself: not the counts that only its name tells, and not what a spec keeps for itself. */
function shownOf({ told }: Looked, meta: ReadonlyMap<string, MetaValue>): ReadonlyMap<string, MetaValue> {
  const isSaid = (key: string) => told.some((one) => one !== null && one.isOfName !== true && one.meta.has(key))
  const isHidden = (key: string) => ((key === 'step' || key === 'epoch') && !isSaid(key)) || key.startsWith('#')
  for (const hidden of meta.keys()) {
    if (isHidden(hidden)) return new Map([...meta].filter(([key]) => !isHidden(key)))
  }
  return meta
}

interface Around extends Facts {
  readonly reading: Reading | undefined
  readonly pointers: readonly Pointer[]
  readonly sameAs: string | undefined
  readonly neededFor: string | undefined
}

function toCheckpoint(
  one: Looked,
  { meta, measuredAt, reading, pointers, sameAs: copy, neededFor }: Around,
): Checkpoint {
  const { unit } = one
  const { spec, name, path, folder } = unit
  const counts = reading === undefined ? countsOf(one) : meta
  const findings = findingsOf(one, meta, reading)
  const directions = reading?.directions ?? directionsBy(spec, meta)
  const sameAs = reading?.sameAs ?? copy
  const { lacks, resumable } = resumingOf(unit, meta, reading, findings)
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
    pointsTo: withOwn([...(reading?.pointsTo ?? []), ...(spec.namedBy?.(meta) ?? [])], pointers),
  }
  if (measuredAt.size > 0) checkpoint.measuredAt = measuredAt
  if (directions.size > 0) checkpoint.directions = directions
  if (sameAs !== undefined) checkpoint.sameAs = sameAs
  if (neededFor !== undefined) checkpoint.neededFor = neededFor
  const uncounted = sameAs === undefined ? placeByName(unit, counts, meta) : undefined
  if (uncounted !== undefined) checkpoint.uncounted = uncounted
  if (resumable !== undefined) checkpoint.resumable = resumable
  if (lacks.length > 0) checkpoint.lacks = lacks
  return checkpoint
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

const noDirections: ReadonlyMap<string, Direction> = new Map()

function directionsBy({ judge }: LayoutSpec, meta: Meta): ReadonlyMap<string, Direction> {
  return judge === undefined ? noDirections : new Map(judge(meta))
}

const noFindings: readonly Finding[] = []

/** All that is wrong with it, by what was read and by what is not there. */
function findingsOf({ unit, told, strength }: Looked, meta: Meta, reading: Reading | undefined): readonly Finding[] {
  const ofWhole = findingsOfWhole(unit, meta)
  const isSound = unit.finding === null && strength !== 'bare' && reading?.findings === undefined
  if (isSound && ofWhole.length === 0 && told.every((one) => one === null || one.findings.length === 0))
    return noFindings
  return [
    ...(unit.finding === null ? noFindings : [unit.finding]),
    ...told.flatMap((each) => each?.findings ?? noFindings),
    ...(reading?.findings ?? noFindings),
    ...ofWhole,
    ...(strength === 'bare'
      ? [{ grade: 'corrupt', reason: `nothing in it is ${unit.spec.title}'s, as in the others` } as const]
      : noFindings),
  ]
}

const nothingLacks: readonly Part[] = []

function resumingOf(
  unit: Unit,
  meta: Meta,
  reading: Reading | undefined,
  findings: readonly Finding[],
): { readonly lacks: readonly Part[]; readonly resumable: boolean | undefined } {
  const { form } = unit
  const lacks = isUnfinished(findings) ? nothingLacks : (form.lacks?.(unit, meta) ?? nothingLacks)
  if (reading?.resumable !== undefined) return { lacks, resumable: reading.resumable }
  if (lacks.some((part) => part !== 'random state')) return { lacks, resumable: false }
  return { lacks, resumable: typeof form.resumable === 'function' ? form.resumable(unit, meta) : form.resumable }
}

/** A name that may be a copy's, of which no original is there and nothing inside tells when it was saved. */
function placeByName({ spec, name }: Unit, counts: Meta, meta: Meta): Checkpoint['uncounted'] {
  if (spec.copies?.names.test(name) !== true) return undefined
  const isCounted = [counts.get('step'), counts.get('epoch'), meta.get('unixtime')].some(
    (one) => toFinite(one) !== null,
  )
  if (isCounted) return undefined
  return /last|latest|final/i.test(name) ? 'newest' : 'any'
}

/** One list for all where nothing is said of this one alone: there may be thousands of both. */
function withOwn(own: readonly Pointer[], pointers: readonly Pointer[]): readonly Pointer[] {
  return own.length === 0 ? pointers : [...own, ...pointers]
}

/** Of one still being written nothing is known to be missing. */
function isUnfinished(findings: readonly Finding[]): boolean {
  return findings.some(({ grade }) => grade === 'unfinished')
}

function membersOf(unit: Unit): Member[] {
  if (unit.kind !== 'group') return [{ path: unit.path, kind: unit.kind === 'folder' ? 'directory' : 'file' }]
  return unit.entries.map(({ name }) => ({ path: unit.folder.path + sep + name, kind: 'file' }))
}

/** A group of one file that has its name is no more than that file. */
function isOneFile({ kind, entries, name }: Unit): boolean {
  return kind === 'file' || (kind === 'group' && entries.length === 1 && entries[0]?.name === name)
}
