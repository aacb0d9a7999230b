/** Why a checkpoint stays or goes, as a plan tells it. */

/** Why one stays. The codes are stable: they stand in `--json`. */
export type KeepCode =
  | 'newest'
  | 'only'
  | 'pointer'
  | 'needed'
  | 'pinned'
  | 'impossible'
  | 'unfinished'
  | 'unknown-key'
  | 'unselected'
  | 'keep'
  | 'unranked'
  | 'rule'
  | 'young'
  | 'damaged'
  | 'unreadable'
  | 'space'
  | 'saved'
  | 'same'
  | 'chosen'

/** Why one goes. */
export type RemoveCode = 'surplus' | 'selected' | 'damaged' | 'space' | 'same' | 'chosen'

/** One reason, for programs and for people. */
export interface Reason<Code extends string = KeepCode> {
  /** Stable between versions. */
  readonly code: Code
  /** For people, without a capital or a full stop. */
  readonly text: string
}
