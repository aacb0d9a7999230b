/**
 * Patterns whose parts can share the same characters out among them in many ways, tried in a time that grows with the
 * length of the name and no faster: no part of the pattern is tried at one place of the name twice.
 */

/** One step of a pattern; `next` and the like are steps by their number. */
type Step =
  | { readonly kind: 'character'; readonly fits: (code: number) => boolean }
  /** Goes on at `first`, and where that leads nowhere at `second`. */
  | { readonly kind: 'either'; first: number; second: number }
  | { readonly kind: 'jump'; to: number }
  /** Begins or ends a group, by its place among the noted ones. */
  | { readonly kind: 'note'; readonly slot: number }
  | { readonly kind: 'begin' | 'end' }
  /** The whole name is not this one. */
  | { readonly kind: 'not'; readonly name: string }

const isDigit = (code: number): boolean => code >= 48 && code <= 57
const isSlash = (code: number): boolean => code === 47
const isLineEnd = (code: number): boolean => code === 10 || code === 13 || code === 0x2028 || code === 0x2029

/** What own patterns are made of, beside plain characters. */
const sets: readonly (readonly [source: string, fits: (code: number) => boolean])[] = [
  [String.raw`\d`, isDigit],
  ['[-+]', (code) => code === 43 || code === 45],
  ['[eE]', (code) => code === 69 || code === 101],
  ['[^/]', (code) => !isSlash(code)],
  ['.', (code) => !isLineEnd(code)],
]

/** Reads the part of the notation of regular expressions that `parsePattern` and its like write. */
class PatternReader {
  readonly steps: Step[] = []
  /** Of each named group its name; its places are noted in slots 2n and 2n + 1. */
  readonly groups: string[] = []
  private at = 0

  constructor(private readonly source: string) {
    this.alternatives()
    if (this.at < source.length) throw this.unknown()
  }

  private alternatives(): void {
    const start = this.steps.length
    this.sequence()
    if (!this.takes('|')) return
    this.steps.splice(start, 0, { kind: 'either', first: start + 1, second: this.steps.length + 2 })
    shift(this.steps, start + 1, start, 1)
    const jump: Step = { kind: 'jump', to: 0 }
    this.steps.push(jump)
    this.alternatives()
    jump.to = this.steps.length
  }

  private sequence(): void {
    while (this.at < this.source.length && !/[|)]/.test(this.source[this.at] ?? '')) this.repeated()
  }

  private repeated(): void {
    const start = this.steps.length
    this.part()
    const sign = ['*', '+', '?'].find((one) => this.takes(one))
    if (sign === undefined) return
    const isLazy = this.takes('?')
    if (sign === '+') {
      const end = this.steps.length
      this.steps.push(either(start, end + 1, isLazy))
      return
    }
    this.steps.splice(start, 0, { kind: 'jump', to: 0 })
    shift(this.steps, start + 1, start, 1)
    if (sign === '*') this.steps.push({ kind: 'jump', to: start })
    this.steps[start] = either(start + 1, this.steps.length, isLazy)
  }

  private part(): void {
    if (this.takes('(?<')) this.group(this.until('>'))
    else if (this.takes('(?:')) this.inside()
    else if (this.takes('(?!')) this.steps.push({ kind: 'not', name: this.until('$)').replaceAll('\\', '') })
    else if (this.takes('^')) this.steps.push({ kind: 'begin' })
    else if (this.takes('$')) this.steps.push({ kind: 'end' })
    else this.steps.push({ kind: 'character', fits: this.character() })
  }

  private group(name: string): void {
    const slot = 2 * this.groups.length
    this.groups.push(name)
    this.steps.push({ kind: 'note', slot })
    this.inside()
    this.steps.push({ kind: 'note', slot: slot + 1 })
  }

  private inside(): void {
    this.alternatives()
    if (!this.takes(')')) throw this.unknown()
  }

  private character(): (code: number) => boolean {
    const set = sets.find(([source]) => this.takes(source))
    if (set !== undefined) return set[1]
    const isEscaped = this.takes('\\')
    const character = this.source[this.at] ?? ''
    if (isEscaped ? /^\w?$/.test(character) : /^[[\](){}*+?]?$/.test(character)) throw this.unknown()
    this.at += 1
    const own = character.charCodeAt(0)
    return (code) => code === own
  }

  private takes(text: string): boolean {
    if (!this.source.startsWith(text, this.at)) return false
    this.at += text.length
    return true
  }

  private until(text: string): string {
    const end = this.source.indexOf(text, this.at)
    if (end === -1) throw this.unknown()
    const inside = this.source.slice(this.at, end)
    this.at = end + text.length
    return inside
  }

  private unknown(): SyntaxError {
    return new SyntaxError(`${this.source}: not read from character ${this.at} on`)
  }
}

