/**
 * Acting in a folder that is held open, so that it does not matter what its path leads to meanwhile.
 *
 * Node has no openat(2) and its like. On Linux `/proc/self/fd/N/NAME` is the same (proc(5)): the way through an open
 * folder to a name in it, a link under that name being followed only where the call itself follows one. Elsewhere the
 * folder's path is used once it has been seen to lead to the same folder still.
 */
import * as fs from 'node:fs'
import { join } from 'node:path'
import { StorageError, UntrustedError } from '../errors.js'
import type { Belonging } from './storage.js'

/** Does what `call` does with the rights of that user and group. */
export type ActAs = <T>(as: Belonging, call: () => T) => T

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = fs.constants
/** O_PATH of Linux, which Node does not name (fcntl.h): nothing is read or triggered by opening. */
export const O_PATH = 0o10000000

let known: boolean | undefined

export function leadsThroughDescriptors(): boolean {
  return (known ??= fs.existsSync('/proc/self/fdinfo'))
}

export class OpenFolder {
  private constructor(
    readonly path: string,
    private readonly fd: number,
    readonly stats: fs.BigIntStats,
    private readonly actAs: ActAs | null,
  ) {}

  /** The folder at an absolute path, whose last part is not a link. `actAs` is given where this process is the superuser's. */
  static at(path: string, actAs: ActAs | null): OpenFolder {
    return OpenFolder.openAt(path, path, actAs)
  }

  /** The same of a path that leads over no link: throws UntrustedError where somebody has put one on it since. */
  static atReal(path: string, actAs: ActAs | null): OpenFolder {
    const folder = OpenFolder.openAt(path, path, actAs)
    if (!leadsThroughDescriptors() || fs.readlinkSync(`/proc/self/fd/${folder.fd}`) === path) return folder
    try {
      // Some file systems have several spellings of one name.
      if (OpenFolder.isReachedUnlinked(path, folder.stats)) return folder
      throw linked(path)
    } catch (error) {
      folder.close()
      throw error
    }
  }

  private static isReachedUnlinked(path: string, { dev, ino }: fs.BigIntStats): boolean {
    let at = OpenFolder.openAt('/', '/', null)
    try {
      for (const name of path.split('/').filter((part) => part !== '')) {
        const next = at.open(name)
        at.close()
        at = next
      }
      return at.stats.dev === dev && at.stats.ino === ino
    } finally {
      at.close()
    }
  }

  private static openAt(at: string, path: string, actAs: ActAs | null): OpenFolder {
    const how = leadsThroughDescriptors() ? O_PATH : O_RDONLY | O_NONBLOCK
    const fd = fs.openSync(at, how | O_DIRECTORY | O_NOFOLLOW)
    try {
      return new OpenFolder(path, fd, fs.fstatSync(fd, { bigint: true }), actAs)
    } catch (error) {
      fs.closeSync(fd)
      throw error
    }
  }

  /** A folder right in it, `path` as messages show it. Throws UntrustedError for a link. */
  open(name: string, path = join(this.path, name)): OpenFolder {
    return this.act(() => {
      try {
        return OpenFolder.openAt(this.at(name), path, this.actAs)
      } catch (error) {
        if (isNoFolder(error) && fs.lstatSync(this.at(name)).isSymbolicLink()) throw linked(path)
        throw error
      }
    })
  }

  /** The path of an entry for one call of the system, which must not follow a link there unless it is to. */
  at(name: string): string {
    if (leadsThroughDescriptors()) return `/proc/self/fd/${this.fd}/${name}`
    const now = fs.lstatSync(this.path, { bigint: true })
    if (now.dev !== this.stats.dev || now.ino !== this.stats.ino) throw replaced(this.path)
    return join(this.path, name)
  }

  list(): fs.Dirent[] {
    return this.act(() => fs.readdirSync(this.at('.'), { withFileTypes: true }))
  }

  sync(): void {
    this.act(() => {
      const fd = fs.openSync(this.at('.'), O_RDONLY | O_DIRECTORY)
      try {
        fs.fsyncSync(fd)
      } finally {
        fs.closeSync(fd)
      }
    })
  }

  /** What the superuser does in somebody's folder goes by that one's rights: it cannot reach what they cannot. */
  act<T>(call: () => T): T {
    const { uid, gid } = this.stats
    if (this.actAs === null || uid === 0n) return call()
    return this.actAs({ owner: Number(uid), group: Number(gid) }, call)
  }

  close(): void {
    fs.closeSync(this.fd)
  }
}

/** As Linux and others say that what was to be a folder is a link, or none. */
function isNoFolder(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOTDIR' || error.code === 'ELOOP')
}

function linked(path: string): UntrustedError {
  return new UntrustedError(path, 'is a symbolic link, and none is followed here', 'see where it leads, then remove it')
}

function replaced(path: string): StorageError {
  return new StorageError(path, 'ESTALE', `${path}: another folder took its place meanwhile`)
}
