/** Takes a checkpoint out of the run by one rename, after checking that it is still the one that was planned. */
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path'
import type { Checkpoint } from '../../checkpoint.js'
import { CkptError, StorageError } from '../../errors.js'
import type { Identity, Passage, ReadStorage, Result, Storage } from '../../storage/storage.js'
import { errorAsValue } from './error-as-value.js'
import {
  changeBetween,
  fingerprint,
  fingerprintOfMembers,
  isSameInAll,
  type Fingerprint,
  type Fingerprints,
  type Mark,
} from './fingerprint.js'
import { isGroup, moveGroup, returnGroup } from './groups.js'
import { commonFolder, foldersOf, foldersOfGroup } from './members.js'
import { makeInside, neutralName, quietly, type StateFolder } from '../state/index.js'
import { patiently, type Wait } from '../../storage/retry.js'
import { makePrivateFolder } from './private-folder.js'
import { MountPoints } from './mounts.js'
import { otherFileSystem } from '../../storage/entries-below.js'

/** Where checkpoints wait in the state folder for their bytes to go; whatever lies there is to be removed. */
export const deleting = 'deleting'

export interface Moved {
  readonly checkpoint: Checkpoint
  /** What it was just before. */
  readonly print: Fingerprint
  /** Absolute path of where it waits now. */
  readonly at: string
}

export interface Destination {
  readonly state: StateFolder
  /** The folder in the state folder that checkpoints are moved into. */
  readonly name: string
  /** Where that folder cannot be used: move to a hidden name beside the checkpoint instead of failing. */
  readonly orBeside: boolean
  /** What waits there waits for its end: in a folder of its own that nobody else can enter. */
  readonly isPrivate: boolean
  /** Called before each rename with where the checkpoint will lie. */
  readonly announce?: (checkpoint: Checkpoint, at: string) => Promise<void>
  /** Called when the rename that was announced was not done, or undone. */
  readonly retract?: (at: string) => Promise<void>
}

/** Milliseconds. */
const lookAgainAfter = 200

/** The file system's ways of saying that only a rename within the folder can work. */
const onlyWithin = new Set(['EXDEV', 'ENOSPC', 'EDQUOT'])

/** Takes checkpoints of one run from their names, each only if it is still what was planned. */
export class Mover {
  /** Absolute; null when the state folder cannot be used. */
  private destination: string | null | undefined
  /** Made here, to be removed when empty. */
  private readonly made = new Set<string>()
  private readonly mounts: MountPoints
  /** Names that were given in a folder that nobody else can enter. */
  private readonly given = new Set<string>()
  /** Beside checkpoints, by the folder that they lie in. */
  private readonly hidden = new Map<string, string>()
  /** Between the folders of the last rename: most checkpoints of a run go the same way. */
  private way: { readonly from: string; readonly to: string; readonly passage: Passage } | null = null
  /** By the folder that checkpoints lie in, where it really lies: asked once while it is held open. */
  private readonly real = new Map<string, string>()

  constructor(
    private readonly storage: Storage,
    private readonly run: string,
    private readonly to: Destination,
    private readonly planned: Fingerprints,
    private readonly wait: Wait,
  ) {
    this.mounts = new MountPoints(storage)
  }

  /** What some that are about to be moved are now: one call for all costs less than one for each. */
  async look(checkpoints: readonly Checkpoint[]): Promise<Fingerprints> {
    return fingerprint(this.storage, checkpoints)
  }

  /** Takes the checkpoint from its name; `now` is from a moment before. Throws CkptError, and then it is where it was. */
  async move(checkpoint: Checkpoint, now: Fingerprints): Promise<Moved> {
    await this.refuseOutside(checkpoint)
    const print = unchanged(checkpoint, this.planned.get(checkpoint.name), now.get(checkpoint.name))
    const at = await this.rename(checkpoint, print)
    return { checkpoint, at, print: isGroup(checkpoint) ? await this.withFolders(checkpoint, at, print) : print }
  }

  /**
   * The renames of one folder's go through one passage, which leads into the folder that was there first, whatever its
   * path comes to lead to: where that is need not be asked again, and what is moved is held against what was planned.
   */
  private async refuseOutside(checkpoint: Checkpoint): Promise<void> {
    for (const folder of foldersOf(checkpoint.members)) {
      const known = this.way?.from === folder ? this.real.get(folder) : undefined
      const real = known ?? (await realFolderOf(this.storage, this.run, folder, checkpoint))
      this.real.set(folder, real)
      await refuseMounts(checkpoint, folder, real, this.mounts)
    }
  }

  /** Gives it its name back; never over something that has taken the name meanwhile. Throws CkptError. */
  async giveBack({ checkpoint, at }: Omit<Moved, 'print'>): Promise<void> {
    if (isGroup(checkpoint)) await returnGroup(this.storage, { run: this.run, state: this.to.state, at }, checkpoint)
    else await putBack(this.storage, at, checkpoint.path)
  }

