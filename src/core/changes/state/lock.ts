/**
 * One ckpt at a time changes a run: a folder `lock` in the run's state folder, with a record of its owner in it.
 *
 * The folder is made whole under a name of its own and then renamed to `lock`. A rename onto a folder that is not
 * empty fails, on network file systems too, so one wins; and there is no moment at which the lock has no owner.
 * A lock is taken over when its owner is dead: on the same machine by pid, start time and boot; from elsewhere only
 * by its heartbeat, whose age is measured by the file system's own clock. Those that wait come in their order
 * (lock-queue.ts).
 *
 * What the lock guards is safe without it too: a checkpoint is looked at again just before it goes, and goes by one
 * rename. So a heartbeat that was late (a machine asleep) costs a refusal, and no checkpoint.
 */
import { randomUUID } from 'node:crypto'
import { basename, join } from 'node:path'
import { CkptError, isAbsence, StorageError, UntrustedError } from '../../errors.js'
import type { JsonObject } from '../../formats/text/json.js'
import type { Storage } from '../../storage/storage.js'
import { forgetUnlessProtecting } from './elsewhere.js'
import { LockQueue } from './lock-queue.js'
import { describeOwner, lifeOf, toOwner, type Owner, type Processes } from './lock-owner.js'
import { quietly, readRecord, readRecordOrNull } from './record.js'
import { makeState, removeEmpty } from './make-state.js'
import type { StateFolder } from './state-folder.js'

export interface LockOptions {
  readonly processes: Processes
  /** Unix seconds. */
  readonly now: () => number
  /** Resolves after that many milliseconds. */
  readonly wait: (milliseconds: number) => Promise<void>
  /** Calls back again and again, that many milliseconds apart, until what it gave is called. */
  readonly every: (milliseconds: number, call: () => void) => () => void
  /** Seconds to wait for another ckpt before giving up. */
  readonly patience: number
  /** Called once, when there is a wait. */
  readonly onWait?: (holder: string) => void
  /** Ends the wait with CkptError `interrupted`. */
  readonly signal?: AbortSignal
  /** The name of the lock; left out: `lock`, which protects changes of the run. */
  readonly name?: string
}

/** The lock of a `ckpt run` that runs a job here; others may change the run meanwhile. */
export const jobLock = 'job'
const changeLock = 'lock'
const ownerFile = 'owner.json'
const beatPrefix = 'beat-'
const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
/** What `randomUUID` gives. Anything else in a record is not a token: it becomes a part of paths. */
const token = new RegExp(`^${uuid}$`)
/** All that ckpt puts into a lock, and so all that it removes from one. */
const content = new RegExp(`^(?:${ownerFile.replace('.', '\\.')}|${beatPrefix}${uuid}-\\d{1,9})$`)
/** What ckpt calls a lock that waits or was put aside, behind the lock's own name. */
const asideSuffix = new RegExp(`^-${uuid}(?:-dead|-unreadable|-tidy)?$`)
/** Seconds between two heartbeats, and of silence after which an owner elsewhere counts as dead. */
const beatInterval = 10
export const staleAfter = 120
/** Leftovers of dead owners cleared at a time: others may have put thousands there. */
const mostCleared = 100
/** Tries at once before it is time to wait: others may change what is there between any two looks. */
const mostTries = 100
/** Milliseconds between two tries of the one whose turn is next, and of those behind it. */
const retryInterval = 50
const queueInterval = 200
/** Seconds between two signs of life of one that waits. */
const waitingBeatInterval = 5

/**
 * Runs `work` while holding the run's lock. Where the state folder cannot be written there is no lock and the work
 * runs without, and `onUnlocked` gets the reason. Throws CkptError `refused` with who holds it once the patience is over.
 */
export async function withLock<T>(
  storage: Storage,
  state: StateFolder,
  options: LockOptions & { readonly onUnlocked?: (error: CkptError) => void },
  work: () => Promise<T>,
): Promise<T> {
  const lock = await acquireIfPossible(storage, state, options)
  if (lock instanceof CkptError) {
    options.onUnlocked?.(lock)
    return work()
  }
  try {
    return await work()
  } finally {
    await lock.release()
  }
}

async function acquireIfPossible(
  storage: Storage,
  state: StateFolder,
  options: LockOptions,
): Promise<Lock | CkptError> {
  try {
    return await acquireLock(storage, state, options)
  } catch (error) {
    if (error instanceof StorageError) return error
    throw error
  }
}

