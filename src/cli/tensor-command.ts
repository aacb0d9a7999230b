/** Shared by the commands that read tensors: files that ckpt does not know go through the load hooks of the settings. */
import { BaseCommand } from './base-command.js'
import type { Description } from './command-line/described-command.js'
import { interruptible } from './output/progress.js'
import type { HookedFile } from './settings/hooks.js'
import type { Storage } from '../core/storage/storage.js'

export abstract class TensorCommand<T extends Description> extends BaseCommand<T> {
  static override looksDeep = true

  /** From here on these files are read through their load hooks; what those make is removed at the end. */
  protected async readThroughHooks(files: readonly HookedFile[]): Promise<Storage> {
    const hooks = await this.hooks()
    if (hooks.length === 0) return this.storage
    const { loadThrough } = await import('./settings/hooks.js')
    const loaded = await interruptible((signal) => loadThrough(this.storage, hooks, files, signal))
    if (loaded === null) return this.storage
    this.closing.push(loaded.close)
    this.readFrom(loaded.storage)
    return this.storage
  }

  /** The same for core, which finds the files itself. */
  protected readonly readingHooks = { readThrough: (files: readonly HookedFile[]) => this.readThroughHooks(files) }
}
