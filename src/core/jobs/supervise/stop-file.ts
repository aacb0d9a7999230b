/** The file that asks a job to end, where it looks for one. */
import { CkptError } from '../../errors.js'
import { quietly } from '../../changes/state/index.js'
import type { Storage } from '../../storage/storage.js'

export class StopFile {
  private isMade = false

  constructor(
    private readonly storage: Storage,
    /** Absolute. */
    private readonly path: string,
  ) {}

  /** Gives why it could not be made, for people; null where it was. */
  async make(): Promise<string | null> {
    try {
      await (await this.storage.create(this.path)).close()
      this.isMade = true
      return null
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      return error.message
    }
  }

  /** The job may have taken it away itself. */
  async remove(): Promise<void> {
    if (!this.isMade) return
    this.isMade = false
    await quietly(() => this.storage.unlink(this.path))
  }
}