export interface Lock {
  /** Never fails. Takes the state folder along when nothing else is in it. */
  release(): Promise<void>
}

/** Throws CkptError `refused` (held by another), `interrupted`; StorageError when the state folder cannot be written. */
export async function acquireLock(storage: Storage, state: StateFolder, options: LockOptions): Promise<Lock> {
  const attempt = new LockAttempt(storage, state, options)
  const started = options.now()
  for (let hasWaited = false; ;) {
    const holder = await attempt.take()
    if (holder === null) return attempt.hold()
    const waited = options.now() - started
    if (waited >= options.patience || options.signal?.aborted === true) {
      await attempt.giveUp()
      throw options.signal?.aborted === true ? interrupted(state) : inUse(holder, options)
    }
    if (!hasWaited) options.onWait?.(holder)
    hasWaited = true
    await options.wait(attempt.isNext ? retryInterval : queueInterval)
  }
}

function inUse(holder: string, { patience, name }: LockOptions): CkptError {
  const waited = patience > 0 ? `, after a wait of ${patience} s` : ''
  if (name === jobLock) {
    return new CkptError('refused', `a job of this run is running already, under ${holder}${waited}`, {
      hint: 'two would write over each other; to end that one: ckpt stop RUN',
    })
  }
  return new CkptError('refused', `the run is in use by ${holder}${waited}; nothing was changed`, {
    hint: 'try again when it has finished, or wait longer: --wait 10m',
  })
}

function interrupted(state: StateFolder): CkptError {
  return new CkptError('interrupted', `${state.path}: interrupted while waiting for another ckpt; nothing was changed`)
}

/** Who holds the lock, in words; null when nobody who lives does. */
export async function holderOf(storage: Storage, state: StateFolder, options: LockOptions): Promise<string | null> {
  return new LockAttempt(storage, state, options).holder()
}

interface Seen {
  readonly token: string
  /** Null when the record cannot be read. */
  readonly owner: Owner | null
  /** What is where the record was can be none of ckpt's (a pipe, a link, a folder, another object): nobody holds such a lock. */
  readonly isForeign: boolean
  /** Names of the files whose newest time is the owner's last sign of life; none: the folder's own time is. */
  readonly beats: readonly string[]
  /** Why nothing in the folder is read: it is not trusted, or closed. Null where it is. */
  readonly closed: StorageError | null
}

/** Of this version, or of none: a later one may say it in another form. */
function isNoOwners(record: JsonObject): boolean {
  const version = record.get('version')
  return toOwner(record) === null && !(typeof version === 'number' && version > 1)
}

const nobodyKnown: Seen = { token: '', owner: null, isForeign: false, beats: [], closed: null }

/** Somebody's who may well be at work: a colleague, or a stranger. Null of one that is not there. */
function closedTo(error: StorageError): Seen | null {
  return isAbsence(error.errno) ? null : { ...nobodyKnown, closed: error }
}

function describeHolder({ owner, closed }: Seen): string {
  if (owner !== null) return describeOwner(owner)
  return closed === null ? 'another ckpt' : `another ckpt (${closed.message})`
}

/** One ckpt's way to the lock. */
class LockAttempt {
  private readonly token = randomUUID()
  /** What becomes the lock: its name, while it waits, tells whose it is. */
  private readonly candidate: string
  private readonly lock: string
  private readonly name: string
  private readonly queue: LockQueue
  private beats = 0
  /** Unix seconds. */
  private lastSign = -Infinity
  /** Nobody was before us at the last try. */
  isNext = false
  /** The token of a dead lock whose name aside was taken: by one that is taking it over, or by what was put there. */
  private takenName: string | null = null

  constructor(
    private readonly storage: Storage,
    private readonly state: StateFolder,
    private readonly options: LockOptions,
  ) {
    this.name = options.name ?? changeLock
    this.lock = join(state.path, this.name)
    this.candidate = this.folderOf(this.token)
    this.queue = new LockQueue(storage, {
      folder: state.path,
      prefix: `${this.name}-`,
      own: basename(this.candidate),
      record: ownerFile,
      processes: options.processes,
    })
  }

  private folderOf(token: string): string {
    return join(this.state.path, `${this.name}-${token}`)
  }

