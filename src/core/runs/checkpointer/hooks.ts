/** How an object is saved and loaded: registered for its class, or given for one key. */
import type { ReadStorage, Storage } from '../../storage/storage.js'

/** Writes the object's state to the file at `path`, where nothing is yet. Done when its promise is. */
export type SaveHook<T = never> = (object: T, path: string, storage: Storage) => void | Promise<void>

/** Brings the object to the state that the file holds. `endOfEpoch` is false in the middle of an epoch. */
export type LoadHook<T = never> = (
  object: T,
  path: string,
  endOfEpoch: boolean,
  storage: ReadStorage,
) => void | Promise<void>

/** Takes what it can use from a file of another training. */
export type TransferHook<T = never> = (object: T, path: string, storage: ReadStorage) => void | Promise<void>

/** What saves an object, loads it, and takes it over from another training. */
export interface Hooks<T = never> {
  /** Writes its state. */
  readonly save?: SaveHook<T>
  /** Brings its state back. */
  readonly load?: LoadHook<T>
  /** Takes what it can use of another training's; `load` serves when left out. */
  readonly transfer?: TransferHook<T>
}

/** A class, abstract or not. */
export type Class<T> = abstract new (...args: never[]) => T

const registered = new Map<unknown, Hooks>()

/**
 * Registers the hooks for objects of the class and of those that inherit from it. What is registered for a nearer
 * class wins, each hook on its own; registering again adds to, and replaces, what was registered before.
 */
export function registerHooks<T extends object>(of: Class<T>, hooks: Hooks<T>): void {
  registered.set(of.prototype, { ...registered.get(of.prototype), ...hooks })
}

/** The hook of that kind of the object's class, or of the nearest one that it inherits from. */
export function findHook<Kind extends keyof Hooks>(object: object, kind: Kind): Hooks[Kind] | undefined {
  for (let at: unknown = Object.getPrototypeOf(object); at !== null; at = Object.getPrototypeOf(at)) {
    const hook = registered.get(at)?.[kind]
    if (hook !== undefined) return hook
  }
  return undefined
}
