import { describe, expect, it } from 'vitest'
import { compileMapping, parseMapEntries, parseMapFile } from '../../../../src/core/tensors/names/index.js'
import type { NameRules } from '../../../../src/core/tensors/names/index.js'

async function renamed(rules: NameRules, ...names: string[]): Promise<string[]> {
  const { rename } = await compileMapping(rules)
  return names.map(rename)
}

async function compileFilter(include: readonly string[], exclude: readonly string[]) {
  return (await compileMapping({ include, exclude })).isWanted
}

describe('globs', () => {
  it.each([
    ['encoder.**', ['encoder.w', 'encoder.l.0.w'], ['encoder', 'xencoder.w']],
    ['*.weight', ['a.weight', '.weight'], ['weight', 'a.b.weight']],
    ['**.bias', ['bias', 'a.bias', 'a.b.bias'], ['xbias', 'a.xbias', 'bias.a']],
    ['a.**.w', ['a.w', 'a.b.w', 'a.b.c.w'], ['a.bw', 'aw']],
    ['l?.w', ['l0.w'], ['l.w', 'l..w', 'l10.w']],
    ['{enc,dec}.w', ['enc.w', 'dec.w'], ['enc,dec.w']],
    ['a+(b)', ['a+(b)'], ['aab']],
  ])('%s matches as it reads', async (glob, good, bad) => {
    const matches = await compileFilter([glob], [])
    expect(good.filter((name) => !matches(name))).toEqual([])
    expect(bad.filter(matches)).toEqual([])
  })

  it('exclude after include, and none means all', async () => {
    expect(['a.w', 'a.b', 'c'].filter(await compileFilter(['a.*'], ['**.b']))).toEqual(['a.w'])
    expect(['a.w', 'c'].filter(await compileFilter([], ['c']))).toEqual(['a.w'])
    expect(['a.w', 'c'].filter(await compileFilter([], []))).toEqual(['a.w', 'c'])
  })

  it('cannot run away', async () => {
    const matches = await compileFilter(['*a*a*a*a*a*a*a*a*a*a*a*a*b'], [])
    const began = performance.now()
    expect(matches('a'.repeat(10_000))).toBe(false)
    expect(performance.now() - began).toBeLessThan(10_000)
  })
})

describe('a map', () => {
  it('takes a name, or all below one, the longest part first, at whole parts only', async () => {
    const map = new Map([
      ['enc', 'e'],
      ['enc.l0', 'first'],
      ['enc.l0.w', 'exact'],
    ])
    expect(await renamed({ map }, 'enc.l0.w', 'enc.l0.b', 'enc.l1.b', 'encoder.w', 'enc')).toEqual([
      'exact',
      'first.b',
      'e.l1.b',
      'encoder.w',
      'e',
    ])
  })

  it('comes before all else, looks at what that leaves too, and is final', async () => {
    const rules = { map: new Map([['enc', 'e']]), stripPrefixes: ['module.'], addPrefix: 'x.' }
    expect(await renamed(rules, 'enc.w', 'module.enc.w', 'module.dec.w')).toEqual(['e.w', 'e.w', 'x.dec.w'])
  })

  it('takes names as data', async () => {
    expect(await renamed({ map: new Map([['__proto__', 'constructor']]) }, '__proto__.w', 'constructor')).toEqual([
      'constructor.w',
      'constructor',
    ])
  })

  it('is written OLD=NEW', () => {
    expect([...parseMapEntries(['a.b=c=d', 'e=f', 'e=f'])]).toEqual([['a.b', 'c=d'], ['e', 'f']]) // prettier-ignore
    for (const wrong of [['a'], ['=b'], ['a='], ['a=b', 'a=c']]) {
      expect(() => parseMapEntries(wrong)).toThrow(expect.objectContaining({ code: 'usage' }) as Error)
    }
  })

  it('is read from lines or JSON', () => {
    const entries = [['a.b', 'c'], ['__proto__', 'd']] // prettier-ignore
    expect([...parseMapFile('m', '\ufeff# said\n a.b = c \r\n\n__proto__=d # why\n')]).toEqual(entries)
    expect([...parseMapFile('m', ' {"a.b": "c", "__proto__": "d"}')]).toEqual(entries)
  })

  it.each([
    ['a=b\nc', 'line 2'],
    ['a=b\n\na=c', 'm, line 3: a leads to c, and in line 1 to b'],
    ['{"a": 1}', '"a" leads to no name'],
    ['{"a": ', 'm, line 1: it begins as JSON'],
    ['{"a": "b",\n "c" "d"}', 'm, line 2: it begins as JSON'],
  ])('is told what is wrong with %j', (text, what) => {
    expect(() => parseMapFile('m', text)).toThrow(what)
  })
})

