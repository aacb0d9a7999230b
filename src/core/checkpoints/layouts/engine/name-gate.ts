/** Rules out most names cheaply, before the many patterns of the layouts are tried on them. */
import { endingsOf } from './name-endings.js'

/** A node of the tree of endings, which is walked from a name's last character to its first. */
interface Step<Value> {
  readonly before: Map<number, Step<Value>>
  /** Numbers of those whose ending is complete here: whatever comes before it, their pattern may fit. */
  readonly enough: Set<number>
  /** Made of all whose ending is complete here or nearer to the name's end; null where there are none. */
  value: Value | null
}

/** Names that pass before the tree is built: trying all patterns on the names of a run or two takes less time. */
const fewNames = 2000

/** Finds by a name those whose patterns may fit it, and gives what `make` makes of them. */
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

  /** Null for a name that no pattern fits; else made of all whose patterns fit, and perhaps of some others. */
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

  /** Gives each step its value; a step that completes no further ending shares the value of the step before. */
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

/** Letters of both cases count as the same: that lets more names pass, whether or not a pattern ignores case. */
function smallLetter(code: number): number {
  return code >= 65 && code <= 90 ? code + 32 : code
}
