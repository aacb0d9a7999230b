/** How an attempt ended, as the journal has it. */
import type { EndEntry } from '../../changes/journal/index.js'
import type { Judgement } from './classify.js'

type Ended = Pick<EndEntry, 'time' | 'status' | 'seconds' | 'lost' | 'next'> & {
  /** Whether it was seen to read its checkpoint; null where nothing tells. */
  readonly hasRead: boolean | null
  /** Names of the checkpoints that it was seen to read. */
  readonly opened?: readonly string[]
}

export function toEndEntry({ ending, why }: Judgement, { hasRead, opened = [], ...ended }: Ended): EndEntry {
  return {
    what: 'end',
    ...ended,
    ending,
    why,
    ...(opened.length === 0 ? {} : { opened }),
    ...(hasRead === false ? { unread: true } : {}),
  }
}
