import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OpaqueValue, type MetaValue } from '../../../../src/core/checkpoint.js'
import { CkptError } from '../../../../src/core/errors.js'
import { parseExpression, selects, type Scope } from '../../../../src/core/choosing/expression/index.js'

function scopeWith(values: Record<string, MetaValue>): Scope {
  const map = new Map(Object.entries(values))
  return { get: (name) => map.get(name), key: (name) => map.get(name) }
}

const example = scopeWith({
  loss: 3,
  'loss/num': 7,
  'valid/loss': 0.5,
  'num-examples': 2,
  'end-of-epoch': true,
  'epoch-1': 11,
  epoch: 10,
  'validation-type': 'full',
  name: 'CKPT+ep1',
  nothing: null,
  nan: NaN,
  huge: 12345678901234567891n,
  list: [1, 'a', true],
  nested: new Map<string, MetaValue>([['a', [1, 2]]]),
  'any key': 5,
  decimal: new OpaqueValue('decimal.Decimal'),
  age: 3600,
  size: 2e9,
  empty: '',
  résumé: 4,
})

async function valueOf(text: string, scope = example) {
  return (await parseExpression(text)).evaluate(scope)
}

async function mistakeIn(text: string): Promise<CkptError> {
  const error: unknown = await parseExpression(text).catch((caught: unknown) => caught)
  if (error instanceof CkptError) return error
  throw new Error(`no mistake found in ${text.slice(0, 80)}`)
}

const unknown = undefined