function either(into: number, past: number, isLazy: boolean): Step {
  return isLazy ? { kind: 'either', first: past, second: into } : { kind: 'either', first: into, second: past }
}

/** What the steps from `start` on say of steps from `from` on is said of those `by` further. */
function shift(steps: readonly Step[], start: number, from: number, by: number): void {
  const moved = (to: number): number => (to >= from ? to + by : to)
  for (const step of steps.slice(start)) {
    if (step.kind === 'jump') step.to = moved(step.to)
    if (step.kind === 'either') [step.first, step.second] = [moved(step.first), moved(step.second)]
  }
}

/** For those who ask it as any other pattern: the same answers, without flags. */
export class LinearPattern extends RegExp {
  private readonly steps: readonly Step[]
  private readonly names: readonly string[]

  constructor(source: string) {
    super(source)
    const reader = new PatternReader(source)
    this.steps = reader.steps
    this.names = reader.groups
  }

  override exec(text: string): RegExpExecArray | null {
    const notes = this.notesOf(text)
    if (notes === null) return null
    const values = this.names.map((_, index) => partOf(text, notes[2 * index], notes[2 * index + 1]))
    const groups = Object.fromEntries(this.names.map((name, index) => [name, values[index]]))
    return Object.assign([text, ...values], { index: 0, input: text, groups }) as RegExpExecArray
  }

  override test(text: string): boolean {
    return this.notesOf(text) !== null
  }

  /** Where its groups begin and end, -1 for those that are not in it; null where the pattern does not fit. */
  private notesOf(text: string): Int32Array | null {
    const { steps } = this
    const positions = text.length + 1
    const tried = new Uint8Array(steps.length * positions)
    const notes = new Int32Array(2 * this.names.length).fill(-1)
    /** Steps and places that are still to be tried, and notes to be taken back before: the slot and what was there. */
    const left = [0, 0]
    for (;;) {
      const state = left.pop()
      let step = left.pop()
      let at = state ?? 0
      if (step === undefined) return null
      if (step < 0) {
        notes[-step - 1] = at
        continue
      }
      for (;;) {
        if (step === steps.length) return notes
        const key: number = step * positions + at
        if (tried[key] === 1) break
        tried[key] = 1
        const next: Step | undefined = steps[step]
        if (next === undefined) break
        step += 1
        if (next.kind === 'character') {
          if (at === text.length || !next.fits(text.charCodeAt(at))) break
          at += 1
        } else if (next.kind === 'either') {
          left.push(next.second, at)
          step = next.first
        } else if (next.kind === 'jump') step = next.to
        else if (next.kind === 'note') {
          left.push(-next.slot - 1, notes[next.slot] ?? -1)
          notes[next.slot] = at
        } else if (!holds(next, text, at)) break
      }
    }
  }
}

function holds(step: Extract<Step, { kind: 'begin' | 'end' | 'not' }>, text: string, at: number): boolean {
  if (step.kind === 'not') return text.slice(at) !== step.name
  return at === (step.kind === 'begin' ? 0 : text.length)
}

function partOf(text: string, start = -1, end = -1): string | undefined {
  return start === -1 || end === -1 ? undefined : text.slice(start, end)
}