describe('prefixes', () => {
  it('are taken away once each, in their order, with the dot, and put before at last', async () => {
    expect(await renamed({ stripPrefixes: ['module'] }, 'module.w', 'module', 'modulew', 'w')).toEqual([
      'w',
      '',
      'w',
      'w',
    ])
    expect(await renamed({ stripPrefixes: ['a.', 'b.'], addPrefix: 'c.' }, 'a.b.w', 'b.a.w')).toEqual(['c.w', 'c.a.w'])
  })
})

describe('s/…/…/', () => {
  it.each([
    ['s/^encoder/enc/', 'encoder.encoder', 'enc.encoder'],
    ['s/e/E/g', 'encoder', 'EncodEr'],
    ['s/E/x/gi', 'enE', 'xnx'],
    [String.raw`s/^(.*)\.(\d+)\.w$/\2.\1/`, 'layers.3.w', '3.layers'],
    ['s/l(a)?/[&]/', 'lb', '[l]b'],
    [String.raw`s/a/\&\\/`, 'a', String.raw`&\ `.trim()],
    [String.raw`s|a\|b|c/d|`, 'a|b', 'c/d'],
    [String.raw`s/a\/b/c\/d/`, 'a/b', 'c/d'],
    ['s,x*,-,g', 'abc', '-a-b-c-'],
    ['s/(a)?b/\\1/', 'b', ''],
    ['s/a//', 'abc', 'bc'],
    ['s/[/]/./g', 'a/b/c', 'a.b.c'],
    ['s/[^/]+$/x/', 'a/b', 'a/x'],
    ['s/[]/]/x/g', 'a]/b', 'axxb'],
    ['s/[[:digit:]/]/x/g', 'a1/b', 'axxb'],
    ['s/(a)(b)?/\\0\\2./', 'abab', 'abb.ab'],
    ['s/A/&&/I', 'bab', 'baab'],
  ])('%s is as sed -E has it', async (text, name, expected) => {
    expect(await renamed({ renames: [text] }, name)).toEqual([expected])
  })

  it('several go one after the other', async () => {
    expect(await renamed({ renames: ['s/a/b/', 's/b/c/g'] }, 'ab')).toEqual(['cc'])
  })

  it.each([
    ['a/b/', 'does not begin with s/'],
    ['s', 'does not begin with s/'],
    ['s/a/b', 'no third /'],
    ['s/a/b/x', 'its flags are x'],
    ['s/a/b/gg', 'its flags are gg'],
    ['s/a/b/c/', 'more than three /'],
    ['s//b/', 'empty'],
    ['s/(/b/', 'missing'],
    ['s/[/b/', 'missing'],
    [String.raw`s/a/\1/`, 'names group 1'],
    [String.raw`s/.*/\L&/`, String.raw`its replacement has \L`],
    [String.raw`s/a/\n/`, String.raw`its replacement has \n`],
    ['s/a/b\\', 'no third /'],
  ])('%s is refused with the reason', async (text, reason) => {
    const error: unknown = await compileMapping({ renames: [text] }).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'usage', message: expect.stringContaining(reason) as string })
  })

  it('cannot run away', async () => {
    const began = performance.now()
    await renamed({ renames: ['s/(a*)*b/x/'] }, 'a'.repeat(10_000))
    expect(performance.now() - began).toBeLessThan(10_000)
  })
})

describe('rules without effect', () => {
  const rules: NameRules = {
    include: ['a.**', 'b.**', 'a.w'],
    exclude: ['a.no', 'c'],
    map: new Map([['a.w', 'x'], ['d', 'y']]), // prettier-ignore
    stripPrefixes: ['a.', 'e.'],
    renames: ['s/v/V/', 's/u/U/'],
  }

  it('are reported, each once, whatever others mean the same names', async () => {
    const mapping = await compileMapping(rules)
    for (const name of ['a.w', 'a.v', 'a.no']) if (mapping.isWanted(name)) mapping.rename(name)
    expect(mapping.idle()).toEqual([
      { flag: '--include', value: 'b.**' },
      { flag: '--exclude', value: 'c' },
      { flag: '--map', value: 'd' },
      { flag: '--strip-prefix', value: 'e.' },
      { flag: '--rename', value: 's/u/U/' },
    ])
  })
})
