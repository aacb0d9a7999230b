/** A claim with what its own files say of the checkpoint. */
import type { Claim } from './claims.js'
import type { Told } from './facts.js'

/** What is known of a claim once its own files were read; told by source, in the form's order. */
export interface Looked extends Claim {
  readonly told: (Told | null)[]
  /** Equal for equal contents, where copies are looked for. */
  print: string | null
}

export function isWorthReading({ strength }: Claim): boolean {
  return strength === 'sure' || strength === 'likely'
}

export function isRead(one: Looked): boolean {
  return !isWorthReading(one) || one.told.length > 0
}
