/** Rules out most names cheaply, before the many patterns of the layouts are tried on them. */
import { endingsOf } from './name-endings.js'

/** What comes before a character, seen from a name's end. */
interface Step {
  readonly before: Map<number, Step>
  /** True where a name may begin with anything before this. */
  isEnough: boolean
}

/** Names that pass before the gate is made: for a run or two the patterns are tried in less time. */
const fewNames = 2000

export class NameGate {
  private end: Step | null = null
  private passed = 0

  constructor(
    private readonly patterns: readonly RegExp[],
    private readonly free = fewNames,
  ) {}

  /** False only for a name that none of the patterns fits. */
  mayFit(name: string): boolean {
    if (this.end === null && this.passed < this.free) {
      this.passed += 1
      return true
    }
    let step: Step | undefined = (this.end ??= this.make())
    for (let at = name.length - 1; step !== undefined; at -= 1) {
      if (step.isEnough) return true
      if (at < 0) return false
      step = step.before.get(smallLetter(name.charCodeAt(at)))
    }
    return false
  }

  private make(): Step {
    const end: Step = { before: new Map(), isEnough: false }
    for (const pattern of this.patterns) for (const ending of endingsOf(pattern)) add(end, ending)
    return end
  }
}

function add(end: Step, ending: string): void {
  let step = end
  for (let at = ending.length - 1; at >= 0; at -= 1) {
    const code = ending.charCodeAt(at)
    const next = step.before.get(code) ?? { before: new Map<number, Step>(), isEnough: false }
    step.before.set(code, next)
    step = next
  }
  step.isEnough = true
}

/** Of an ASCII letter the code of the small one: no pattern is asked whether it minds. */
function smallLetter(code: number): number {
  return code >= 65 && code <= 90 ? code + 32 : code
}
