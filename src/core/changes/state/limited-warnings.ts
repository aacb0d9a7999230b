/** Limits the warnings about records that are left out: anyone who can write beside a run can put thousands there. */
import type { ReadStorage } from '../../storage/storage.js'
import type { RecordReader } from './record.js'

/** Records that are reported one by one; of the rest, the count. */
const mostWarnings = 10

export class LimitedWarnings implements RecordReader {
  private count = 0

  constructor(private readonly storage: ReadStorage) {}

  readonly custody = {
    warn: (text: string) => {
      this.count += 1
      if (this.count <= mostWarnings) this.storage.custody.warn(text)
    },
  }

  readonly read: ReadStorage['read'] = (paths, limit) => this.storage.read(paths, limit)

  warnOfRest(path: string): void {
    const rest = this.count - mostWarnings
    if (rest > 0) this.storage.custody.warn(`${path}: the same of ${rest} more there`)
  }
}