describe('an expression', () => {
  it.each<[string, MetaValue | undefined]>([
    // names hold - / . : so operators need spaces
    ['loss/num', 7],
    ['loss / num-examples', 1.5],
    ['-loss / num-examples', -1.5],
    ['-(valid/loss)', -0.5],
    ['-valid/loss', -0.5],
    ['epoch-1', 11],
    ['epoch - 1', 9],
    ['epoch -1', 9],
    ['résumé + 1', 5],
    ['meta["any key"] + 1', 6],
    ["meta['any key']", 5],
    ['nested["a"][1]', 2],
    // precedence as in Python
    ['2 + 3 * 4', 14],
    ['(2 + 3) * 4', 20],
    ['-2 ** 2', -4],
    ['2 ** -1', 0.5],
    ['2 ** 3 ** 2', 512],
    ['10 - 4 - 3', 3],
    ['2 * -3', -6],
    ['- - 3', 3],
    ['+loss', 3],
    ['not loss < 2', true],
    ['!end-of-epoch', false],
    ['not loss == 3 or true', true],
    ['true or false and false', true],
    ['1 < loss < 4', true],
    ['1 < loss < 3', false],
    ['epoch % 5==0', true],
    ['loss<14 and validation-type=="full"', true],
    ['loss < 14 && validation-type == "full" || false', true],
    // Python's remainder has the sign of the divisor
    ['-7 % 3', 2],
    ['7 % -3', -2],
    // what Python refuses is unknown
    ['loss / 0', unknown],
    ['loss % 0', unknown],
    ['0 ** -1', unknown],
    ['(-8) ** 0.5', unknown],
    ['log(0)', unknown],
    ['sqrt(-1)', unknown],
    ['"a" - 1', unknown],
    ['-validation-type', unknown],
    ['"a" + "b"', 'ab'],
    // booleans are 0 and 1
    ['end-of-epoch + 1', 2],
    ['end-of-epoch == 1', true],
    // mixed types: no order, and never equal
    ['"a" < 3', unknown],
    ['validation-type == 3', false],
    ['validation-type != 3', true],
    ['nothing == null', true],
    ['nothing == 0', false],
    ['nothing < 1', unknown],
    ['decimal == decimal', false],
    ['decimal == 1', false],
    ['list == [1, "a", true]', true],
    ['list == [1, "a"]', false],
    // NaN as IEEE has it
    ['nan < 1', false],
    ['nan >= 1', false],
    ['nan == nan', false],
    ['nan != nan', true],
    ['isnan(nan)', true],
    ['isfinite(nan)', false],
    ['isfinite(huge)', true],
    // big integers stay exact
    ['huge + 1 == 12345678901234567892', true],
    ['huge % 10', 1],
    ['huge > 1e19', true],
    ['huge - huge', 0],
    // membership and text
    ['loss in [1, 2, 3]', true],
    ['loss not in [1, 2, 3]', false],
    ['"ul" in validation-type', true],
    ['"a" in nested', true],
    ['missing in [1]', unknown],
    ['3 in [missing, 3]', unknown],
    ['name ~ "^CKPT\\\\+ep"', true],
    ['name ~ "ep\\d$"', true],
    ['name ~ "x"', false],
    ['loss ~ "3"', unknown],
    ["\"it's\" == 'it\\'s'", true],
    ['"a\\tb" == "a\tb"', true],
    // numbers, durations, sizes
    ['1e5', 100_000],
    ['.5', 0.5],
    ['1_000', 1000],
    ['1.5e-3', 0.0015],
    ['1e+2', 100],
    ['2d', 172_800],
    ['30m', 1800],
    ['1h30m', 5400],
    ['90s', 90],
    ['1GB', 1e9],
    ['1GiB', 2 ** 30],
    ['1.5kB', 1500],
    ['age < 2d', true],
    ['size > 1GiB', true],
    ['12345678901234567891', 12345678901234567891n],
    // words in both spellings
    ['True and not False', true],
    ['None == null', true],
    // functions
    ['abs(loss - 5)', 2],
    ['abs(-huge) == huge', true],
    ['min(loss, valid/loss) * -1', -0.5],
    ['max([1, 4, 2])', 4],
    ['min(1, nan)', NaN],
    ['max(1, missing)', unknown],
    ['min(1, "a")', unknown],
    ['round(2.5)', 2],
    ['round(3.5)', 4],
    ['round(-0.4)', -0],
    ['round(2.675, 2)', 2.67],
    ['floor(-1.5)', -2],
    ['ceil(1.2)', 2],
    ['exp(0)', 1],
    ['sqrt(16)', 4],
    ['lower("AB") + upper("c")', 'abC'],
    ['startswith(name, "CKPT")', true],
    ['endswith(name, "2")', false],
    ['contains(name, "ep")', true],
    ['contains(list, "a")', true],
    ['lower(3)', unknown],
    ['has("loss")', true],
    ['has(loss)', true],
    ['has("WER")', false],
    ['has(meta["any key"])', true],
    ['has("nothing")', true],
    // three-valued truth
    ['missing < 3', unknown],
    ['not missing < 3', unknown],
    ['not (missing < 3)', unknown],
    ['missing != 3', unknown],
    ['missing == null', unknown],
    ['missing and false', false],
    ['missing or true', true],
    ['missing or false', unknown],
    ['missing and true', unknown],
    ['1 < missing < 0', unknown],
    ['-missing', unknown],
    ['not validation-type', false],
    ['not empty', true],
    ['not nothing', true],
    ['not loss', false],
    ['not 0', true],
    ['not decimal', unknown],
  ])('%s', async (text, expected) => {
    expect(await valueOf(text)).toEqual(expected)
  })

  it.each([
    ['end-of-epoch', true],
    ['loss', true],
    ['0', false],
    ['nothing', false],
    ['missing', false],
    ['not missing', false],
    ['missing < 3', false],
    ['not (missing < 3)', false],
    ['validation-type', true],
  ])('selects by %s only when it is known to be true', async (text, selected) => {
    expect(selects(await parseExpression(text), example)).toBe(selected)
  })

  it('tells the names that it reads', async () => {
    const text = '-(valid/loss) < min(a.b, 3) and has("k l") and meta["x y"] == has(z) or "str" == nested["a"]'
    expect([...(await parseExpression(text)).names].sort()).toEqual(['a.b', 'k l', 'nested', 'valid/loss', 'x y', 'z'])
  })

  it('treats the names of JavaScript as any others', async () => {
    expect(await valueOf('constructor == 1 or has("__proto__") or toString')).toBe(undefined)
    expect((await mistakeIn('constructor(1)')).message).toContain('no function is called "constructor"')
    expect((await mistakeIn('__proto__(1)')).message).toContain('no function is called')
  })

  it('matches a regular expression in linear time', async () => {
    const scope = scopeWith({ name: 'a'.repeat(20_000) })
    const began = performance.now()
    expect(await valueOf('name ~ "^(a+)+$b"', scope)).toBe(false)
    expect(performance.now() - began).toBeLessThan(10_000)
  })
})

