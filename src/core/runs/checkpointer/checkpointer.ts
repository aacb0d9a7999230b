/** Saving and recovering the state of a training, as SpeechBrain's Checkpointer does (speechbrain/utils/checkpoints.py). */
import { basename, dirname } from 'node:path'
import type { Checkpoint, HealthLevel } from '../../checkpoint.js'
import type { Wait } from '../../storage/retry.js'
import { removalError, fingerprint, removeCheckpoints } from '../../changes/disposal/index.js'
import { CkptError } from '../../errors.js'
import { firstWhole } from '../recovering/pass-over-damaged.js'
import { scanFolder } from '../../checkpoints/layouts/index.js'
import { plan, type Removed } from '../../choosing/retention/index.js'
import { examine } from '../index.js'
import { recordRemovals } from '../pruning/record-removals.js'
import {
  fileNameOf,
  saveCheckpoint,
  toPyMeta,
  toPyValues,
  type FileToSave,
  type MetaInputs,
} from '../../changes/saving/index.js'
import { byRecency, scopeOf } from '../../choosing/selection/index.js'
import { stateFolderOf, withLock, type LockOptions, type Processes } from '../../changes/state/index.js'
import type { Storage } from '../../storage/storage.js'
import { checkKeeping, describeKeeping, inOrder, ordersOf, type Choice, type Keeping } from './choose.js'
import { findHook, type Hooks } from './hooks.js'

/** How one recoverable is saved and loaded. */
export interface RecoverableOptions<T = never> extends Hooks<T> {
  /** A checkpoint that has no file for it loads all the same. */
  readonly optional?: boolean
}

/** What the Checkpointer cannot know by itself. */
export interface Surroundings {
  /** Where checkpoints lie. */
  readonly storage: Storage
  /** Unix seconds. */
  readonly now: () => number
  /** The local time of a moment (Unix seconds), as strftime's `%Y-%m-%d+%H-%M-%S`. */
  readonly localStamp: (time: number) => string
  /** Resolves after that many milliseconds. */
  readonly wait: Wait
  /** Calls back again and again, that many milliseconds apart, until what it gave is called. */
  readonly every: LockOptions['every']
  /** This process and the others: whose is a lock, and does its owner live? */
  readonly processes: Processes
}

/** What a Checkpointer is made with. */
export interface CheckpointerOptions {
  /** By key: what is saved in the file `KEY.ckpt`. */
  readonly recoverables?: Readonly<Record<string, object>> | ReadonlyMap<string, object>
  /** A checkpoint may lack files; what it has is loaded. */
  readonly allowPartialLoad?: boolean
  /** Stands for `<parent of the folder>/.ckpt/<folder's name>`, where checkpoints are built. */
  readonly stateDirectory?: string
  /** Seconds that a deletion waits for another ckpt that changes the run; a minute when left out. */
  readonly patience?: number
  /** Gets what is not an error, but may be a mistake. */
  readonly onWarning?: (text: string) => void
}

/** What is said of a checkpoint when it is saved. */
export interface SaveCheckpointOptions {
  /** What stands in its `CKPT.yaml`, beside what SpeechBrain itself writes there. */
  readonly meta?: MetaInputs
  /** False in the middle of an epoch. */
  readonly endOfEpoch?: boolean
  /** `CKPT+NAME`; never overwrites. */
  readonly name?: string
}

export interface RecoverOptions extends Choice {
  /** Passes over checkpoints that are found to be damaged, looked at so deep; `none` (the default) looks at the meta. */
  readonly verify?: HealthLevel
}

interface Recoverable {
  readonly object: object
  readonly options: RecoverableOptions
}

export class Checkpointer {
  private readonly recoverables = new Map<string, Recoverable>()

  constructor(
    /** Absolute; the first save makes it. */
    readonly directory: string,
    private readonly surroundings: Surroundings,
    private readonly options: CheckpointerOptions = {},
  ) {
    if (options.recoverables !== undefined) this.addRecoverables(options.recoverables)
  }

  /**
   * Hooks given here go before those of the object's class. Throws CkptError `usage` for a key that no file can have
   * and for what is not an object.
   */
  addRecoverable<T extends object>(key: string, object: T, options: RecoverableOptions<T> = {}): this {
    fileNameOf(key)
    // A program in JavaScript may hand over anything.
    const given: unknown = object
    if (given === null || (typeof given !== 'object' && typeof given !== 'function')) {
      const what = given === null || given === undefined ? String(given) : `a ${typeof given}`
      throw new CkptError('usage', `${key}: ${what} is not a recoverable: its state could not be brought back`)
    }
    // The hooks are only ever called with this very object.
    this.recoverables.set(key, { object, options: options })
    return this
  }

  /** Adds each under its key, with the hooks of its class. */
  addRecoverables(recoverables: Readonly<Record<string, object>> | ReadonlyMap<string, object>): this {
    if (Array.isArray(recoverables)) throw new CkptError('usage', 'recoverables are given by key, not as an array')
    const entries = recoverables instanceof Map ? recoverables : Object.entries(recoverables)
    for (const [key, object] of entries as Iterable<[string, object]>) this.addRecoverable(key, object)
    return this
  }

