/** Runs of real frameworks of which one file is changed: whatever is in it, the run is read to its end. */
import * as fs from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { findRuns } from '../src/core/checkpoints/layouts/index.js'
import { StorageError } from '../src/core/errors.js'
import { examine, openRuns, verifyRun } from '../src/core/runs/index.js'
import { stateFolderOf } from '../src/core/changes/state/index.js'
import type { DirectoryEntry, ReadHandle, ReadStorage, Result, Stat } from '../src/core/storage/storage.js'

/** What a file is to ckpt. */
export type RunFile = 'meta' | 'index' | 'pointer'

export interface RunSpecimen {
  readonly kind: RunFile
  /** The run's folder, and the file in it. */
  readonly name: string
  readonly bytes: Uint8Array
}

const largestSpecimen = 300_000
const tensors = /\.(?:pt|pth|tar|bin|pkl|ckpt|safetensors|distcp|pdparams|pdopt|zip|nemo|h5|keras|ubj|npy)$/
const index = /(?:\.index(?:\.json)?|^\.metadata|^metadata\.json|^model_index\.json)$/
/** A line or two that name a checkpoint. */
const largestPointer = 300

let frameworks: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>> = new Map()

/** Reads the fixtures' runs into memory; gives what can be changed in them. */
export function loadRuns(folder: string): RunSpecimen[] {
  const found = new Map<string, ReadonlyMap<string, Uint8Array>>()
  for (const framework of fs.readdirSync(folder)) {
    const { run } = JSON.parse(fs.readFileSync(join(folder, framework, 'expected.json'), 'utf8')) as { run: string }
    found.set(framework, filesBelow(join(folder, framework, run)))
  }
  frameworks = found
  return [...found].flatMap(([framework, files]) =>
    [...files].flatMap(([path, bytes]) => {
      const kind = kindOf(path, bytes)
      return kind === null ? [] : [{ kind, name: `${framework}${path}`, bytes }]
    }),
  )
}

function filesBelow(root: string): ReadonlyMap<string, Uint8Array> {
  const names = fs.readdirSync(root, { recursive: true, encoding: 'utf8' })
  const files = names.map((name) => join(root, name)).filter((path) => fs.statSync(path).isFile())
  return new Map(files.map((path) => [`/${relative(root, path)}`, fs.readFileSync(path)]))
}

function kindOf(path: string, bytes: Uint8Array): RunFile | null {
  const name = basename(path)
  if (bytes.length === 0 || bytes.length > largestSpecimen || tensors.test(name)) return null
  if (index.test(name)) return 'index'
  const isPointer =
    bytes.length < largestPointer && /^(?:latest|last|checkpoint|tracker|best)[^.]*(?:\.txt)?$/.test(name)
  return isPointer ? 'pointer' : 'meta'
}

/** Reads the run of that specimen with these bytes in the file's place, as list, verify and find do. */
export async function readRunWith(name: string, bytes: Uint8Array): Promise<void> {
  const [framework = ''] = name.split('/')
  const files = new Map(frameworks.get(framework))
  files.set(name.slice(framework.length), bytes)
  const storage = new Memory(files)
  for (const run of await openRuns(storage, '/')) {
    await examine(storage, run.checkpoints, run.checkpoints, 'quick')
    const state = await stateFolderOf(storage, run.path)
    await verifyRun(storage, run, { which: null, level: 'quick', state })
  }
  await findRuns(storage, '/')
}

const quietSince = 1_700_000_000

/** Files in memory. */
export class Memory implements ReadStorage {
  readonly custody = { user: null, stateHome: null, warn: () => undefined }
  private readonly folders = new Map<string, Map<string, DirectoryEntry>>()
  private readonly inodes = new Map<string, bigint>()

  constructor(private readonly files: ReadonlyMap<string, Uint8Array>) {
    this.folders.set('/', new Map())
    for (const path of files.keys()) this.add(path, 'file')
  }

  private add(path: string, kind: 'file' | 'directory'): void {
    this.inodes.set(path, BigInt(this.inodes.size + 2))
    const above = dirname(path)
    if (kind === 'directory') this.folders.set(path, new Map())
    if (!this.folders.has(above)) this.add(above, 'directory')
    this.folders.get(above)?.set(basename(path), { name: basename(path), kind })
  }

  guard(): null {
    return null
  }

  list = async (paths: readonly string[]): Promise<Result<readonly DirectoryEntry[]>[]> =>
    paths.map((path) => {
      const entries = this.folders.get(path)
      return entries === undefined ? absent(path) : { ok: true, value: [...entries.values()] }
    })

  lstat = async (paths: readonly string[]): Promise<Result<Stat>[]> => paths.map((path) => this.statOf(path))

  stat = this.lstat

  read = async (paths: readonly string[], limit: number): Promise<Result<Uint8Array>[]> =>
    paths.map((path) => {
      const bytes = this.files.get(path)
      if (bytes === undefined) return absent(path)
      return bytes.length > limit ? failed(path, 'EFBIG') : { ok: true, value: bytes }
    })

  mayRead = async (paths: readonly string[]): Promise<Result<true>[]> =>
    paths.map((path) => (this.statOf(path).ok ? { ok: true, value: true } : absent(path)))

  resolve = async (paths: readonly string[]): Promise<Result<string>[]> =>
    paths.map((path) => (this.statOf(path).ok ? { ok: true, value: path } : absent(path)))

  async open(path: string): Promise<ReadHandle> {
    const bytes = this.files.get(path)
    const stat = this.statOf(path)
    if (bytes === undefined || !stat.ok) throw new StorageError(path, 'ENOENT', `${path}: not there`)
    return {
      path,
      size: bytes.length,
      read: async (into, position) => {
        const part = bytes.subarray(position, position + into.length)
        into.set(part)
        return part.length
      },
      stat: async () => stat.value,
      close: async () => undefined,
    }
  }

  sweep = (): Promise<never> => Promise.reject(new Error('quick health reads no file whole'))

  space = async (paths: readonly string[]): Promise<Result<never>[]> => paths.map((path) => failed(path, 'ENOTSUP'))

  private statOf(path: string): Result<Stat> {
    const times = { modifiedNs: BigInt(quietSince) * 1_000_000_000n, changedNs: BigInt(quietSince) * 1_000_000_000n }
    const bytes = this.files.get(path)
    const kind = bytes === undefined ? ('directory' as const) : ('file' as const)
    if (bytes === undefined && !this.folders.has(path)) return absent(path)
    const size = bytes?.length ?? 0
    const numbers = {
      size,
      allocated: size,
      modified: quietSince,
      ...times,
      device: 1n,
      inode: this.inodes.get(path) ?? 1n,
    }
    return { ok: true, value: { kind, ...numbers, links: 1, mode: 0o644, owner: 0, group: 0 } }
  }
}

function absent(path: string): Result<never> {
  return failed(path, 'ENOENT')
}

function failed(path: string, errno: string): Result<never> {
  return { ok: false, error: new StorageError(path, errno, `${path}: ${errno}`) }
}
