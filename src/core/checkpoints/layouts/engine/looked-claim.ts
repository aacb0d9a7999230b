/** A claim with what its own files say of the checkpoint. */
import type { Claim } from './claims.js'
import type { SourceFacts } from './facts.js'

/** What is known of a claim once its own files were read. */
export interface Looked extends Claim {
  readonly facts: (SourceFacts | null)[]
  /** Equal for equal contents, where copies are looked for. */
  print: string | null
}

export function isWorthReading({ strength }: Claim): boolean {
  return strength === 'sure' || strength === 'likely'
}

export function isRead(one: Looked): boolean {
  return !isWorthReading(one) || one.facts.length > 0
}
