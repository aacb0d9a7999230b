/**
 * A framework that resumes by itself takes what it finds, whatever `CKPT_PATH` says. Before a start the folder is made
 * to agree with what was chosen: what is damaged and would be preferred goes to the trash, and names that the framework
 * resumes from are led to the chosen one.
 */
import { basename, join, relative } from 'node:path'
import { isResumable, isUnreadable, stateOf, timeOf, type Checkpoint, type Run } from '../../checkpoint.js'
import { fingerprint, whyFailed, type RemovalFailure } from '../../changes/disposal/index.js'
import { CkptError } from '../../errors.js'
import {
  emptyPointerFile,
  pointerFilesOf,
  findLayout,
  measure,
  nameableOf,
  namingInstead,
  type PointerChange,
  type PointerFile,
  type Standing as Seen,
} from '../../checkpoints/layouts/index.js'
import { stateFolderOf, withLock, type LockOptions } from '../../changes/state/index.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import { moveToTrash, tidyTrash } from '../../changes/trash/index.js'
import { findObstacles, type Obstacle, type ObstacleContext, type ObstacleRequest } from './obstacles.js'
import { keepBooks, writePointerFile } from '../pruning/update-pointers.js'
import { pointTo } from './point-at-chosen.js'
import { recordRemovals } from '../pruning/record-removals.js'
import { pinsOf } from '../protecting/protecting-pins.js'
import type { StateLocation } from '../opening/run-with-state.js'
import { quoteWord } from '../../formats/text/shell-words.js'

export interface ClearContext extends StateLocation {
  /** Of the run that is changed. */
  readonly lock: LockOptions
  /** As for finding obstacles. */
  readonly look: ObstacleContext
}

/** What was done, and what still stands in the way. */
export interface Cleared {
  /** In the trash now. */
  readonly moved: readonly Obstacle[]
  /** Names that stand for the chosen checkpoint now. */
  readonly pointed: readonly string[]
  /** Names that were to stand for it and do not, and why; null where they were not to be touched. */
  readonly unled: readonly Unled[]
  /** The framework still takes these before the chosen one, and why they are where they were. */
  readonly standing: readonly Standing[]
  /** Null where it finds what is there. */
  readonly beginsAnew: BeginsAnew | null
}

export interface Unled {
  readonly name: string
  readonly why: string | null
  /** Nothing has the name: the framework begins anew. */
  readonly isLost: boolean
}

/** A job that leaves the search to its framework does. */
export interface BeginsAnew {
  /** What of the framework looks by itself. */
  readonly by: readonly string[]
  /** It looks in the folder of its own start, where nothing is. */
  readonly looksElsewhere: boolean
}

export interface Standing extends Obstacle {
  /** For people; null of one that is whole. */
  readonly why: string | null
}

/**
 * `chosen` is null for a first start: nothing in the run was ever finished, and all of it goes. Throws CkptError
 * `refused` where something that is pinned would have to go. What cannot be done otherwise is reported, and is not a reason
 * not to start.
 */
