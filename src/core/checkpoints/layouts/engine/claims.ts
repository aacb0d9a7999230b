/** Which layout a candidate belongs to: one that is sure of it, else by what the others in the folder are. */
import type { Folder } from '../layout.js'
import type { Fit, Named } from './candidates.js'
import { anyByNames, ownFiles, proveAny } from './proof.js'
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
  const { name, path, kind, entries, finding, odd, target } = candidate
  return { name, path, kind, entries, finding, odd, target, spec, form, folder, named: namedBy(form, candidate) }
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
  for (const fit of fits) {
    if (!isFitting(candidate, fit)) continue
    const unit = unitOf(candidate, fit, folder)
    const strength = strengthByNames(unit)
    if (strength === 'unknown') return null
    if (strength !== null) claims.push({ unit, strength })
    if (strength === 'sure') break
  }
  return claims
}

const nothing: readonly Has[] = []

function strengthByNames(unit: Unit): Strength | null | 'unknown' {
  const { sure, likely = nothing, never = nothing, bare = nothing } = unit.form.proof
  if (unit.finding !== null) return 'broken'
  if (unit.kind === 'folder' && unit.entries.length === 0) return null
  const barred = anyByNames(never, unit)
  if (barred === true) return null
  const proven = anyByNames(sure, unit)
  if (barred === null || proven === null) return 'unknown'
  if (proven) return 'sure'
  const probable = anyByNames(likely, unit)
  if (probable === true) return 'likely'
  const placed = anyByNames(bare, unit)
  if (probable === null || placed === null) return 'unknown'
  return placed ? 'bare' : null
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
  for (const fit of fits) {
    if (!isFitting(candidate, fit)) continue
    const unit = unitOf(broken === null ? candidate : { ...candidate, finding: broken }, fit, folder)
    const known = strengthByNames(unit)
    const strength = known === 'unknown' ? await strengthOf(unit, io) : known
    if (strength !== null) claims.push({ unit, strength })
    if (strength === 'sure') break
  }
  return claims
}

async function strengthOf(unit: Unit, io: LayoutIo): Promise<Strength | null> {
  const { sure, likely = [], never = [], bare = [] } = unit.form.proof
  if (await proveAny(never, unit, io)) return null
  if (await proveAny(sure, unit, io)) return 'sure'
  if (await proveAny(likely, unit, io)) return 'likely'
  return (await proveAny(bare, unit, io)) ? 'bare' : null
}

/** What is wrong with a file as the format that it begins as; of a group with its first such file. */
async function brokenIn(candidate: UnclaimedUnit, folder: Folder, io: LayoutIo): Promise<UnclaimedUnit['finding']> {
  if (candidate.kind === 'folder' || candidate.finding !== null) return candidate.finding
  for (const path of ownFiles({ ...candidate, folder })) {
    try {
      const { broken, size } = await io.look(path)
      // A marker of a group is empty; what else is, health tells.
      if (candidate.kind === 'group' && size === 0) continue
      const file = candidate.kind === 'group' ? { file: path.slice(folder.path.length + 1) } : {}
      if (broken !== null) return { grade: 'corrupt', ...file, reason: broken }
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      const finding = findingOf(error)
      if (finding !== null) return finding
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
      own.find(({ unit, strength }) => strength === 'bare' && sureIds.has(unit.spec.id)) ??
      null
    )
  })
}

function holdsLikely(unit: Unit, sure: readonly Claim[]): boolean {
  if (sure.some((one) => one.unit.spec.id === unit.spec.id)) return true
  return !sure.some((one) => one.unit.kind === unit.kind && unit.form.name.test(one.unit.name))
}
