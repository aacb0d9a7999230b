/** Which layout a candidate belongs to: one that is sure of it, else by what the others in the folder are. */
import type { Folder } from '../layout.js'
import type { Fit, Named } from './candidates.js'
import { anyByNames, ownFiles, proveAny } from './proof.js'
import type { Finding } from '../../../checkpoint.js'
import type { DirectoryEntry } from '../../../storage/storage.js'
import { StorageError } from '../../../errors.js'
import type { Has } from '../spec.js'
import { findingOf } from '../folders.js'
import type { UnclaimedUnit, LayoutIo, Unit } from './unit-paths.js'

/**
 * `sure` and `likely` by their proofs; `broken`: what should be looked into cannot be, so nothing is proven; `bare`:
 * the name fits and nothing else.
 */
export type Strength = 'sure' | 'likely' | 'broken' | 'bare'

export interface Claim {
  readonly unit: Unit
  readonly strength: Strength
}

/** The candidate as a unit of one form. */
export function unitOf(candidate: UnclaimedUnit, { spec, form }: Fit, folder: Folder): Unit {
  const { name, path, kind, finding, odd, target } = candidate
  const entries = kind === 'folder' ? entriesOf(candidate, spec) : candidate.entries
  return { name, path, kind, entries, finding, odd, target, spec, form, folder, named: namedBy(form, candidate) }
}

/** Without what is in folders that another layout looks into. */
function entriesOf({ entries }: UnclaimedUnit, { forms }: Fit['spec']): readonly DirectoryEntry[] {
  // Those within come last.
  if (entries.at(-1)?.name.includes('/') !== true) return entries
  return entries.filter(({ name }) => {
    const end = name.indexOf('/')
    return end === -1 || forms.some(({ below }) => below?.test(name.slice(0, end)))
  })
}

function namedBy(
  { name, called = {} }: Fit['form'],
  { name: own, kind, entries }: UnclaimedUnit,
): ReadonlyMap<string, string> {
  if (!hasGroups(name)) return unnamed
  const text = kind === 'group' ? (entries[0]?.name ?? own) : own
  const groups = name.exec(text)?.groups
  if (groups === undefined) return unnamed
  return new Map(
    (Object.entries(groups) as [string, string | undefined][]).flatMap(([key, value]): [string, string][] =>
      value === undefined || key === 'unit' || key === 'part' || key === 'tail' ? [] : [[called[key] ?? key, value]],
    ),
  )
}

const unnamed: ReadonlyMap<string, string> = new Map()

/** Asked of the same patterns for thousands of names. */
const grouped = new WeakMap<RegExp, boolean>()

function hasGroups(pattern: RegExp): boolean {
  let answer = grouped.get(pattern)
  if (answer === undefined) grouped.set(pattern, (answer = pattern.source.includes('(?<')))
  return answer
}

/** A group was made by the names of its files. */
function isFitting({ kind, name }: UnclaimedUnit, { form }: Fit): boolean {
  return kind === 'group' || form.name.test(name)
}

/** What names tell: the claims in order, up to the first sure one; null where files must be looked into. */
export function claimByNames(candidate: UnclaimedUnit, { fits }: Named, folder: Folder): Claim[] | null {
  const claims: Claim[] = []
  const refuted = refutedBy(candidate, folder)
  for (const fit of fits) {
    if (refuted?.has(fit) === true || !isFitting(candidate, fit)) continue
    const unit = unitOf(candidate, fit, folder)
    const strength = strengthByNames(unit)
    if (strength === 'unknown') return null
    if (strength === null) refuted?.add(fit)
    else claims.push({ unit, strength })
    if (strength === 'sure') break
  }
  return claims
}

/** By the folder that they lie in, and by listing, which thousands of folders may share: the shapes that its names refute. */
const refutations = new WeakMap<Folder, WeakMap<readonly DirectoryEntry[], Set<Fit>>>()

/** What names prove goes by what lies in a folder and beside it; null for what they do not tell all of. */
function refutedBy({ kind, entries, finding, odd }: UnclaimedUnit, folder: Folder): Set<Fit> | null {
  if (kind !== 'folder' || finding !== null || odd.size > 0) return null
  const byListing = refutations.get(folder) ?? new WeakMap<readonly DirectoryEntry[], Set<Fit>>()
  refutations.set(folder, byListing)
  const refuted = byListing.get(entries) ?? new Set<Fit>()
  byListing.set(entries, refuted)
  return refuted
}

const nothing: readonly Has[] = []

/** Null for what names tell to be none of it. */
export function strengthByNames(unit: Unit): Strength | null | 'unknown' {
  const { sure, likely = nothing, never = nothing, bare = nothing } = unit.form.proof
  if (unit.finding !== null) return 'broken'
  // Nothing is there that speaks for it: by its name it may stand in the place of one.
  if (unit.kind === 'folder' && unit.entries.length === 0) return anyByNames(bare, unit) === false ? null : 'bare'
  const barred = anyByNames(never, unit)
  if (barred === true) return null
  const proven = anyByNames(sure, unit)
  if (barred === null || proven === null) return 'unknown'
  if (proven) return 'sure'
  const probable = anyByNames(likely, unit)
  if (probable === true) return 'likely'
  const byNames = anyByNames(bare, unit)
  if (probable === null || byNames === null) return 'unknown'
  return byNames ? 'bare' : null
}

