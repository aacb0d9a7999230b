/** Limits the warnings about records that are left out: anyone who can write beside a run can put thousands there. */
import type { ReadStorage } from '../../storage/storage.js'
import type { RecordReader } from './record.js'

/** Records that are reported one by one; of the rest, the count. */
const mostTold = 10

export class LimitedWarnings implements RecordReader {
  private count = 0

  constructor(private readonly storage: ReadStorage) {}

  readonly custody = {
    warn: (text: string) => {
      this.count += 1
      if (this.count <= mostTold) this.storage.custody.warn(text)
    },
  }

  readonly read: ReadStorage['read'] = (paths, limit) => this.storage.read(paths, limit)

  tellRest(place: string): void {
    const rest = this.count - mostTold
    if (rest > 0) this.storage.custody.warn(`${place}: the same of ${rest} more there`)
  }
}