export async function clearObstacles(
  storage: Storage,
  run: Run,
  chosen: Checkpoint | null,
  request: ObstacleRequest,
  context: ClearContext,
): Promise<Cleared> {
  const { obstacles, there } = await findObstacles(storage, run, chosen, request, context.look)
  const fixes = await findFixes(storage, run, chosen, obstacles, there)
  const renamed = new Set(fixes.filter(({ isLink }) => isLink).map(({ name }) => name))
  const going = [
    ...obstacles.filter(({ checkpoint, stays }) => !stays && !renamed.has(checkpoint.name)),
    ...fixes.flatMap(({ replaces }) => replaces),
  ]
  const pointed = new Set<string>()
  const failures = new Map<string, string>()
  const leads = chosen === null ? [] : await findLeads(storage, run, chosen, fixes)
  const wanted = [...fixes.map(({ name }) => name), ...leads.map((change) => nameOf(run, change))]
  if (going.length + wanted.length > 0) {
    await refusePinned(storage, run, going, context)
    const state = await stateFolderOf(storage, run.path, context.stateDirectory)
    const work = async () => {
      for (const [name, why] of await moveAway(storage, run, chosen, going, context)) failures.set(name, why)
      await tidyTrash(storage, state)
      for (const { name } of fixes) if (chosen !== null) await point(storage, chosen, name, context, pointed, failures)
      for (const change of leads) await lead(storage, run, change, context, pointed, failures)
    }
    await whyFailed(() => withLock(storage, state, context.lock, work)).then((error) => {
      if (error === null) return
      for (const name of [...going.map(({ checkpoint }) => checkpoint.name), ...wanted])
        failures.set(name, error.message)
    })
  }
  const moved = going.filter(({ checkpoint }) => !failures.has(checkpoint.name))
  const gone = new Set(moved.map(({ checkpoint }) => checkpoint.name))
  const made = chosen === null ? [] : [...pointed].map((name): Seen => ({ ...chosen, name }))
  const left = [...there.filter(({ name }) => !gone.has(name) && !pointed.has(name)), ...made]
  return {
    moved,
    pointed: [...pointed],
    unled: wanted.flatMap((name) => {
      const why = failures.get(name)
      const isKnown = obstacles.some(({ checkpoint }) => checkpoint.name === name)
      return why === undefined || isKnown ? [] : [{ name, why, isLost: false }]
    }),
    standing: standingAmong(obstacles, pointed, failures),
    beginsAnew: findBeginning(chosen, left),
  }
}

/** What `--leave-damaged` leaves: nothing is changed. */
export async function tellObstacles(
  storage: ReadStorage,
  run: Run,
  chosen: Checkpoint | null,
  request: ObstacleRequest,
  context: ObstacleContext,
): Promise<Cleared> {
  const { obstacles, there } = await findObstacles(storage, run, chosen, request, context)
  const standing = obstacles.map((one) => ({ ...one, why: one.stays ? null : '--leave-damaged' }))
  const fixes = await findFixes(storage, run, chosen, obstacles, there)
  const leads = chosen === null ? [] : await findLeads(storage, run, chosen, fixes)
  const named = new Set(obstacles.map(({ checkpoint }) => checkpoint.name))
  const names = [...fixes.map(({ name }) => name), ...leads.map((change) => nameOf(run, change))]
  const unled = await leftAsTheyAre(
    storage,
    run,
    names.filter((name) => !named.has(name)),
  )
  return { moved: [], pointed: [], unled, standing, beginsAnew: findBeginning(chosen, there) }
}

async function leftAsTheyAre(storage: ReadStorage, run: Run, names: readonly string[]): Promise<Unled[]> {
  const stats = await storage.lstat(names.map((name) => join(run.path, name)))
  return names.map((name, index) => ({ name, why: null, isLost: stats[index]?.ok === false }))
}

/** A run has mostly what one of the framework's ways looks for; only where none comes to anything it begins anew. */
function findBeginning(chosen: Checkpoint | null, there: readonly Seen[]): BeginsAnew | null {
  const layout = chosen === null ? undefined : findLayout(chosen.layout)
  const starts = layout?.resumesFrom?.(there) ?? []
  const finding = starts.filter(({ takes, stumblesOver }) => takes !== null || stumblesOver.length > 0)
  if (starts.length === 0 || (finding.length === 0 && starts.some((one) => one.mayFindMore === true))) return null
  if (finding.length === 0) return { by: starts.map(({ by }) => by), looksElsewhere: false }
  const looksElsewhere = chosen !== null && layout?.inFolderOfStart?.test(chosen.path) === true
  return looksElsewhere ? { by: finding.map(({ by }) => by), looksElsewhere } : null
}

interface Fix {
  readonly name: string
  /** It only leads elsewhere. */
  readonly isLink: boolean
  /** What has the name now and is nowhere else: it goes to the trash. */
  readonly replaces: readonly Obstacle[]
}