/** The same where files are looked into. */
export async function claimByContents(
  candidate: UnclaimedUnit,
  { fits }: Named,
  folder: Folder,
  io: LayoutIo,
): Promise<Claim[]> {
  const claims: Claim[] = []
  const broken = await brokenIn(candidate, folder, io)
  const claim = async (one: UnclaimedUnit, fit: Fit): Promise<Claim | null> => {
    const unit = unitOf(one, fit, folder)
    const known = strengthByNames(unit)
    const strength = known === 'unknown' ? await strengthOf(unit, io) : known
    return strength === null ? null : { unit, strength }
  }
  for (const fit of fits) {
    if (!isFitting(candidate, fit)) continue
    const sound = broken?.isReadable === false ? null : await claim(candidate, fit)
    const made =
      broken === null ? sound : withFinding(sound, await claim({ ...candidate, finding: broken.finding }, fit))
    if (made !== null) claims.push(made)
    if (made?.strength === 'sure') break
  }
  return claims
}

/** What would run code is known by what it holds, and has its finding all the same. */
function withFinding(sound: Claim | null, broken: Claim | null): Claim | null {
  return sound === null || broken === null ? broken : { unit: broken.unit, strength: sound.strength }
}

async function strengthOf(unit: Unit, io: LayoutIo): Promise<Strength | null> {
  const { sure, likely = [], never = [], bare = [] } = unit.form.proof
  if (await proveAny(never, unit, io)) return null
  if (await proveAny(sure, unit, io)) return 'sure'
  if (await proveAny(likely, unit, io)) return 'likely'
  return (await proveAny(bare, unit, io)) ? 'bare' : null
}

interface Broken {
  readonly finding: Finding
  /** It would run code, and what it holds is to be seen all the same. */
  readonly isReadable: boolean
}

/** What is wrong with a file as the format that it begins as; of a group with its first such file. */
async function brokenIn(candidate: UnclaimedUnit, folder: Folder, io: LayoutIo): Promise<Broken | null> {
  if (candidate.finding !== null) return { finding: candidate.finding, isReadable: false }
  if (candidate.kind === 'folder') return null
  for (const path of ownFiles({ ...candidate, folder })) {
    try {
      const { broken, unsafe, size } = await io.look(path)
      const name = path.slice(folder.path.length + 1)
      // A marker of a group is empty; of what else is, but for the file that it is known by, health tells.
      if (candidate.kind === 'group' && size === 0 && name !== candidate.name) continue
      const file = candidate.kind === 'group' ? { file: name } : {}
      const reason = broken ?? unsafe
      if (reason !== null) return { finding: { grade: 'corrupt', ...file, reason }, isReadable: broken === null }
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      const finding = findingOf(error)
      if (finding !== null) return { finding, isReadable: false }
    }
  }
  return null
}

/**
 * Of each candidate's claims the one that holds. A likely one holds among sure ones of its layout, and elsewhere where
 * no other layout is sure of what has such names; what is broken, among sure ones or under a name that only its
 * framework gives; a bare name, only in place of one among sure ones.
 */
export function resolveClaims(claims: readonly (readonly Claim[])[]): (Claim | null)[] {
  // Of most runs all that is claimed is surely so.
  if (claims.every((own) => own.length === 0 || own[0]?.strength === 'sure'))
    return claims.map(([first]) => first ?? null)
  const sure = claims.flatMap((one) => one.filter(({ strength }) => strength === 'sure'))
  const sureIds = new Set(sure.map(({ unit }) => unit.spec.id))
  const likely = claims.flatMap((one) => one.filter(({ strength }) => strength === 'likely'))
  const known = new Set([
    ...sureIds,
    ...likely.filter(({ unit }) => holdsLikely(unit, sure)).map(({ unit }) => unit.spec.id),
  ])
  return claims.map((own) => {
    const first = own.find(({ strength }) => strength === 'sure')
    if (first !== undefined) return first
    const probable = own.find(({ unit, strength }) => strength === 'likely' && holdsLikely(unit, sure))
    if (probable !== undefined) return probable
    const broken = own.filter(({ strength }) => strength === 'broken')
    return (
      broken.find(({ unit }) => known.has(unit.spec.id)) ??
      broken.find(({ unit }) => unit.form.proof.typical?.test(unit.name) === true) ??
      broken.find(({ unit }) => unit.finding?.grade === 'unreadable' && unit.form.proof.orUnreadable === true) ??
      own.find(({ unit, strength }) => strength === 'bare' && sureIds.has(unit.spec.id)) ??
      null
    )
  })
}

function holdsLikely(unit: Unit, sure: readonly Claim[]): boolean {
  if (sure.some((one) => one.unit.spec.id === unit.spec.id)) return true
  return !sure.some((one) => one.unit.kind === unit.kind && unit.form.name.test(one.unit.name))
}
