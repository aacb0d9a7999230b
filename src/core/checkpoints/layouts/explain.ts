/** Which layouts claim a file or folder, by what, and why the others do not: what one needs to write one's own. */
import { basename, dirname, sep } from 'node:path'
import type { Checkpoint } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { quoteWord } from '../../formats/text/shell-words.js'
import type { ReadStorage } from '../../storage/storage.js'
import { findNamed, listCandidates } from './engine/candidates.js'
import { claimByContents, unitOf } from './engine/claims.js'
import { describeHas, prove } from './engine/proof.js'
import { withOpener } from './engine/opener.js'
import { patternText } from './engine/pattern-text.js'
import { prefixOf } from './folders.js'
import type { Folder } from './layout.js'
import { knownSpecs } from './registry.js'
import { scanFolder } from './scan.js'
import type { Form, Has, LayoutSpec } from './spec.js'
import { ScanTree } from './scan-tree.js'

/** `takes`: it is one of its checkpoints; `fits`: its name does, and another layout has it, or it lacks a proof. */
export type Verdict = 'takes' | 'fits' | 'no'

export interface Explained {
  readonly layout: string
  readonly title: string
  readonly verdict: Verdict
  /** In words, one reason each. */
  readonly reasons: readonly string[]
}

export interface Explanation {
  /** Absolute. */
  readonly path: string
  /** What it was found to be, or to be a part of; null for no checkpoint. */
  readonly checkpoint: Checkpoint | null
  /** Checkpoints right in it, where it is a folder and no checkpoint. */
  readonly inside: readonly Checkpoint[]
  /** Of `path`, or of the checkpoint that it is a part of: the layout that has it first, then those whose names fit. */
  readonly layouts: readonly Explained[]
}

/** Folders above a path that are asked whether it is a part of one of their checkpoints. */
const mostAbove = 4
/** Entries of such a folder that are all looked at; of more only the one that leads to the path, be it in no company. */
const mostBeside = 256

/** `path` is absolute. Throws CkptError `not-found`, StorageError. */
export async function explainPath(storage: ReadStorage, path: string): Promise<Explanation> {
  const tree = ScanTree.over(storage)
  const run = dirname(path)
  const [listing] = await tree.list([run])
  if (listing?.ok === false) throw listing.error
  const entries = listing?.value ?? []
  const isRoot = run === path
  if (!isRoot && !entries.some(({ name }) => name === basename(path))) {
    throw new CkptError('not-found', `${path}: nothing there`, { hint: `see what there is: ls -a ${quoteWord(run)}` })
  }
  const { folder, name, checkpoint } = await findOutermost(tree, path, { path: run, entries })
  const found: Explained[] = []
  for (const spec of knownSpecs()) found.push(await explainSpec(tree, folder, name, spec, checkpoint))
  const order: readonly Verdict[] = ['takes', 'fits', 'no']
  const layouts = found.toSorted((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict))
  return { path, checkpoint, inside: checkpoint === null ? await checkpointsIn(tree, path) : [], layouts }
}

interface Outermost {
  readonly folder: Folder
  /** Of what is explained, relative to the folder. */
  readonly name: string
  readonly checkpoint: Checkpoint | null
}

/** The outermost checkpoint is what counts: `path` may be one, or lie in one of a folder further up. */
async function findOutermost(storage: ReadStorage, path: string, beside: Folder): Promise<Outermost> {
  let found: Outermost = { folder: beside, name: basename(path), checkpoint: null }
  let folder = beside
  for (let above = 0; above < mostAbove; above += 1) {
    for (const checkpoint of await scanFolder(storage, folder)) {
      const member = checkpoint.members.find((one) => path === one.path || path.startsWith(one.path + sep))
      if (member !== undefined) found = { folder, name: member.path.slice(prefixOf(folder.path).length), checkpoint }
    }
    const next = dirname(folder.path)
    const [listing] = next === folder.path ? [] : await storage.list([next])
    if (listing?.ok !== true) break
    const way = basename(folder.path)
    const isMany = listing.value.length > mostBeside
    folder = { path: next, entries: isMany ? listing.value.filter((entry) => entry.name === way) : listing.value }
  }
  return found
}

