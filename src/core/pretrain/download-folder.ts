/** Where downloads are until they are whole, and links and copies until they get their name. */
import { join } from 'node:path'
import { StorageError } from '../errors.js'
import {
  makeInside,
  neutralName,
  refuseWithout,
  quietly,
  removeEmpty,
  unlinkIfThere,
  type StateFolder,
} from '../changes/state/index.js'
import type { Storage } from '../storage/storage.js'
import type { Loadable } from './plan.js'

const inState = 'downloads'
const hidden = `.${neutralName(inState)}`
/** Seconds: parts that nobody has gone on with for so long are of a plan that is no more. */
const longest = 7 * 24 * 3600

/** A part is known again by where it comes from and the name that it gets. */
export function draftName(from: string, name: string): string {
  return neutralName(`${from} ${name}`)
}

/**
 * Removes what is left of downloads that broke off a week ago or longer, but for those of `loadables`: of a plan that
 * is no more. `now` is in Unix seconds.
 */
export async function removeOldParts(
  storage: Storage,
  state: StateFolder,
  folder: string,
  loadables: readonly Loadable[],
  now: number,
): Promise<void> {
  const kept = loadables.flatMap(({ key, name, origin }) => {
    const from = origin?.source.identify({ key, file: origin.file, digest: origin.digest }) ?? null
    return from === null ? [] : [draftName(from, name)]
  })
  await new Workshop(storage, state, folder).removeOld(now, new Set(kept))
}

export class Workshop {
  private readonly beside: string

  /** `folder` is where files are collected; absolute. */
  constructor(
    private readonly storage: Storage,
    private readonly state: StateFolder,
    folder: string,
  ) {
    this.beside = join(folder, hidden)
  }

  /**
   * Made, on the file system of the folder, where a name can be given in one step; its path. Throws CkptError `refused`
   * where nothing can be remembered.
   */
  async open(): Promise<string> {
    const { storage, state, beside } = this
    try {
      const inside = await makeInside(storage, state, inState)
      const [one, other] = await storage.stat([inside, join(beside, '..')])
      if (one?.ok === true && other?.ok === true && one.value.device === other.value.device) return inside
    } catch (error) {
      if (error instanceof StorageError) throw refuseWithout(state, 'collect files', error)
      throw error
    }
    await storage.makeDirectory(beside).catch((error: unknown) => {
      if (!(error instanceof StorageError) || error.errno !== 'EEXIST') throw error
    })
    return beside
  }

  /** Removes what was last written over a week before `now` (Unix seconds), but for `kept`, by their names. */
  async removeOld(now: number, kept: ReadonlySet<string>): Promise<void> {
    for (const folder of [join(this.state.path, inState), this.beside]) await this.removeOldIn(folder, now, kept)
    await this.close()
  }

  /** Removes what is empty. What cannot be removed stays. */
  async close(): Promise<void> {
    try {
      await this.storage.removeDirectory(this.beside)
    } catch (error) {
      // Not there, as usual, or not empty.
      if (!(error instanceof StorageError)) throw error
    }
    await removeEmpty(this.storage, this.state, inState)
  }

  private async removeOldIn(folder: string, now: number, kept: ReadonlySet<string>): Promise<void> {
    const [listing] = await this.storage.list([folder])
    if (listing?.ok !== true) return
    const unused = listing.value.filter(
      ({ name, kind }) => kind !== 'directory' && !kept.has(name.replace(/\..*$/, '')),
    )
    const paths = unused.map(({ name }) => join(folder, name))
    const stats = await this.storage.lstat(paths)
    for (const [index, path] of paths.entries()) {
      const stat = stats[index]
      if (stat?.ok !== true || stat.value.modified > now - longest) continue
      await quietly(() => unlinkIfThere(this.storage, path))
    }
  }
}