/** Only where the framework would be led elsewhere; never away from something newer that is whole and has no other name. */
async function findFixes(
  storage: ReadStorage,
  run: Run,
  chosen: Checkpoint | null,
  obstacles: readonly Obstacle[],
  seen: readonly Seen[],
): Promise<Fix[]> {
  if (chosen === null) return []
  const wanted = findLayout(chosen.layout)?.pointersTo?.(chosen, seen) ?? []
  const stats = await storage.lstat(wanted.map(({ name }) => join(run.path, name)))
  const names = new Map(run.checkpoints.map((one) => [one.name, one]))
  const fixes: Fix[] = []
  for (const [index, { name }] of wanted.entries()) {
    const stat = stats[index]
    const isLink = stat?.ok === true && stat.value.kind === 'link'
    const there = names.get(name)
    if (there !== undefined && stateOf(there) === stateOf(chosen)) continue
    const obstacle = obstacles.find(({ checkpoint }) => checkpoint.name === name)
    const isAlone = there !== undefined && !isLink && there.sameAs === undefined && obstacle?.stays === true
    if (isAlone && (await isNewer(storage, there, chosen))) continue
    const replaces = isAlone ? [{ ...obstacle, how: `it is older than ${chosen.name}`, stays: false }] : []
    fixes.push({ name, isLink, replaces })
  }
  return fixes
}

/** Books that the framework resumes by and that name another one, or that are not there. */
async function findLeads(
  storage: ReadStorage,
  run: Run,
  chosen: Checkpoint,
  fixes: readonly Fix[],
): Promise<PointerChange[]> {
  const there = (await pointerFilesOf(storage, run)).find(({ layout }) => layout === chosen.layout)?.pointerFiles ?? []
  const own = [...there, ...lostAmong(there, run, chosen)]
  const [measured = chosen] = await measure(storage, [chosen])
  const next = { ...nameableOf(chosen), time: timeOf(measured) }
  const states = new Map(run.checkpoints.map((one) => [one.name, stateOf(one)]))
  return own.flatMap((pointerFile) => {
    const isFixed = fixes.some(({ name }) => name === relative(run.path, pointerFile.path))
    const isIt = pointerFile.names !== null && states.get(pointerFile.names) === stateOf(chosen)
    // A link by the chosen one's own name is not to lead to itself.
    const isOther = pointerFile.rule.purpose === 'resume' && relative(run.path, pointerFile.path) !== chosen.name
    return isFixed || isIt || !isOther ? [] : [namingInstead(pointerFile, next)]
  })
}

/** Without the file that names what to resume from (DeepSpeed's `latest`) the framework begins anew. */
function lostAmong(there: readonly PointerFile[], run: Run, chosen: Checkpoint): PointerFile[] {
  if (!isResumable(chosen) || chosen.name.includes('/')) return []
  if (there.some(({ rule }) => rule.purpose === 'resume')) return []
  const rule = findLayout(chosen.layout)?.pointers?.find(
    ({ purpose, holds }) => purpose === 'resume' && holds !== 'link',
  )
  if (rule === undefined || typeof rule.file !== 'string') return []
  return [emptyPointerFile(rule, join(run.path, rule.file))]
}

function nameOf(run: Run, { pointerFile }: PointerChange): string {
  return relative(run.path, pointerFile.path)
}

async function lead(
  storage: Storage,
  run: Run,
  change: PointerChange,
  { stateDirectory, lock }: ClearContext,
  pointed: Set<string>,
  failures: Map<string, string>,
): Promise<void> {
  const name = nameOf(run, change)
  const error = await whyFailed(async () => {
    if (await writePointerFile(storage, run, change, { stateDirectory, wait: lock.wait })) pointed.add(name)
    else await refuseLink(storage, change)
  })
  if (error !== null) failures.set(name, error.message)
}

/** What a link leads to is not the run's to change; the framework follows it. Throws CkptError where it reads something else there. */
async function refuseLink(storage: ReadStorage, { pointerFile: { path }, become }: PointerChange): Promise<void> {
  const [there] = await storage.lstat([path])
  if (there?.ok !== true || there.value.kind !== 'link' || become === null || 'target' in become) return
  const [[text], [target]] = await Promise.all([storage.read([path], largestBook), storage.resolve([path])])
  const named = text?.ok === true ? new TextDecoder().decode(text.value).trim() : ''
  if (basename(named) === basename(become.text.trim())) return
  throw new CkptError('refused', `it is a link to ${target?.ok === true ? target.value : 'what cannot be read'}`)
}