  /**
   * Saves every recoverable and the meta, in one step: the checkpoint is there whole and synced, or not at all.
   * Throws as `saveCheckpoint` of core/saving, CkptError `usage` for an object that nobody can save, and what a hook
   * throws.
   */
  async saveCheckpoint({ meta = {}, endOfEpoch = true, name }: SaveCheckpointOptions = {}): Promise<Checkpoint> {
    const { storage, now, localStamp, wait } = this.surroundings
    const unixtime = now()
    const files = new Map<string, FileToSave>()
    for (const [key, recoverable] of this.recoverables) files.set(key, this.sourceOf(key, recoverable))
    const saved = await saveCheckpoint(
      storage,
      {
        run: this.directory,
        name,
        stamp: localStamp(unixtime),
        meta: toPyMeta(toPyValues(meta), { unixtime, endOfEpoch }),
        files,
      },
      { wait, stateDirectory: this.options.stateDirectory },
    )
    return this.load(saved.path)
  }

  /** Saves, then deletes as `deleteCheckpoints` does; as in SpeechBrain the new one may be among what goes. */
  async saveAndKeepOnly(options: SaveCheckpointOptions & Keeping = {}): Promise<Checkpoint> {
    checkKeeping(options)
    const saved = await this.saveCheckpoint(options)
    await this.deleteCheckpoints(options)
    return saved
  }

  /** All that are there, in no order. */
  async listCheckpoints(): Promise<Checkpoint[]> {
    const { storage } = this.surroundings
    const [listing] = await storage.list([this.directory])
    if (listing === undefined || (!listing.ok && listing.error.code === 'not-found')) return []
    if (!listing.ok) throw listing.error
    const found = await scanFolder(storage, { path: this.directory, entries: listing.value })
    return found.filter(({ layout }) => layout === 'speechbrain')
  }

  /** The best, or the newest where no order is given; null when there is none. */
  async findCheckpoint(choice: Choice = {}): Promise<Checkpoint | null> {
    const [best] = await this.findCheckpoints({ ...choice, maxNumCheckpoints: 1 })
    return best ?? null
  }

  /** Best first, or newest first where no order is given. */
  async findCheckpoints(choice: Choice & { readonly maxNumCheckpoints?: number } = {}): Promise<Checkpoint[]> {
    return inOrder(await this.listCheckpoints(), choice).slice(0, choice.maxNumCheckpoints)
  }

  /**
   * Loads the checkpoint that `findCheckpoint` gives, if there is one. Throws as `loadCheckpoint`, and with `verify`
   * CkptError `damaged` when there are checkpoints and none is whole.
   */
  async recoverIfPossible({ verify = 'none', ...choice }: RecoverOptions = {}): Promise<Checkpoint | null> {
    const all = await this.listCheckpoints()
    const found = inOrder(all, choice)
    const chosen = verify === 'none' ? (found[0] ?? null) : await this.wholeOf(found, all, verify)
    if (chosen !== null) await this.loadCheckpoint(chosen)
    return chosen
  }

  /**
   * Brings every recoverable to the state that the checkpoint holds. A file that is not there is an error (CkptError
   * `damaged`, before anything is loaded), but for recoverables that are optional or data loaders, and where partial
   * loading is allowed.
   */
  async loadCheckpoint(checkpoint: Checkpoint): Promise<void> {
    const { storage } = this.surroundings
    const paths = new Map(checkpoint.files.map(({ key, path }) => [key, path]))
    for (const [key, { options }] of this.recoverables) {
      if (!paths.has(key)) this.judgeMissing(checkpoint, key, options.optional === true)
    }
    const loads = [...this.recoverables].flatMap(([key, { object, options }]) => {
      const path = paths.get(key)
      if (path === undefined) return []
      const hook = options.load ?? findHook(object, 'load')
      if (hook === undefined) throw unknownClass('load', key, object)
      return [{ object, path, hook }]
    })
    const endOfEpoch = checkpoint.meta.get('end-of-epoch') !== false
    for (const { object, path, hook } of loads) await hook(object as never, path, endOfEpoch, storage)
  }

  /**
   * Takes parameters from files of another training, by key: with the object's transfer hook, else its load hook.
   * Throws CkptError `usage` for keys that are not registered and objects that nobody can load.
   */
  async transferFrom(paths: Readonly<Record<string, string>>): Promise<void> {
    const { storage } = this.surroundings
    for (const [key, path] of Object.entries(paths)) {
      const recoverable = this.recoverables.get(key)
      if (recoverable === undefined) throw new CkptError('usage', `${key}: no such recoverable`)
      const { object, options } = recoverable
      const transfer = options.transfer ?? findHook(object, 'transfer')
      const load = options.load ?? findHook(object, 'load')
      if (transfer !== undefined) await transfer(object as never, path, storage)
      else if (load !== undefined) await load(object as never, path, false, storage)
      else throw unknownClass('load', key, object)
    }
  }