  /** Null when the lock is ours, else who has it. Throws StorageError when the state folder cannot be written. */
  async take(): Promise<string | null> {
    for (let tries = 0; tries < mostTries; tries += 1) {
      try {
        await this.prepare()
        const ahead = await this.queue.ahead()
        this.isNext = ahead === null
        if (ahead !== null) return (await this.holder()) ?? describeOwner(ahead)
        await this.storage.rename(this.candidate, this.lock)
      } catch (error) {
        if (!(error instanceof StorageError)) throw error
        // Another ckpt that had finished took the empty state folder away, or tidied our candidate up.
        if (error.errno === 'ENOENT' && tries < 5) {
          if (await this.isOurs()) return null
          continue
        }
        if (error.errno !== 'EEXIST' && error.errno !== 'ENOTEMPTY') {
          await this.giveUp()
          throw error
        }
        const seen = await this.look(this.lock)
        if (seen === null) continue
        if (!(await this.isDead(seen))) return describeHolder(seen)
        await this.takeAway(seen)
        continue
      }
      return null
    }
    return describeHolder(nobodyKnown)
  }

  /** A network file system may have lost the answer to a rename that was done. */
  private async isOurs(): Promise<boolean> {
    const seen = await this.look(this.lock)
    return seen?.token === this.token
  }

  private async prepare(): Promise<void> {
    const [there] = await this.storage.lstat([join(this.candidate, ownerFile)])
    if (there?.ok === true) return this.giveSign()
    this.lastSign = this.options.now()
    await makeState(this.storage, this.state)
    try {
      await this.storage.makeDirectory(this.candidate)
    } catch (error) {
      if (!(error instanceof StorageError) || error.errno !== 'EEXIST') throw error
    }
    const file = await this.storage.create(join(this.candidate, ownerFile))
    try {
      const record = { version: 1, token: this.token, owner: this.options.processes.self, time: this.options.now() }
      await file.write(new TextEncoder().encode(`${JSON.stringify(record, null, 2)}\n`))
    } finally {
      await file.close()
    }
  }

  private async giveSign(): Promise<void> {
    const now = this.options.now()
    if (now - this.lastSign < waitingBeatInterval) return
    this.lastSign = now
    await this.beat(this.candidate)
  }

  /** Null when there is nothing (any more). */
  private async look(folder: string): Promise<Seen | null> {
    const [listing] = await this.storage.list([folder])
    if (listing?.ok !== true) return listing === undefined ? null : closedTo(listing.error)
    const { record, isForeign } = await this.readOwner(folder)
    const recorded = record?.get('token')
    const known = typeof recorded === 'string' && token.test(recorded) ? recorded : ''
    const names = listing.value.map((entry) => entry.name).filter((name) => content.test(name))
    return {
      token: known,
      owner: record === null ? null : toOwner(record),
      isForeign,
      beats: names.filter((name) => name === ownerFile || name.startsWith(`${beatPrefix}${known}`)),
      closed: null,
    }
  }

  /** A lock gets its name with its record in it, and ckpt makes no other file of the record's name. */
  private async readOwner(
    folder: string,
  ): Promise<{ readonly record: JsonObject | null; readonly isForeign: boolean }> {
    try {
      const record = await readRecord(this.storage, join(folder, ownerFile))
      return { record, isForeign: record !== null && isNoOwners(record) }
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      this.storage.custody.warn(`${error.message}; it is left out`)
      const [there] = error instanceof UntrustedError ? await this.storage.lstat([join(folder, ownerFile)]) : []
      return { record: null, isForeign: there?.ok === true && there.value.kind !== 'file' }
    }
  }

  /** Seconds since the owner's last heartbeat, by the file system's clock; null when that is unknown. */
  private async silenceOf(beats: readonly string[]): Promise<number | null> {
    const paths = beats.length === 0 ? [this.lock] : beats.map((name) => join(this.lock, name))
    const [mine, ...theirs] = await this.storage.lstat([await this.touchCandidate(), ...paths])
    const last = Math.max(...theirs.map((stat) => (stat.ok ? stat.value.modified : -Infinity)))
    return mine?.ok === true && Number.isFinite(last) ? mine.value.modified - last : null
  }

  /** Something that the file system has just given the time to. */
  private async touchCandidate(): Promise<string> {
    await this.beat(this.candidate)
    return join(this.candidate, `${beatPrefix}${this.token}-${this.beats}`)
  }

