/** Opens the files of one unit, each once, and closes them together. */
import type { FileAnswers } from '../file-facts.js'
import { ScanTree } from '../scan-tree.js'
import type { UnpackingBudget } from '../../../formats/compression/unpacking-budget.js'
import { sourceOf } from '../../../storage/file-source.js'
import type { ReadHandle, ReadStorage } from '../../../storage/storage.js'
import { lookInto } from './look-into-file.js'
import { lookRemembering } from './remembered-look.js'
import type { FileLook, LayoutIo, OpenedFile } from './unit-paths.js'

export class Opener implements LayoutIo {
  private readonly looks = new Map<string, Promise<FileLook>>()
  private readonly handles: ReadHandle[] = []
  private readonly unpacking: UnpackingBudget

  constructor(readonly storage: ReadStorage) {
    this.unpacking = ScanTree.unpackingOf(storage)
  }

  /** Throws StorageError. */
  async look(path: string): Promise<FileLook> {
    const known = this.looks.get(path) ?? this.lookAt(path)
    this.looks.set(path, known)
    return known
  }

  private async lookAt(path: string): Promise<FileLook> {
    const facts = await ScanTree.factsOf(this.storage, path)
    if (facts === null) return this.open(path)
    // What is left of the budget goes by the files before.
    const isCertain = () => this.unpacking.left > 0
    return lookRemembering(path, facts, () => this.open(path, facts), isCertain)
  }

  private async open(path: string, facts?: FileAnswers): Promise<OpenedFile> {
    const handle = await this.storage.open(path)
    this.handles.push(handle)
    facts?.opened(handle.size)
    return lookInto(path, sourceOf(handle), this.unpacking)
  }

  async close(): Promise<void> {
    for (const handle of this.handles.splice(0)) await handle.close()
    this.looks.clear()
  }
}

export async function withOpener<T>(storage: ReadStorage, use: (opener: Opener) => Promise<T>): Promise<T> {
  const opener = new Opener(storage)
  try {
    return await use(opener)
  } finally {
    await opener.close()
  }
}
