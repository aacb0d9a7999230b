/** Signals that came while the program was being loaded, for whoever listens first. */

let early: ReadonlySet<NodeJS.Signals> = new Set()
const asked = new Set<NodeJS.Signals>()

/** `signals` is what the starter adds to as they come. */
export function takeUp(signals: ReadonlySet<NodeJS.Signals>): void {
  early = signals
}

/** For who asks first: those that come later it hears itself. */
export function cameEarly(signal: NodeJS.Signals): boolean {
  if (asked.has(signal)) return false
  asked.add(signal)
  return early.has(signal)
}
