import { fileURLToPath } from 'node:url'
import { runInThisContext } from 'node:vm'
import { describe, expect, it } from 'vitest'

const script = fileURLToPath(new URL('../scripts/late-code.mjs', import.meta.url))
const { withLateCode } = (await import(script)) as {
  withLateCode: (text: string, usual: readonly IsReached[], files: readonly string[]) => Split
}

type IsReached = (position: number) => boolean

interface Split {
  readonly now: string
  readonly late: readonly string[]
}

interface Modules {
  readonly now: string
  readonly late: string
}

/** True within the lines that end with `// mark`. */
function inLinesMarked(text: string, mark: string): IsReached {
  const lines = text.split('\n')
  const starts = lines.map((_, index) => lines.slice(0, index).join('\n').length + (index === 0 ? 0 : 1))
  return (position) => lines[starts.findLastIndex((start) => start <= position)]?.endsWith(`// ${mark}`) === true
}

/** The usual work comes to the lines that end with `// reached`. */
function arranged(text: string): Modules {
  const { now, late } = withLateCode(text, [inLinesMarked(text, 'reached')], ['0'])
  return { now, late: late[0] ?? '' }
}

type Exports = Record<string, (...args: unknown[]) => unknown>

/** Runs it as bin/run.js does; `asked` is told the files that are loaded, in order. */
function runSplit({ now, late }: Split, asked: (file: string) => void = () => undefined): Exports {
  const load = (text: string) => {
    const module = { exports: {} as Exports }
    const made = runInThisContext(`(function (exports, require, module) {${text}\n})`) as Load
    const require = (file: string) => {
      asked(file)
      return load(late[Number(file)] ?? '')
    }
    made(module.exports, require, module)
    return module.exports
  }
  return load(now)
}

function run({ now, late }: Modules): Exports {
  return runSplit({ now, late: [late] })
}

type Load = (exports: Exports, require: (id: string) => unknown, module: { exports: Exports }) => void

const program = `
const usual = (list) => list.length; // reached
function rare(list) { return table.get(list.length) ?? new Other(list).count; }
const one = "one";
const table = new Map([[0, "none"], [1, one]]);
class Other { constructor(list) { this.count = shown({ rare }, list); } }
function shown({ rare: given }, list) { return [given === rare, list.length]; }
let counted = 0;
function count() { counted += 1; return counted; }
exports.ask = (list) => { if (list.length < 3) return usual(list); // reached
  return rare(list); };
exports.short = () => ({ rare, count });
exports.shadow = (rare) => rare + 1;
`