/** Bytes. A file that names a checkpoint has a line. */
const largestBook = 4096

async function isNewer(storage: ReadStorage, one: Checkpoint, other: Checkpoint): Promise<boolean> {
  if (one.step !== null && other.step !== null) return one.step > other.step
  const [a, b] = await measure(storage, [one, other])
  return (a?.modified ?? 0) > (b?.modified ?? 0)
}

async function refusePinned(
  storage: ReadStorage,
  run: Run,
  going: readonly Obstacle[],
  stateLocation: StateLocation,
): Promise<void> {
  const pins = await pinsOf(storage, run, stateLocation)
  const pinned = going.find(({ checkpoint }) => pins.has(checkpoint.name))
  if (pinned === undefined) return
  const { name } = pinned.checkpoint
  throw new CkptError('refused', `${name} is pinned and stands in the way: ${describeObstacle(pinned)}`, {
    hint: `ckpt unpin ${quoteWord(pinned.checkpoint.path)}, or --leave-damaged to start all the same`,
  })
}

/** For people: what the framework does with it, and what is wrong with it. */
export function describeObstacle({ how, faults }: Obstacle): string {
  return faults.length === 0 ? how : `${how}; ${faults.join('; ')}`
}

/** By the name of what stayed, why. What another ckpt has moved meanwhile is out of the way too. */
async function moveAway(
  storage: Storage,
  run: Run,
  chosen: Checkpoint | null,
  going: readonly Obstacle[],
  { stateDirectory, lock, look }: ClearContext,
): Promise<[string, string][]> {
  const all = going.map(({ checkpoint }) => checkpoint)
  const stays = chosen === null ? [] : [chosen]
  const pointerFiles = await keepBooks(storage, run, { going: all, stays }, { stateDirectory, wait: lock.wait })
  const checkpoints = all.filter(({ name }) => !pointerFiles.failed.has(name))
  const reasons = new Map(going.map((one) => [one.checkpoint.name, `in the way of a start: ${describeObstacle(one)}`]))
  const { removed, failed, remaining } = await moveToTrash(storage, run.path, checkpoints, {
    namedBy: pointerFiles.namedBy,
    planned: await fingerprint(storage, checkpoints),
    wait: lock.wait,
    now: look.now,
    reasons,
    stateDirectory,
  })
  const by = { self: lock.processes.self, policy: 'the folder agrees with what is started from' }
  const state = await stateFolderOf(storage, run.path, stateDirectory)
  await recordRemovals(storage, state, by, { what: 'trashed', checkpoints: removed, reasons, now: look.now })
  const bound = [...pointerFiles.failed].map(([name, error]) => ({ name, error }))
  const stayed = [...bound, ...failed].filter(({ error }) => error.code !== 'not-found')
  return [
    ...stayed.map(({ name, error }: RemovalFailure): [string, string] => [name, error.message]),
    ...remaining.map(({ name }): [string, string] => [name, 'interrupted']),
  ]
}

async function point(
  storage: Storage,
  chosen: Checkpoint,
  name: string,
  { stateDirectory, lock }: ClearContext,
  pointed: Set<string>,
  failures: Map<string, string>,
): Promise<void> {
  const error = await whyFailed(() => pointTo(storage, chosen, name, { stateDirectory, wait: lock.wait }))
  if (error === null) pointed.add(name)
  else failures.set(name, error.message)
}

function standingAmong(
  obstacles: readonly Obstacle[],
  pointed: ReadonlySet<string>,
  failures: ReadonlyMap<string, string>,
): Standing[] {
  return obstacles.flatMap((one): Standing[] => {
    const { name } = one.checkpoint
    if (pointed.has(name)) return []
    if (!one.stays && !failures.has(name)) return []
    return [{ ...one, why: failures.get(name) ?? whyItStays(one) }]
  })
}

function whyItStays({ checkpoint, faults }: Obstacle): string | null {
  if (faults.length === 0) return null
  return isUnreadable(checkpoint) ? 'the system refuses to read it' : 'it is being written'
}