  /** Of a group, the folders that its members lie in now are removed too. */
  private async withFolders({ members }: Checkpoint, at: string, print: Fingerprint): Promise<Fingerprint> {
    const folders = foldersOfGroup(at, members)
    const stats = await this.storage.lstat(folders)
    const marks = folders.flatMap((path, index): [string, Mark][] => {
      const stat = stats[index]
      return stat?.ok === true ? [[relative(at, path), stat.value]] : []
    })
    return new Map([...marks, ...print])
  }

  /**
   * True when somebody else has removed it, or is through with that within a second: nothing has its name any more, in
   * a folder that is still there.
   */
  async isGone(checkpoint: Checkpoint): Promise<boolean> {
    for (let looks = 0; looks < 6; looks += 1) {
      if (looks > 0) await this.wait(lookAgainAfter)
      const paths = checkpoint.members.map(({ path }) => path)
      const [folder, ...members] = await this.storage.lstat([folderOf(checkpoint), ...paths])
      if (folder?.ok !== true) return false
      if (!members.some(({ ok }) => ok)) return members.every((one) => one.ok || one.error.errno === 'ENOENT')
      if (!(await this.isShrinking(checkpoint))) return false
    }
    return false
  }

  /** Some of what was planned to go is there no more, and nothing new is. */
  private async isShrinking(checkpoint: Checkpoint): Promise<boolean> {
    const then = this.planned.get(checkpoint.name)
    const now = await fingerprintOfMembers(this.storage, checkpoint)
    if (then?.ok !== true) return false
    if (!now.ok) return now.error.errno === 'ENOENT'
    return now.value.size < then.value.size && [...now.value.keys()].every((name) => then.value.has(name))
  }

  private async passageBetween(from: string, to: string): Promise<Passage> {
    if (this.way?.from !== from || this.way.to !== to) {
      await this.letGo()
      this.way = { from, to, passage: this.storage.passage(from, to) }
    }
    return this.way.passage
  }

  /** Once all have left their names: no folder is held open any more. */
  async letGo(): Promise<void> {
    await this.way?.passage.close()
    this.way = null
  }

  /** Once all is done: what is empty of what was made for it goes. */
  async close(): Promise<void> {
    for (const path of this.made) await quietly(() => this.storage.removeDirectory(path))
  }

  private async rename(checkpoint: Checkpoint, print: Fingerprint): Promise<string> {
    const within = folderOf(checkpoint)
    for (let tries = 0; ; tries += 1) {
      const destination = await this.openDestination()
      const beside = destination === null ? await this.openHidden(within) : null
      const isHidden = destination === null && beside === null
      const at = await this.freeName(destination ?? beside ?? within, isHidden, checkpoint, print)
      try {
        await this.to.announce?.(checkpoint, at)
        // Between the look and the rename another process may have put something else under the name.
        await this.moveTo(checkpoint, at, print)
        return at
      } catch (error) {
        if (!(error instanceof CkptError)) throw error
        this.real.clear()
        await this.to.retract?.(at)
        if (!(error instanceof StorageError)) throw error
        const mayHelp = destination !== null && tries < 3
        if (mayHelp && this.to.orBeside && onlyWithin.has(error.errno)) this.destination = null
        // Another ckpt that had finished took the empty folder away.
        else if (mayHelp && error.errno === 'ENOENT') this.destination = undefined
        else throw underItsName({ checkpoint, at }, error)
      }
    }
  }

  private async moveTo(checkpoint: Checkpoint, at: string, print: Fingerprint): Promise<void> {
    if (isGroup(checkpoint)) {
      const location = { run: this.run, state: this.to.state, at }
      return moveGroup(this.storage, location, checkpoint, print, this.wait)
    }
    const passage = await this.passageBetween(dirname(checkpoint.path), dirname(at))
    const move = () => passage.move(basename(checkpoint.path), basename(at), identityIn(print))
    if (!(await patiently(this.wait, move))) throw changed(checkpoint, 'it was replaced')
  }

  private async openDestination(): Promise<string | null> {
    if (this.destination !== undefined) return this.destination
    const made = await errorAsValue(() => this.makeDestination())
    if (made instanceof CkptError && !this.to.orBeside) throw made
    this.destination = made instanceof CkptError ? null : made
    return this.destination
  }

  private async makeDestination(): Promise<string> {
    const within = await makeInside(this.storage, this.to.state, this.to.name)
    if (!this.to.isPrivate) return within
    const made = await makePrivateFolder(this.storage, within)
    this.made.add(made)
    return made
  }

  /** Null where none can be made: on a disk that is full only a rename works. */
  private async openHidden(within: string): Promise<string | null> {
    const known = this.hidden.get(within)
    if (known !== undefined) return known
    const made = await errorAsValue(() => makePrivateFolder(this.storage, within, true))
    if (made instanceof CkptError) return null
    this.made.add(made)
    this.hidden.set(within, made)
    return made
  }

