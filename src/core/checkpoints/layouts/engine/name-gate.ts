/** Tells of most names at a glance that no pattern of many fits: before any of them is tried. */
import { endingsOf } from './endings.js'

/** What comes before a character, seen from a name's end. */
interface Step {
  readonly before: Map<number, Step>
  /** True where a name may begin with anything before this. */
  isEnough: boolean
}

export class NameGate {
  private readonly end: Step = { before: new Map(), isEnough: false }

  constructor(patterns: readonly RegExp[]) {
    for (const pattern of patterns) for (const ending of endingsOf(pattern)) this.add(ending)
  }

  /** False only for a name that none of the patterns fits. */
  mayFit(name: string): boolean {
    let step: Step | undefined = this.end
    for (let at = name.length - 1; step !== undefined; at -= 1) {
      if (step.isEnough) return true
      if (at < 0) return false
      step = step.before.get(smallLetter(name.charCodeAt(at)))
    }
    return false
  }

  private add(ending: string): void {
    let step = this.end
    for (let at = ending.length - 1; at >= 0; at -= 1) {
      const code = ending.charCodeAt(at)
      const next = step.before.get(code) ?? { before: new Map<number, Step>(), isEnough: false }
      step.before.set(code, next)
      step = next
    }
    step.isEnough = true
  }
}

/** Of an ASCII letter the code of the small one: no pattern is asked whether it minds. */
function smallLetter(code: number): number {
  return code >= 65 && code <= 90 ? code + 32 : code
}