  private async beat(folder: string): Promise<void> {
    const last = join(folder, `${beatPrefix}${this.token}-${this.beats}`)
    this.beats += 1
    await quietly(async () => {
      const file = await this.storage.create(join(folder, `${beatPrefix}${this.token}-${this.beats}`))
      await file.close()
      await this.storage.unlink(last)
    })
  }

  private async isDead({ owner, isForeign, beats }: Seen): Promise<boolean> {
    if (isForeign) return true
    const life = owner === null ? 'unknown' : lifeOf(owner, this.options.processes)
    if (life !== 'unknown') return life === 'dead'
    const silence = await this.silenceOf(beats)
    return silence !== null && silence > staleAfter
  }

  /**
   * The dead owner's lock is put aside under its token; it goes when ours is released. So of two that want to take it
   * over the second finds that name taken; should it ever move a living lock aside, it puts it back. A lock that stays
   * though that name is taken goes aside under one of ours.
   */
  private async takeAway(dead: Seen): Promise<void> {
    const isNameKnown = dead.token !== '' && dead.token !== this.takenName
    const aside = this.folderOf(isNameKnown ? `${dead.token}-dead` : `${this.token}-unreadable`)
    try {
      await this.storage.rename(this.lock, aside)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      if (error.errno === 'EEXIST' || error.errno === 'ENOTEMPTY') this.takenName = dead.token
      else if (error.errno !== 'ENOENT') throw error
      return
    }
    const moved = await this.look(aside)
    if (moved !== null && moved.token !== dead.token) await quietly(() => this.storage.rename(aside, this.lock))
  }

  async holder(): Promise<string | null> {
    const seen = await this.look(this.lock)
    const owner = seen?.owner ?? null
    return owner === null || lifeOf(owner, this.options.processes) === 'dead' ? null : describeOwner(owner)
  }

  async giveUp(): Promise<void> {
    await this.clear(this.candidate)
    await removeEmpty(this.storage, this.state)
  }

  hold(): Lock {
    const stop = this.options.every(beatInterval * 1000, () => void this.beat(this.lock))
    return {
      release: async () => {
        stop()
        if (this.name === changeLock) await forgetUnlessProtecting(this.storage, this.state)
        // Aside first: a lock that is half taken apart would have no owner.
        await quietly(async () => {
          if (await this.isOurs()) await this.storage.rename(this.lock, this.candidate)
        })
        await this.clear(this.candidate)
        await this.clearDead()
        await removeEmpty(this.storage, this.state)
      },
    }
  }

  /** What dead ones left: locks put aside, and candidates of those that were killed while they waited. */
  private async clearDead(): Promise<void> {
    const [listing] = await this.storage.list([this.state.path])
    if (listing?.ok !== true) return
    const isAside = (name: string) => name.startsWith(this.name) && asideSuffix.test(name.slice(this.name.length))
    const aside = listing.value.filter(({ name, kind }) => kind === 'directory' && isAside(name))
    for (const { name } of aside.slice(0, mostCleared)) {
      const owner = await readRecordOrNull(this.storage, join(this.state.path, name, ownerFile))
      const known = owner === null ? null : toOwner(owner)
      // Without a record it was left half made; should its ckpt be alive, that one makes it anew.
      const isDead = known === null || lifeOf(known, this.options.processes) === 'dead'
      const [folder] = await this.storage.lstat([join(this.state.path, name)])
      const age = folder?.ok === true ? this.options.now() - folder.value.modified : 0
      if (isDead || age > 10 * staleAfter) await this.tidy(join(this.state.path, name))
    }
  }

  /** Out of its ckpt's reach first: it must not become the lock while its record goes. */
  private async tidy(folder: string): Promise<void> {
    const aside = this.folderOf(`${this.token}-tidy`)
    await quietly(() => this.storage.rename(folder, aside))
    await this.clear(aside)
  }

  /** Only what ckpt itself put there; a lock with anything else in it stays. */
  private async clear(folder: string): Promise<void> {
    const [listing] = await this.storage.list([folder])
    if (listing?.ok !== true) return
    const own = listing.value.filter(({ name }) => content.test(name))
    for (const { name } of own) await quietly(() => this.storage.unlink(join(folder, name)))
    await quietly(() => this.storage.removeDirectory(folder))
  }
}