  /** A rename would replace a file or an empty folder of that name. */
  private async freeName(folder: string, hidden: boolean, checkpoint: Checkpoint, print: Fingerprint): Promise<string> {
    const { device, inode, modified } = print.get('') ?? { device: 0n, inode: 0n, modified: 0 }
    for (let count = 0; ; count += 1) {
      const name = neutralName(`${checkpoint.path}\n${device}:${inode}\n${modified}\n${count}`)
      const path = join(folder, hidden ? `.${name}` : name)
      if (this.given.has(path)) continue
      this.given.add(path)
      if (this.made.has(folder)) return path
      const [there] = await this.storage.lstat([path])
      if (there?.ok !== true) return path
    }
  }
}

function identityIn(print: Fingerprint): Identity {
  const { device, inode } = print.get('') ?? { device: null, inode: 0n }
  return { device: device ?? 0n, inode }
}

/** Throws CkptError unless the checkpoint lies below its run, with no link on the way. */
export async function refuseOutside(storage: Storage, run: string, checkpoint: Checkpoint): Promise<void> {
  const mounts = new MountPoints(storage)
  for (const folder of foldersOf(checkpoint.members)) {
    await refuseMounts(checkpoint, folder, await realFolderOf(storage, run, folder, checkpoint), mounts)
  }
}

/** Where a folder that the checkpoint lies in really lies. Throws CkptError unless that is the run or below it. */
async function realFolderOf(storage: Storage, at: string, path: string, checkpoint: Checkpoint): Promise<string> {
  const [run, folder] = await storage.resolve([at, path])
  if (run?.ok === false) throw run.error
  if (folder?.ok === false) throw folder.error
  const expected = run === undefined ? '' : join(run.value, relative(at, path))
  if (checkpoint.members.every((member) => isBelow(member.path, at)) && folder?.value === expected) return expected
  throw new CkptError('refused', `${checkpoint.path}: not in the run ${at}, or reached through a link`, {
    hint: 'name the run that really holds it',
  })
}

/** `real` is where `folder` really lies. Throws StorageError where something is mounted in a member there. */
async function refuseMounts({ members }: Checkpoint, folder: string, real: string, mounts: MountPoints): Promise<void> {
  for (const { path } of members.filter((member) => dirname(member.path) === folder)) {
    const mount = await mounts.findBelow(join(real, basename(path)))
    if (mount !== null) throw otherFileSystem(mount)
  }
}

/** What the checkpoint is now. Throws CkptError unless it is what was planned. */
export async function lookAgain(
  storage: ReadStorage,
  checkpoint: Checkpoint,
  planned: Fingerprints,
): Promise<Fingerprint> {
  const now = await fingerprintOfMembers(storage, checkpoint)
  return unchanged(checkpoint, planned.get(checkpoint.name), now)
}

/** What it is now. Throws CkptError unless that is what was planned. */
function unchanged(
  checkpoint: Checkpoint,
  then: Result<Fingerprint> | undefined,
  now: Result<Fingerprint> = nothingThere,
): Fingerprint {
  if (then === undefined) throw new CkptError('refused', `${checkpoint.name}: not among what was planned`)
  if (!then.ok) throw then.error
  if (!now.ok) throw now.error
  const change = changeBetween(then.value, now.value)
  if (change !== null) throw changed(checkpoint, change)
  // A thousand looks wait until their renames are on the medium: those of the plan are in memory anyway.
  return isSameInAll(then.value, now.value) ? then.value : now.value
}

/** Of a checkpoint without members. */
const nothingThere: Result<Fingerprint> = { ok: true, value: new Map() }

function changed(checkpoint: Checkpoint, change: string): CkptError {
  return new CkptError('refused', `${checkpoint.name}: changed since the plan was made: ${change}`, {
    hint: 'nothing of it was removed; make a new plan',
  })
}

function isBelow(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/** The same error, for the path that the checkpoint has. */
export function underItsName({ at, checkpoint }: Omit<Moved, 'print'>, error: CkptError): CkptError {
  // A record beside it in the trash has no place in the run.
  if (!(error instanceof StorageError) || !isAtOrBelow(error.path, at)) return error
  const [path, message] = [error.path, error.message].map((text) => text.replaceAll(at, () => checkpoint.path))
  return new StorageError(path ?? error.path, error.errno, message ?? error.message, { cause: error })
}

function isAtOrBelow(path: string, at: string): boolean {
  return path === at || path.startsWith(at + sep)
}

/** The folder that the checkpoint lies in, with all of its members. */
export function folderOf({ members }: Checkpoint): string {
  return commonFolder(members)
}

/** Gives a checkpoint its name back; never over something that has taken the name meanwhile. */
export async function putBack(storage: Storage, at: string, path: string): Promise<void> {
  const [there] = await storage.lstat([path])
  if (there?.ok === true) throw new CkptError('refused', `${path}: its name was taken meanwhile; it lies in ${at}`)
  await storage.rename(at, path)
}