describe('code that the usual work does not come to', () => {
  it('is not made before something in it is asked for', () => {
    const { now, late } = arranged(`${program}\nconst noticed = Object.keys(exports).map((name) => name + "!");`)
    expect(late).toContain('const noticed')
    expect(now).not.toContain('function rare')
  })

  it('does the same', () => {
    const [before, after] = [run({ now: program, late: '' }), run(arranged(program))]
    for (const list of [[], [1], [1, 2], [1, 2, 3]]) expect(after['ask']?.(list)).toEqual(before['ask']?.(list))
    expect(after['shadow']?.(1)).toBe(2)
  })

  it('is one and the same wherever it is named', () => {
    const { short } = run(arranged(program))
    const [first, second] = [short?.() as Exports, short?.() as Exports]
    expect(first['rare']).toBe(second['rare'])
    expect(first['rare']?.([1, 2, 3])).toEqual([true, 3])
    expect([first['count']?.(), second['count']?.()]).toEqual([1, 2])
  })

  it('leaves what does something when it is made, and what is written to, where they are', () => {
    const lines = ['const now = Date.now();', 'function f() {}', 'f = () => 1;', 'const v = f();']
    const state = ['let n = 0;', 'function up() { n += 1; }', 'const first = n;', 'up();']
    const { late } = arranged([...lines, ...state].join('\n'))
    expect(late).not.toMatch(/Date|function f|const v =|const first/)
  })

  it('is also a class with fields, what is marked as pure, what a plain function gives, and one of several variables', () => {
    const lines = [
      'function words(text) { return text.split(" "); } // reached',
      'const bad = new Set(words("a b"));',
      'var Own = class { #all = Date.now(); static most = 3; count() { return this.#all; } };',
      'const table = /* @__PURE__ */ fill(3), now = Date.now(); // reached',
      'function fill(count) { counted += count; return counted; }',
      'let counted = 0;',
      'exports.now = () => [now]; // reached',
      'exports.rest = () => [bad.size, Own.most, new Own().count() > 0, table];',
    ]
    const made = arranged(lines.join('\n'))
    expect(made.late).toMatch(/const bad[^]*var Own[^]*const table/)
    expect(made.now).toMatch(/const now/)
    const exports = run(made)
    expect(exports['now']?.()).toEqual([expect.any(Number)])
    expect(exports['rest']?.()).toEqual([2, 3, true, 3])
  })

  it('leaves a class where it is that does something when it is made, and a variable that is changed', () => {
    const lines = ['class Counted { static { globalThis.made = 1; } }', 'class Timed { static now = Date.now(); }']
    const { late } = arranged([...lines, 'let list = []; list = [1];'].join('\n'))
    expect(late).not.toMatch(/class|list/)
  })

  it('takes what is needed at once to make something that stays along with it', () => {
    const { now } = arranged(
      'const words = new Set(["a"]);\nclass Base {}\nclass Own extends Base { static all = [Date.now(), words]; } // reached',
    )
    expect(now).toMatch(/new Set[^]*class Base[^]*class Own/)
  })

  it('sees and changes the variables of the rest, and calls what is in them by itself', () => {
    const lines = [
      'let told = [], tell = function (word) { told.push([word, this === undefined || this === globalThis]); };',
      'function clear() { told = []; tell = (word) => told.push(word); } // reached',
      'exports.clear = () => clear(); // reached',
      'exports.told = () => told; // reached',
      'function rare() { tell("a"); let last = 0; ({ told } = { told: [...told, last++] }); return { told, tell }; }',
      'exports.rare = () => rare();',
    ]
    const exports = run(arranged(lines.join('\n')))
    expect(exports['rare']?.()).toMatchObject({ told: [['a', true], 0] })
    expect(exports['told']?.()).toEqual([['a', true], 0])
    exports['clear']?.()
    exports['rare']?.()
    expect(exports['told']?.()).toEqual(['a', 0])
  })

  it('has its exports put off too, but for where a program begins', () => {
    const ofName = (name: string) =>
      `function ${name}() {} // reached\nObject.defineProperty(exports, "${name}", { get: function () { return ${name}; } });`
    const exports = run(arranged([ofName('main'), ofName('other')].join('\n')))
    expect(exports['main']).toBeTypeOf('function')
    expect(exports['other']).toBeUndefined()
    expect((exports['$late']?.() as Exports)['other']).toBeTypeOf('function')
  })

  it('has what a less usual work comes to in a file of its own, which asks for the rest of it', () => {
    const text = [
      'function usual() { return 1; } // first',
      'function shown(list) { // second',
      '  if (list.length > 1) return rare(list);',
      '  return [usual(), list.length]; } // second',
      'function rare(list) { return { rare, shown: shown(list.slice(1)), title }; }',
      'function end() { return rare([0]); }',
      'const title = "shown";',
      'exports.ask = (list) => { if (list === undefined) return usual(); // first',
      '  return list === null ? end() : shown(list); };',
    ].join('\n')
    const [isFirst, isSecond] = [inLinesMarked(text, 'first'), inLinesMarked(text, 'second')]
    const split = withLateCode(text, [isFirst, (at) => isFirst(at) || isSecond(at)], ['0', '1'])
    expect(split.now).not.toMatch(/function shown|const title|function rare/)
    expect(split.late[0]).toMatch(/function shown/)
    expect(split.late[1]).toMatch(/function rare[^]*function end/)
    const files: string[] = []
    const exports = runSplit(split, (file) => files.push(file))
    expect(exports['ask']?.()).toBe(1)
    expect(files).toEqual([])
    expect(exports['ask']?.([7])).toEqual([1, 1])
    expect(files).toEqual(['0'])
    expect(exports['ask']?.([7, 8])).toMatchObject({ shown: [1, 1], title: 'shown' })
    const other = runSplit(split)
    expect(other['ask']?.(null)).toMatchObject({ shown: [1, 0], title: 'shown' })
    expect(other['$late']?.()).toBe(other)
    expect(files).toEqual(['0', '1'])
  })

  it('gives the exports that a less usual work asks for without the rest of it', () => {
    const ofName = (name: string, mark: string) =>
      `function ${name}() { return "${name}"; }${mark}\nObject.defineProperty(exports, "${name}", { enumerable: true, get: function () { return ${name}; } });${mark}`
    const text = [ofName('main', ' // first'), ofName('some', ' // second'), ofName('other', '')].join('\n')
    const [isFirst, isSecond] = [inLinesMarked(text, 'first'), inLinesMarked(text, 'second')]
    const files: string[] = []
    const exports = runSplit(withLateCode(text, [isFirst, isSecond], ['0', '1']), (file) => files.push(file))
    const open = exports['$late']?.() as Exports
    expect(open['some']?.()).toBe('some')
    expect([files, Object.keys(open)]).toEqual([['0'], ['main', '$late', 'some', 'other']])
    expect(open['other']?.()).toBe('other')
    expect(exports['$late']?.()).toBe(open)
    expect(files).toEqual(['0', '1'])
  })
})
