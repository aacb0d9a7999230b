/**
 * A storage whose n-th changing call fails, for fault tests: run once to count the calls, then fail at each in turn.
 *
 *     const { calls } = await tried(faultyStorage(localStorage()))
 *     for (let n = 1; n <= calls.length; n += 1) … faultyStorage(localStorage(), { failAt: n })
 */
import { join } from 'node:path'
import { StorageError } from '../src/core/errors.js'
import type { FolderHandle, Passage, Storage, WriteHandle } from '../src/core/storage/storage.js'

export interface Fault {
  /** Which changing call fails, from 1; none when left out. */
  readonly failAt?: number
  /** The system's code that it fails with; EIO when left out. */
  readonly errno?: string
  /**
   * `goes on`: that one call fails. `stops`: every call from then on throws `Stopped`, reading ones too, as if the
   * process had been killed there.
   */
  readonly then?: 'goes on' | 'stops'
}

/** What a killed process would not live to see; no code of ours may catch it. */
export class Stopped extends Error {}

export interface FaultyStorage {
  readonly storage: Storage
  /** The changing calls so far, `rename /a -> /b`. */
  readonly calls: readonly string[]
}

export function faultyStorage(inner: Storage, fault: Fault = {}): FaultyStorage {
  const calls: string[] = []
  let stopped = false

  function alive(): void {
    if (stopped) throw new Stopped('the process was killed before')
  }

  async function changing<T>(name: string, path: string, call: () => Promise<T>): Promise<T> {
    alive()
    calls.push(`${name} ${path}`)
    if (calls.length !== fault.failAt) return call()
    if (fault.then !== 'stops') throw failure(path, fault.errno ?? 'EIO')
    stopped = true
    throw new Stopped(`killed at call ${calls.length}: ${name} ${path}`)
  }

  async function reading<T>(call: () => Promise<T>): Promise<T> {
    alive()
    return call()
  }

  function faultyHandle(handle: WriteHandle): WriteHandle {
    const { path } = handle
    return {
      path,
      write: (bytes) => changing('write', path, () => handle.write(bytes)),
      copyFrom: (source, position, length) =>
        changing('copyFrom', path, () => handle.copyFrom(source, position, length)),
      sync: () => changing('sync', path, () => handle.sync()),
      // Closing must not leak the descriptor when it is the call that fails.
      close: () => handle.close().then(() => changing('close', path, () => Promise.resolve())),
    }
  }

  function faultyFolder(folder: FolderHandle): FolderHandle {
    const at = (name: string) => join(folder.path, name)
    return {
      path: folder.path,
      way: folder.way,
      stat: folder.stat,
      list: () => reading(() => folder.list()),
      lstat: (name) => reading(() => folder.lstat(name)),
      open: (name) => reading(async () => faultyFolder(await folder.open(name))),
      unlink: (name) => changing('unlink', at(name), () => folder.unlink(name)),
      removeDirectory: (name) => changing('removeDirectory', at(name), () => folder.removeDirectory(name)),
      close: () => folder.close(),
    }
  }

  function faultyPassage(from: string, to: string, passage: Passage): Passage {
    return {
      move: (name, as, expected) =>
        changing('rename', `${join(from, name)} -> ${join(to, as)}`, () => passage.move(name, as, expected)),
      close: () => passage.close(),
    }
  }

  const storage: Storage = {
    custody: inner.custody,
    guard: (folder) => inner.guard(folder),
    list: (paths) => reading(() => inner.list(paths)),
    stat: (paths) => reading(() => inner.stat(paths)),
    lstat: (paths) => reading(() => inner.lstat(paths)),
    read: (paths, limit) => reading(() => inner.read(paths, limit)),
    mayRead: (paths) => reading(() => inner.mayRead(paths)),
    resolve: (paths) => reading(() => inner.resolve(paths)),
    open: (path) => reading(() => inner.open(path)),
    sweep: (find, options) => reading(() => inner.sweep(find, options)),
    space: (paths) => reading(() => inner.space(paths)),
    create: (path, mode) => changing('create', path, async () => faultyHandle(await inner.create(path, mode))),
    append: (path, bytes) => changing('append', path, () => inner.append(path, bytes)),
    makeDirectory: (path, mode) => changing('makeDirectory', path, () => inner.makeDirectory(path, mode)),
    rename: (from, to) => changing('rename', `${from} -> ${to}`, () => inner.rename(from, to)),
    move: (from, to, expected) => changing('rename', `${from} -> ${to}`, () => inner.move(from, to, expected)),
    passage: (from, to) => faultyPassage(from, to, inner.passage(from, to)),
    openFolder: (path) => reading(async () => faultyFolder(await inner.openFolder(path))),
    unlink: (path) => changing('unlink', path, () => inner.unlink(path)),
    removeDirectory: (path) => changing('removeDirectory', path, () => inner.removeDirectory(path)),
    hardLink: (existing, path) => changing('hardLink', `${existing} -> ${path}`, () => inner.hardLink(existing, path)),
    symbolicLink: (target, path) =>
      changing('symbolicLink', `${path} -> ${target}`, () => inner.symbolicLink(target, path)),
    copyFile: (from, to) => changing('copyFile', `${from} -> ${to}`, () => inner.copyFile(from, to)),
    cloneFile: (from, to) => changing('cloneFile', `${from} -> ${to}`, () => inner.cloneFile(from, to)),
    amend: (path) =>
      changing('amend', path, async () => {
        const handle = await inner.amend(path)
        return { ...faultyHandle(handle), moveTo: (position) => handle.moveTo(position) }
      }),
    setTimes: (path, accessed, modified) => changing('setTimes', path, () => inner.setTimes(path, accessed, modified)),
    syncFile: (path) => changing('syncFile', path, () => inner.syncFile(path)),
    syncDirectory: (path) => changing('syncDirectory', path, () => inner.syncDirectory(path)),
  }
  return { storage, calls }
}

/** The storage in which things leave their names by `move`, each by itself or one after the other. */
export function movingBy(inner: Storage, move: Storage['move']): Storage {
  const passage = (from: string, to: string): Passage => ({
    move: async (name, as, expected) => move(join(from, name), join(to, as), expected),
    close: () => Promise.resolve(),
  })
  return { ...inner, move, passage }
}

/** The storage with other calls for removing, also of what is removed in a folder that is held open. */
export function removingBy(inner: Storage, calls: Partial<Pick<Storage, 'unlink' | 'removeDirectory'>>): Storage {
  const { unlink, removeDirectory } = { ...inner, ...calls }
  const changed = (folder: FolderHandle): FolderHandle => ({
    path: folder.path,
    way: folder.way,
    stat: folder.stat,
    list: () => folder.list(),
    lstat: (name) => folder.lstat(name),
    open: async (name) => changed(await folder.open(name)),
    unlink: (name) => unlink(join(folder.path, name)),
    removeDirectory: (name) => removeDirectory(join(folder.path, name)),
    close: () => folder.close(),
  })
  return { ...inner, ...calls, openFolder: async (path) => changed(await inner.openFolder(path)) }
}

function failure(path: string, errno: string): StorageError {
  return new StorageError(path, errno, `${path}: ${errno} (made by the test)`)
}
