/**
 * The framework's own pointer files are kept true: what names a checkpoint that goes is made to name the newest whole one that
 * stays, before it goes; so whatever is killed in between, it names something that is there.
 */
import { addTo } from '../../grouped.js'
import { basename, dirname, relative } from 'node:path'
import { isResumable, isSound, isUnreadable, timeOf, type Checkpoint, type Run } from '../../checkpoint.js'
import { guardRun } from '../../changes/disposal/index.js'
import { replaceName, type ReplaceOptions } from '../../changes/publish/index.js'
import {
  pointerFilesOf,
  measure,
  nameableOf,
  namingInstead,
  withoutGoing,
  type PointerFile,
  type PointerChange,
  type Successor,
} from '../../checkpoints/layouts/index.js'
import { CkptError } from '../../errors.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import { examineOne } from '../opening/open-run.js'

/** A pointer file that names another checkpoint from now on, or lists fewer. */
export interface Pointed {
  /** Its name in the run. */
  readonly file: string
  readonly from: string | null
  /** Null: it goes, for nothing whole stays that it could name. */
  readonly to: string | null
}

export interface PointersKept {
  readonly pointed: readonly Pointed[]
  /** By the name of a checkpoint that may not go: what names it could not be rewritten. */
  readonly failed: ReadonlyMap<string, CkptError>
  /** By the name of a checkpoint that goes, the pointer files that named it. */
  readonly namedBy: ReadonlyMap<string, readonly string[]>
}

export interface Parting {
  readonly going: readonly Checkpoint[]
  /** Newest first, their health as far as it is known. */
  readonly stays: readonly Checkpoint[]
  /** What goes of them is only what resuming needs: their names and weights stay. */
  readonly weightsStay?: boolean
}

/** What is to become of the run's pointer files when these go. Changes nothing. */
export async function planPointerChanges(storage: ReadStorage, run: Run, parting: Parting): Promise<PointerChange[]> {
  const { going, stays, weightsStay = false } = parting
  if (going.length === 0) return []
  const successors = new Successors(storage, run, stays)
  const names = new Set(going.map(({ name }) => name))
  const changes: PointerChange[] = []
  for (const { layout, pointerFiles } of await pointerFilesOf(storage, run)) {
    for (const pointerFile of pointerFiles) {
      const change = weightsStay
        ? await ledToResumable(layout, pointerFile, names, successors)
        : await ledToWhole(run, layout, pointerFile, names, successors)
      if (change !== null) changes.push(change)
    }
  }
  return changes
}

async function ledToWhole(
  run: Run,
  layout: string,
  pointerFile: PointerFile,
  going: ReadonlySet<string>,
  successors: Successors,
): Promise<PointerChange | null> {
  if (going.has(relative(run.path, pointerFile.path))) return null
  return withoutGoing(pointerFile, going, await successors.of(layout, pointerFile))
}

/** Only what the framework resumes by; where nothing can be resumed from, it goes on naming weights that are there. */
async function ledToResumable(
  layout: string,
  pointerFile: PointerFile,
  going: ReadonlySet<string>,
  successors: Successors,
): Promise<PointerChange | null> {
  const { rule, names } = pointerFile
  if (rule.purpose !== 'resume' || rule.onDelete !== 'rewrite' || names === null || !going.has(names)) return null
  const next = await successors.resumable(layout)
  return next === null ? null : { ...namingInstead(pointerFile, next), was: [names] }
}

export function toPointed({ pointerFile, to }: PointerChange): Pointed {
  return { file: basename(pointerFile.path), from: pointerFile.names, to }
}

/** The same, done. Under the run's lock. What could not be done is reported, and its checkpoints have to stay. */
export async function keepBooks(
  storage: Storage,
  run: Run,
  parting: Parting,
  options: ReplaceOptions,
): Promise<PointersKept> {
  const pointed: Pointed[] = []
  const failed = new Map<string, CkptError>()
  const namedBy = new Map<string, string[]>()
  const changes = await planPointerChanges(storage, run, parting)
  if (changes.length > 0) guardRun(storage, run.path)
  for (const change of changes) {
    const failure = await write(storage, run, change, options)
    for (const name of change.was) {
      if (failure !== null) failed.set(name, failure)
      else addTo(namedBy, name, basename(change.pointerFile.path))
    }
    if (failure === null) pointed.push(toPointed(change))
  }
  return { pointed, failed, namedBy }
}