describe('a mistake', () => {
  it.each([
    ['loss <', 'a value is needed after "<", but the expression ends\n  loss <\n        ^'],
    ['', 'the expression is empty\n  \n  ^'],
    ['   ', 'the expression is empty\n     \n     ^'],
    ['loss < < 3', 'a value is needed after "<", not "<"\n  loss < < 3\n         ^'],
    ['(loss < 3', '")" is missing\n  (loss < 3\n           ^'],
    ['loss < 3)', '")" closes nothing here\n  loss < 3)\n          ^'],
    ['loss 3', 'an operator is needed between "loss" and "3"\n  loss 3\n       ^'],
    ['a == "x', 'this string has no closing "\n  a == "x\n       ^'],
    ['a # b', '"#" has no meaning here\n  a # b\n    ^'],
    ['lgo(loss)', 'no function is called "lgo"\n  lgo(loss)\n  ^'],
    ['abs(1, 2)', 'abs() takes 1 value, not 2\n  abs(1, 2)\n  ^'],
    ['has(1)', 'has() takes one key\n  has(1)\n  ^'],
    ['age < 2dd', '"2dd" is not a number, duration or size\n  age < 2dd\n        ^'],
    ['x ~ y', 'after ~ comes a regular expression in quotes\n  x ~ y\n      ^'],
    ['note\n== \u001b[31m', '"\\x1b" has no meaning here\n  note\\n== \\x1b[31m\n           ^'],
    ['損失 <', 'a value is needed after "<", but the expression ends\n  損失 <\n        ^'],
    ['e\u0301 <', 'a value is needed after "<", but the expression ends\n  e\u0301 <\n     ^'],
  ])('in %j is marked at its place', async (text, message) => {
    const error = await mistakeIn(text)
    expect(error.message).toBe(message)
    expect([error.code, error.exitStatus]).toEqual(['bad-expression', 2])
  })

  it.each([
    ['lgo(loss)', 'did you mean log()?'],
    ['zzzzzz(loss)', 'known are has, abs, min'],
    ['a = 3', 'equality is =='],
    ['a === 3', 'equality is =='],
    ['a <> 3', 'inequality is !='],
    ['a & b', 'write and'],
    ['a AND b', 'write it in small letters: and'],
    ['loss- 3', '- and / need a space on both sides: loss - 3'],
    ['1/2', '- and / need a space on both sides: 1 / 2'],
    ['a ≤ 3', 'write <='],
    ['“a” == b', 'straight quotes'],
    ['my key < 3', 'meta["…"]'],
    ['a is b', 'equality is =='],
    ['2nd < 3', 'meta["2nd"]'],
  ])('in %j comes with a way out', async (text, hint) => {
    expect((await mistakeIn(text)).hint).toContain(hint)
  })

  it('in a regular expression is marked at the pattern', async () => {
    const error = await mistakeIn('name ~ "(a"')
    expect(error.message).toMatch(/^not a regular expression: .*\n {2}name ~ "\(a"\n {9}\^$/)
  })

  it('far into a long text is shown with its neighbourhood only', async () => {
    const error = await mistakeIn(`${'x + '.repeat(400)} < < ${'y'.repeat(500)}`)
    const [, text = '', caret = ''] = error.message.split('\n')
    expect(text.length).toBeLessThan(130)
    expect(text[caret.length - 1]).toBe('<')
  })
})

describe('an expression without bounds', () => {
  it.each([
    ['10,000 parentheses', '('.repeat(10_000) + '1' + ')'.repeat(10_000), 'nested more than 200 levels deep'],
    ['10,000 signs', '- '.repeat(10_000) + '1', 'nested more than 200 levels deep'],
    ['10,000 nots', 'not '.repeat(10_000) + '1', 'nested more than 200 levels deep'],
    ['10,000 lists', '['.repeat(10_000), 'nested more than 200 levels deep'],
    ['10,000 calls', 'abs('.repeat(10_000), 'nested more than 200 levels deep'],
    ['10,000 powers', '2 ** '.repeat(10_000) + '1', 'nested more than 200 levels deep'],
    ['10,000 sums', '1 + '.repeat(10_000) + '1', 'more than 1000 operators'],
    ['10,000 brackets', 'a' + '[0]'.repeat(10_000), 'more than 1000 operators'],
    ['70,000 characters', 'a'.repeat(70_000), 'at most 65536 are read'],
  ])('of %s is refused', async (_, text, message) => {
    expect((await mistakeIn(text)).message).toContain(message)
  })

  it('may list thousands of alternatives', async () => {
    const text = Array.from({ length: 3000 }, (_, index) => `epoch == ${index}`).join(' or ')
    expect(await valueOf(text)).toBe(true)
  })

  it('evaluates the deepest tree that it takes', async () => {
    const sum = '1 + '.repeat(990) + '1'
    expect(await valueOf(`${'('.repeat(190)}${sum}${')'.repeat(190)}`)).toBe(991)
  })

  it('either parses or is a mistake, whatever the text, and evaluates without throwing', async () => {
    const word = fc.constantFrom(
      ...[
        'loss',
        'missing',
        'list',
        'nested',
        'nan',
        'huge',
        '"a"',
        '1',
        '2d',
        '(',
        ')',
        '[',
        ']',
        ',',
        'abs(',
        'has(',
      ],
      ...[
        'and',
        'or',
        'not',
        'in',
        '~',
        '"x+"',
        '<',
        '==',
        '!=',
        '+',
        '-',
        '*',
        '/',
        '%',
        '**',
        'true',
        'null',
        '\u0000',
      ],
    )
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(word, { maxLength: 12 }).map((words) => words.join(' ')),
    )
    await fc.assert(
      fc.asyncProperty(text, async (written) => {
        try {
          selects(await parseExpression(written), example)
        } catch (error) {
          expect(error).toBeInstanceOf(CkptError)
          expect((error as CkptError).code).toBe('bad-expression')
          expect((error as CkptError).message).toMatch(/\n {2}.*\n {2} *\^$/su)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('arithmetic', () => {
  it('agrees with JavaScript on finite numbers', async () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 })
    await fc.assert(
      fc.asyncProperty(number, number, async (a, b) => {
        const scope = scopeWith({ a, b })
        expect(await valueOf('a + b * a - b', scope)).toBe(a + b * a - b)
        expect(await valueOf('(a < b) == (b > a) and (a <= b) == not (a > b)', scope)).toBe(true)
      }),
    )
  })
})