async function checkpointsIn(storage: ReadStorage, path: string): Promise<readonly Checkpoint[]> {
  const [listing] = await storage.list([path])
  return listing?.ok === true ? scanFolder(storage, { path, entries: listing.value }) : []
}

/**
 * In words, by what its layout knows the checkpoint: `has trainer_state.json`. None where nothing of it proves it, but
 * others beside it.
 */
export async function howKnown(storage: ReadStorage, checkpoint: Checkpoint): Promise<readonly string[]> {
  const path = checkpoint.members[0]?.path ?? checkpoint.path
  const spec = knownSpecs().find(({ id }) => id === checkpoint.layout)
  if (spec === undefined) return []
  const tree = ScanTree.over(storage)
  const [listing] = await tree.list([dirname(path)])
  if (listing?.ok !== true) return []
  const folder = { path: dirname(path), entries: listing.value }
  for (const form of spec.forms) {
    const { proofs = [] } = await explainForm(tree, folder, basename(path), spec, form)
    if (proofs.length > 0) return proofs
  }
  return []
}

async function explainSpec(
  storage: ReadStorage,
  folder: Folder,
  name: string,
  spec: LayoutSpec,
  checkpoint: Checkpoint | null,
): Promise<Explained> {
  const reasons: string[] = []
  let fits = false
  for (const form of spec.forms) {
    const explained = await explainForm(storage, folder, name, spec, form)
    fits ||= explained.fits
    reasons.push(...explained.reasons)
  }
  const verdict = checkpoint?.layout === spec.id ? 'takes' : fits ? 'fits' : 'no'
  return { layout: spec.id, title: spec.title, verdict, reasons: [...new Set(reasons)] }
}

interface FormExplained {
  readonly fits: boolean
  readonly reasons: readonly string[]
  /** Of the reasons those that speak for it. */
  readonly proofs?: readonly string[]
}

async function explainForm(
  storage: ReadStorage,
  folder: Folder,
  name: string,
  spec: LayoutSpec,
  form: Form,
): Promise<FormExplained> {
  const single = { ...spec, forms: [form] }
  const named = (await findNamed(storage, folder, [single])).find(
    (one) => one.name === name || one.parts.some((part) => part.name === name),
  )
  const [candidate] = named === undefined ? [] : await listCandidates(storage, folder, [named])
  if (named === undefined || candidate === undefined || candidate === null) {
    return { fits: false, reasons: [`no ${form.kind} with a name like ${patternText(form.name)}`] }
  }
  return withOpener(storage, async (io) => {
    const [claim] = await claimByContents(candidate, named, folder, io)
    const unit = claim?.unit ?? unitOf(candidate, { spec: single, form }, folder)
    if (unit.finding !== null)
      return { fits: true, reasons: [`its name fits, and it is broken: ${unit.finding.reason}`] }
    const holding = async (list: readonly Has[]): Promise<Has[]> => {
      const held: Has[] = []
      for (const has of list) if (await prove(has, unit, io)) held.push(has)
      return held
    }
    const { sure, likely = [], never = [] } = form.proof
    const against = await holding(never)
    if (against.length > 0)
      return { fits: true, reasons: against.map((has) => `its name fits, but it ${describeHas(has)}`) }
    const certain = await holding(sure)
    const proofs = [...certain, ...(await holding(likely))]
    if (proofs.length > 0) {
      const reasons = proofs.map((has) => described(has))
      return { fits: true, reasons, proofs: reasons.slice(0, certain.length || 1) }
    }
    return {
      fits: true,
      reasons: [`its name fits; missing is any of: ${[...sure, ...likely].map(describeHas).join('; ')}`],
    }
  })
}

function described(has: Has): string {
  return 'all' in has && has.all.length === 0 ? 'its name is like the pattern' : `it ${describeHas(has)}`
}
