/** Tensors that a folder's files hold together, as one file of tensors. */
import { FormatError } from '../../errors.js'
import type { ReadHandle, ReadStorage, Stat } from '../../storage/storage.js'
import { ListedFile, type ListedTensor, type Listing, type OpenFiles } from './listed-file.js'
import { ensureSame } from './tensor.js'
import type { TensorFile } from './tensor.js'

/** Files of one folder: looked at together, each opened when it is needed, and held open. */
export class FolderFiles {
  private readonly open = new Map<string, Promise<ReadHandle>>()

  private constructor(
    readonly folder: string,
    private readonly storage: ReadStorage,
    private readonly stats: ReadonlyMap<string, Stat>,
  ) {}

  /** Of the files by their names in it. Throws FormatError, with what `says` that it is there, for one that is not. */
  static async look(
    storage: ReadStorage,
    folder: string,
    names: readonly string[],
    says: string,
  ): Promise<FolderFiles> {
    if (names.length > mostFiles)
      throw new FormatError(`${folder}: ${says} names ${names.length} files; at most ${mostFiles} are opened`)
    const found = await storage.stat(names.map((name) => `${folder}/${name}`))
    const stats = new Map<string, Stat>()
    for (const [index, name] of names.entries()) {
      const stat = found[index]
      if (stat?.ok === true && stat.value.kind === 'file') stats.set(name, stat.value)
      else throw notThere(`${folder}/${name}`, says, stat?.ok === true ? undefined : stat?.error)
    }
    return new FolderFiles(folder, storage, stats)
  }

  get byteLength(): number {
    return [...this.stats.values()].reduce((sum, { size }) => sum + size, 0)
  }

  sizeOf(name: string): number {
    return this.statOf(name).size
  }

  private statOf(name: string): Stat {
    const stat = this.stats.get(name)
    if (stat === undefined) throw new RangeError(`${this.folder} has no file ${name}`)
    return stat
  }

  /** Throws CkptError `damaged` where it is not the file that was looked at. */
  handleOf(name: string): Promise<ReadHandle> {
    const known = this.open.get(name)
    if (known !== undefined) return known
    const opening = this.openNow(name)
    this.open.set(name, opening)
    return opening
  }

  private async openNow(name: string): Promise<ReadHandle> {
    const handle = await this.storage.open(`${this.folder}/${name}`)
    await ensureSame(handle, this.statOf(name))
    return handle
  }

  async ensureUnchanged(): Promise<void> {
    for (const [name, handle] of this.open) await ensureSame(await handle, this.statOf(name))
  }

  async close(): Promise<void> {
    for (const handle of this.open.values()) {
      const opened = await handle.catch(() => null)
      await opened?.close()
    }
    this.open.clear()
  }
}

/** Files that are held open at once; each process that trained wrote one or two. */
const mostFiles = 4096

function notThere(path: string, says: string, cause: unknown): FormatError {
  return new FormatError(`${path}: is not there, and ${says} says that it holds a part of the tensors`, {
    cause,
    hint: 'copy all files of the folder; what is missing of a checkpoint, and what is too short: ckpt verify FOLDER',
  })
}

export interface FolderContents extends Pick<Listing, 'values' | 'parts' | 'findings' | 'composites'> {
  readonly format: 'torch-dcp' | 'torch-zero'
  readonly files: FolderFiles
  readonly tensors: readonly ListedTensor[]
  readonly unsafe: readonly string[]
  readonly opaque: ReadonlyMap<string, number>
  /** What else is to be closed. */
  readonly close?: () => Promise<void>
}

/** A file of tensors whose path is the folder. */
export function folderFile({ files, close, ...listing }: FolderContents): TensorFile {
  const open: OpenFiles = {
    ensureUnchanged: () => files.ensureUnchanged(),
    close: async () => {
      await files.close()
      await close?.()
    },
  }
  return new ListedFile(open, { ...listing, path: files.folder, byteLength: files.byteLength })
}