/** Null where it was done. Throws what is not a CkptError. */
async function write(
  storage: Storage,
  run: Run,
  change: PointerChange,
  options: ReplaceOptions,
): Promise<CkptError | null> {
  const { path } = change.pointerFile
  try {
    if (await writePointerFile(storage, run, change, options)) return null
    return new CkptError('refused', `${path} was written meanwhile, and names it no more, or again`, {
      hint: 'make a new plan',
    })
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
    return new CkptError('refused', `${path} names it and could not be rewritten: ${error.message}`, { cause: error })
  }
}

/** False where somebody has written the pointer file since it was read. Throws CkptError; then it is what it was. */
export async function writePointerFile(
  storage: Storage,
  run: Run,
  { pointerFile, become }: PointerChange,
  options: ReplaceOptions,
): Promise<boolean> {
  const { path } = pointerFile
  if (become === null) {
    if (!(await isAsRead(storage, pointerFile))) return false
    await storage.unlink(path)
    await storage.syncDirectory(dirname(path))
    return true
  }
  const build = async (building: string): Promise<boolean> => {
    if ('target' in become) await storage.symbolicLink(relative(dirname(path), become.target), building)
    else await writeText(storage, path, building, become.text)
    return isAsRead(storage, pointerFile)
  }
  return replaceName(storage, run.path, path, build, options)
}

/** With the permissions of what it replaces: the job has to write it next time. */
async function writeText(storage: Storage, path: string, building: string, text: string): Promise<void> {
  const [there] = await storage.lstat([path])
  const file = await storage.create(building, there?.ok === true ? there.value.mode & 0o777 : undefined)
  try {
    await file.write(new TextEncoder().encode(text))
    await file.sync()
  } finally {
    await file.close()
  }
}

async function isAsRead(storage: ReadStorage, { path, text, target }: PointerFile): Promise<boolean> {
  if (text === null) {
    const [now] = await storage.resolve([path])
    return now?.ok === true ? now.value === target : target === ''
  }
  const [now] = await storage.read([path], 1 << 16)
  if (now?.ok !== true) return text === '' && now?.error.code === 'not-found'
  return new TextDecoder().decode(now.value) === text
}

/** Who is to be named instead. */
class Successors {
  private readonly looked = new Map<string, Checkpoint>()

  constructor(
    private readonly storage: ReadStorage,
    private readonly run: Run,
    private readonly stays: readonly Checkpoint[],
  ) {}

  /** The newest whole one of the layout: one that can be resumed from where that is what the pointer file is for. */
  async of(layout: string, { rule, names }: PointerFile): Promise<Successor | null> {
    const own = this.ofLayout(layout)
    if (rule.purpose === 'resume') {
      return (await this.resumable(layout)) ?? this.firstWhole(own.filter((one) => !isResumable(one)))
    }
    // What names an epoch's file is not to name an average.
    return this.firstWhole(own.filter(({ name }) => names !== null && shapeOf(name) === shapeOf(names)))
  }

  /** The newest whole one of the layout that can be resumed from. */
  resumable(layout: string): Promise<Successor | null> {
    return this.firstWhole(this.ofLayout(layout).filter(isResumable))
  }

  private ofLayout(layout: string): Checkpoint[] {
    return this.stays.filter((one) => one.layout === layout && one.sameAs === undefined)
  }

  private async firstWhole(candidates: readonly Checkpoint[]): Promise<Successor | null> {
    for (const candidate of candidates) {
      const known = this.looked.get(candidate.path) ?? (await this.look(candidate))
      this.looked.set(candidate.path, known)
      if (!isSound(known) || isUnreadable(known)) continue
      const [measured = known] = known.modified === null ? await measure(this.storage, [known]) : [known]
      return { ...nameableOf(known), time: timeOf(measured) }
    }
    return null
  }

  private async look(candidate: Checkpoint): Promise<Checkpoint> {
    const { level, findings } = candidate.health
    if (level !== 'none' || findings.length > 0) return candidate
    return examineOne(this.storage, this.run.checkpoints, candidate, 'quick')
  }
}

function shapeOf(name: string): string {
  return name.replaceAll(/\d+/g, '0')
}
