/** The claims of candidates, and what their own files say: each file is read once, and few are opened. */
import type { ReadStorage } from '../../../storage/storage.js'
import type { Folder } from '../layout.js'
import type { FactFile, FactSource, LookSource } from '../spec.js'
import { listCandidates, type Named } from './candidates.js'
import { type Claim, claimByContents, claimByNames } from './claims.js'
import { merged, pickedAs, sourcesOf, storageFinding, type SourceFacts, torchContent, withoutWrong } from './facts.js'
import { printOf } from './fingerprint.js'
import { isWorthReading, type Looked } from './looked-claim.js'
import { type Opener, withOpener } from './opener.js'
import { corrupt, nameWithin, pathsOf, readOwnFiles, tellContent } from './unit-files.js'
import type { UnclaimedUnit, Unit } from './unit-paths.js'

interface Listed {
  readonly candidate: UnclaimedUnit
  readonly named: Named
  /** Null where files must be looked into. */
  readonly claims: readonly Claim[] | null
}

type OwnFacts = ReadonlyMap<Unit, (SourceFacts | null)[]>

/** The claims of each, with what the first of them would say. */
export async function lookAtBatch(storage: ReadStorage, folder: Folder, batch: readonly Named[]): Promise<Looked[][]> {
  const candidates = await listCandidates(storage, folder, batch)
  const listed: Listed[] = []
  const worthReading: Unit[] = []
  for (const [index, named] of batch.entries()) {
    const candidate = candidates[index] ?? null
    if (candidate === null) continue
    const claims = claimByNames(candidate, named, folder)
    listed.push({ candidate, named, claims })
    const first = claims?.[0]
    if (first !== undefined && isWorthReading(first)) worthReading.push(first.unit)
  }
  const prefetched = await readOwnFiles(storage, worthReading)
  const looked: Looked[][] = []
  for (const one of listed)
    looked.push(lookByNames(one, prefetched) ?? (await lookWithin(storage, folder, one, prefetched)))
  return looked
}

/** Null where a file must be opened. */
function lookByNames({ claims }: Listed, prefetched: OwnFacts): Looked[] | null {
  const first = claims?.[0]
  if (claims === null || (first !== undefined && needsOpening(first))) return null
  return withFacts(claims, prefetched)
}

async function lookWithin(storage: ReadStorage, folder: Folder, one: Listed, prefetched: OwnFacts): Promise<Looked[]> {
  return withOpener(storage, (opener) => openClaims(folder, one, prefetched, opener))
}

function needsOpening(claim: Claim): boolean {
  if (!isWorthReading(claim)) return false
  return claim.unit.spec.copies?.by.includes('content') === true || sourcesOf(claim.unit).some(isLookedInto)
}

function withFacts(claims: readonly Claim[], prefetched: OwnFacts): Looked[] {
  return claims.map(({ unit, strength }) => ({ unit, strength, facts: prefetched.get(unit) ?? [], print: null }))
}

async function openClaims(
  folder: Folder,
  { candidate, named, claims: known }: Listed,
  prefetched: OwnFacts,
  opener: Opener,
): Promise<Looked[]> {
  const claims = known ?? (await claimByContents(candidate, named, folder, opener))
  const looked = withFacts(claims, prefetched)
  const [first] = looked
  if (first === undefined || !isWorthReading(first)) return looked
  const own =
    first.facts.length === 0
      ? await readOwnFiles(opener.storage, [first.unit])
      : new Map<Unit, (SourceFacts | null)[]>()
  const facts = await readTorch(first.unit, own.get(first.unit) ?? first.facts, opener)
  return [{ ...first, facts, print: await printOf(first.unit, opener) }, ...looked.slice(1)]
}

/** One whose claim held although another came first: what it says is read now. */
export async function readLater(storage: ReadStorage, one: Looked): Promise<Looked> {
  const own = await readOwnFiles(storage, isWorthReading(one) ? [one.unit] : [])
  return withOpener(storage, async (opener) => ({
    ...one,
    facts: await readTorch(one.unit, own.get(one.unit) ?? [], opener),
    print: await printOf(one.unit, opener),
  }))
}

function isLookedInto(source: FactSource): source is LookSource | FactFile {
  return source.from === 'look' || (source.from === 'torch' && source.beside === undefined)
}

/** Adds what files of torch.save say, and those that the layout asks itself. */
async function readTorch(
  unit: Unit,
  facts: readonly (SourceFacts | null)[],
  opener: Opener,
): Promise<(SourceFacts | null)[]> {
  const all = [...facts]
  for (const [at, source] of sourcesOf(unit).entries()) {
    if (!isLookedInto(source)) continue
    const [path] = pathsOf(unit, source)
    if (path === undefined) continue
    const file = nameWithin(unit, path)
    try {
      const look = await opener.look(path)
      if (source.from === 'look') {
        if (look.broken === null)
          all[at] = withoutWrong(pickedAs(await source.tell(look, unit, merged(all), opener)), file)
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