  /**
   * Keeps the best `numToKeep` of each order, and all that are in none of them; the rest goes, as SpeechBrain's
   * `delete_checkpoints` has it: nothing is protected. It is planned and done under the run's lock, and written into
   * the run's journal. Throws CkptError `partial` when some could not be removed, `refused` when another ckpt holds the
   * run for too long.
   */
  async deleteCheckpoints(keeping: Keeping = {}): Promise<void> {
    checkKeeping(keeping)
    if ((await this.toDelete(keeping)).length === 0) return
    const { storage, now, wait, every, processes } = this.surroundings
    const { stateDirectory, patience = 60, onWarning } = this.options
    const state = await stateFolderOf(storage, this.directory, stateDirectory)
    const onUnlocked = ({ message }: CkptError) => onWarning?.(`deleted without a lock on the run: ${message}`)
    await withLock(storage, state, { now, wait, every, processes, patience, onUnlocked }, async () => {
      const going = await this.toDelete(keeping)
      if (going.length === 0) return
      const checkpoints = going.map(({ checkpoint }) => checkpoint)
      const removal = await removeCheckpoints(storage, this.directory, checkpoints, {
        planned: await fingerprint(storage, checkpoints),
        wait,
        ...(stateDirectory === undefined ? {} : { stateDirectory }),
      })
      const reasons = new Map(going.map(({ checkpoint, reason }) => [checkpoint.name, reason.text]))
      const by = { self: processes.self, policy: describeKeeping(keeping) }
      await recordRemovals(storage, state, by, { what: 'removed', checkpoints: removal.removed, reasons, now: now() })
      const failure = removalError(removal)
      if (failure !== null) throw failure
    })
  }

  private async toDelete(keeping: Keeping): Promise<readonly Removed[]> {
    const { numToKeep = 1, predicate } = keeping
    const checkpoints = byRecency(await this.listCheckpoints()).ordered
    const orders = checkpoints.length === 0 ? [] : ordersOf(checkpoints, keeping)
    if (orders.length === 0) return []
    const time = this.surroundings.now()
    const { remove } = plan({
      checkpoints,
      policy: {
        keep: numToKeep,
        orders,
        selected: predicate === undefined ? undefined : new Set(checkpoints.filter(predicate)),
        allowEmpty: true,
      },
      context: { now: time, utcOffset: () => 0, scopeOf: (checkpoint) => scopeOf(checkpoint, time) },
      healthKnown: false,
      protections: null,
    })
    return remove
  }

  private sourceOf(key: string, { object, options }: Recoverable): FileToSave {
    const hook = options.save ?? findHook(object, 'save')
    if (hook === undefined) throw unknownClass('save', key, object)
    const { storage } = this.surroundings
    return { kind: 'written', write: async (path) => hook(object as never, path, storage) }
  }

  private async load(path: string): Promise<Checkpoint> {
    const entries = [{ name: basename(path), kind: 'directory' as const }]
    const [checkpoint] = await scanFolder(this.surroundings.storage, { path: dirname(path), entries })
    if (checkpoint !== undefined) return checkpoint
    throw new CkptError('not-found', `${path}: saved, and gone already: something else removed it`)
  }

  private async wholeOf(
    found: readonly Checkpoint[],
    all: readonly Checkpoint[],
    level: HealthLevel,
  ): Promise<Checkpoint | null> {
    const { storage } = this.surroundings
    const chosen = await firstWhole(
      found,
      async (checkpoint) => {
        const [examined] = await examine(storage, all, [checkpoint], level)
        // A file that is not there is for `loadCheckpoint` to judge.
        return (examined?.health.findings ?? []).filter(({ grade }) => grade !== 'partial')
      },
      ({ name, reasons }) => this.options.onWarning?.(`passed over ${name}: ${reasons.join('; ')}`),
    )
    return chosen?.checkpoint ?? null
  }

  private judgeMissing({ path }: Checkpoint, key: string, optional: boolean): void {
    if (this.options.allowPartialLoad === true) return
    const message = `${path}: has no file for ${key}`
    if (!optional && !key.includes('dataloader')) {
      throw new CkptError('damaged', message, {
        hint: 'add it as optional, or set allowPartialLoad, where that is meant; nothing was loaded',
      })
    }
    this.options.onWarning?.(`${message}, which keeps its state`)
  }
}

function unknownClass(what: 'save' | 'load', key: string, object: object): CkptError {
  const { constructor } = object as { constructor?: unknown }
  const name = typeof constructor === 'function' && constructor !== Object ? constructor.name : null
  const byKey = `addRecoverable(${JSON.stringify(key)}, object, { save, load })`
  return new CkptError(
    'usage',
    `${key}: how to ${what} ${name === null ? 'an object without a class' : `a ${name}`} is not known`,
    {
      hint: name === null ? byKey : `registerHooks(${name}, { save, load }), or for it alone ${byKey}`,
    },
  )
}
