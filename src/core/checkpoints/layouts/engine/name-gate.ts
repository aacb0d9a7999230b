/** Rules out most names cheaply, before the many patterns of the layouts are tried on them. */
import { endingsOf } from './name-endings.js'

/** What comes before a character, seen from a name's end. */
interface Step<Value> {
  readonly before: Map<number, Step<Value>>
  /** Numbers of those before which a name may begin with anything here. */
  readonly enough: Set<number>
  /** Of all that are enough here or nearer to the end; null of none. */
  value: Value | null
}

/** Names that pass before the gate is made: for a run or two the patterns are tried in less time. */
const fewNames = 2000

/** Of names what is made of those whose patterns may fit them. */
export class NameGate<One, Value> {
  private end: Step<Value> | null = null
  private passed = 0
  private readonly ofAll: Value

  constructor(
    private readonly all: readonly One[],
    private readonly patternOf: (one: One) => RegExp,
    private readonly make: (those: readonly One[]) => Value,
    private readonly free = fewNames,
  ) {
    this.ofAll = make(all)
  }

  /** Null for a name that no pattern fits; else of those that may fit, and of all that do. */
  find(name: string): Value | null {
    if (this.end === null && this.passed < this.free) {
      this.passed += 1
      return this.ofAll
    }
    let step = (this.end ??= this.sortOut())
    for (let at = name.length - 1; at >= 0; at -= 1) {
      const next = step.before.get(smallLetter(name.charCodeAt(at)))
      if (next === undefined) break
      step = next
    }
    return step.value
  }

  private sortOut(): Step<Value> {
    const end = newStep<Value>()
    this.all.forEach((one, number) => {
      for (const ending of endingsOf(this.patternOf(one))) add(end, ending, number)
    })
    this.fill(end, { numbers: new Set(), value: null })
    return end
  }

  /** Gives each step the value of what is enough there; one that adds nothing shares that of the step behind it. */
  private fill(step: Step<Value>, behind: { numbers: ReadonlySet<number>; value: Value | null }): void {
    const numbers = new Set([...behind.numbers, ...step.enough])
    const isSame = numbers.size === behind.numbers.size
    step.value = isSame ? behind.value : this.make(this.all.filter((_, number) => numbers.has(number)))
    for (const before of step.before.values()) this.fill(before, { numbers, value: step.value })
  }
}

function newStep<Value>(): Step<Value> {
  return { before: new Map(), enough: new Set(), value: null }
}

function add<Value>(end: Step<Value>, ending: string, number: number): void {
  let step = end
  for (let at = ending.length - 1; at >= 0; at -= 1) {
    const code = ending.charCodeAt(at)
    const next = step.before.get(code) ?? newStep<Value>()
    step.before.set(code, next)
    step = next
  }
  step.enough.add(number)
}

/** Of an ASCII letter the code of the small one: no pattern is asked whether it minds. */
function smallLetter(code: number): number {
  return code >= 65 && code <= 90 ? code + 32 : code
}
