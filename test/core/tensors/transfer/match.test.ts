import { describe, expect, it } from 'vitest'
import type { Shape, TensorFile, TensorInfo } from '../../../../src/core/tensors/read/tensor.js'
import { CkptError } from '../../../../src/core/errors.js'
import {
  ensureTransferable,
  formatPart,
  matchTensors,
  reportOf,
  type MatchOptions,
  type TransferPlan,
} from '../../../../src/core/tensors/transfer/match.js'

/** A file that has a header and no data: matching reads nothing else. */
function fileWith(...tensors: [name: string, shape: Shape, dtype?: string][]): TensorFile {
  const infos: TensorInfo[] = tensors.map(([name, shape, dtype = 'F32']) => ({ name, shape, dtype, bytes: 0 }))
  const never = () => {
    throw new Error('matching must not read data')
  }
  return {
    format: 'safetensors',
    path: '/x',
    byteLength: 0,
    metadata: new Map(),
    tensors: infos,
    values: null,
    findings: [],
    unsafe: [],
    opaque: new Map(),
    head: never,
    dataOf: never,
    ensureUnchanged: never,
    close: never,
  }
}

function refusal(source: TensorFile, target: TensorFile, skipMismatched = false): CkptError | undefined {
  return refusalOf(matchTensors(source, target, { skipMismatched }))
}

function refusalOf(plan: TransferPlan): CkptError | undefined {
  try {
    ensureTransferable(plan)
    return undefined
  } catch (error) {
    if (error instanceof CkptError) return error
    throw error
  }
}

describe('matching by name', () => {
  it('tells matched, missing, unexpected, mismatched and cast, in the order of the data', () => {
    const source = fileWith(['b', [2]], ['old', [1]], ['a', [3], 'F64'], ['c', [4]])
    const target = fileWith(['a', [3]], ['new', [5]], ['b', [2]], ['c', [4, 1], 'F16'])
    expect(reportOf(matchTensors(source, target))).toMatchObject({
      matched: ['a', 'b'],
      missing: ['new'],
      unexpected: ['old'],
      mismatched: [{ name: 'c', source: { dtype: 'F32', shape: [4] }, target: { dtype: 'F16', shape: [4, 1] } }],
      cast: [{ name: 'a', from: 'F64', to: 'F32' }],
    })
  })

  it('takes the first element of a vector for a scalar, as torch does, and no other reshaping', () => {
    const shapes: [Shape, Shape, boolean][] = [
      [[1], [], true],
      [[5], [], true],
      [[0], [], false],
      [[1, 1], [], false],
      [[], [1], false],
      [[2, 3], [3, 2], false],
      [[0, 4], [0, 4], true],
      [[0, 4], [0], false],
    ]
    for (const [from, to, fits] of shapes) {
      const plan = matchTensors(fileWith(['w', from]), fileWith(['w', to]))
      expect([from, to, plan.matched.length]).toEqual([from, to, fits ? 1 : 0])
    }
  })

  it('does not match across dtypes that torch has no cast between', () => {
    const plan = matchTensors(fileWith(['w', [2], 'F4'], ['v', [2], 'F4']), fileWith(['w', [2]], ['v', [2], 'F4']))
    expect(reportOf(plan)).toMatchObject({ matched: ['v'], mismatched: [{ name: 'w' }], cast: [] })
  })

  it('takes names as data', () => {
    const names = ['__proto__', 'constructor', 'é', 'e\u0301', '']
    const plan = matchTensors(
      fileWith(...names.map((name) => [name, [1]] as [string, Shape])),
      fileWith(['e\u0301', [1]], ['__proto__', [1]]),
    )
    expect(reportOf(plan)).toMatchObject({ matched: ['e\u0301', '__proto__'], unexpected: ['constructor', 'é', ''] })
  })

  it('gives dimensions that JSON would round as text', () => {
    const plan = matchTensors(fileWith(['w', [2n ** 63n, 0]]), fileWith(['w', [0]]))
    expect(reportOf(plan).mismatched[0]?.source.shape).toEqual(['9223372036854775808', 0])
  })
})

describe('what is refused', () => {
  it('shapes that differ, told with both', () => {
    const error = refusal(fileWith(['w', [2, 3]], ['v', [1]]), fileWith(['w', [3, 2], 'F16'], ['v', [1]]))
    expect(error?.code).toBe('refused')
    expect(error?.message).toContain('w: F32 [2, 3] in the source, F16 [3, 2] in the target')
    expect(error?.hint).toContain('--skip-mismatched')
  })

  it('shapes that another --resize would fit, with a hint at it', () => {
    const [small, large] = [fileWith(['w', [2, 3]]), fileWith(['w', [4, 3]])]
    const hint = (source: TensorFile, target: TensorFile, ...resize: ('slice' | 'pad')[]) =>
      refusalOf(matchTensors(source, target, { resize }))?.hint
    expect(hint(small, large, 'slice')).toMatch(/--skip-mismatched; --resize pad /)
    expect(hint(large, small)).toMatch(/--skip-mismatched; --resize slice /)
    expect(hint(small, fileWith(['w', [4, 5]]))).toContain('--skip-mismatched')
    expect(hint(small, fileWith(['w', [4, 5]]))).not.toContain('--resize')
  })

  it('coverage just under what was asked for, and not just over', () => {
    const plan = (minCoverage: number) =>
      matchTensors(fileWith(['a', [1]], ['b', [1]], ['c', [1]], ['d', [1]]), fileWith(['a', [1]], ['b', [1]], ['c', [1]], ['d', [1]], ['e', [1]]), { minCoverage }) // prettier-ignore
    expect(refusalOf(plan(0.8))).toBeUndefined()
    expect(refusalOf(plan(0.80000001))?.message).toContain("only 80 % of the target's tensors (4 of 5)")
    expect(refusalOf(plan(0.80000001))?.message).toContain('at least 80.000001 % were asked for')
  })

  it('never calls a part all', () => {
    expect([1, 0.99999999, 0.9999, 0.123456, 0].map(formatPart)).toEqual([
      '100 %',
      'over 99.99 %',
      '99.99 %',
      '12.35 %',
      '0 %',
    ])
  })

  it('not when they are to be skipped and something is left', () => {
    expect(refusal(fileWith(['w', [2]], ['v', [1]]), fileWith(['w', [3]], ['v', [1]]), true)).toBeUndefined()
  })

  it('when they are to be skipped and nothing is left', () => {
    expect(refusal(fileWith(['w', [2]]), fileWith(['w', [3]]), true)?.message).toContain(
      'the only name in common has another form',
    )
  })

  it('no name in common, told with what nearly matched', () => {
    const error = refusal(
      fileWith(['module.enc.w', [2, 3]], ['module.dec.w', [4]]),
      fileWith(['enc.w', [2, 3]], ['dec.w', [5]]),
    )
    expect(error?.code).toBe('refused')
    expect(error?.message).toContain('module.enc.w F32 [2, 3] is nearly enc.w F32 [2, 3]')
    expect(error?.message).toContain('module.dec.w F32 [4] is nearly dec.w F32 [5]')
  })

  it('the same names taken apart by what renames them, with no flag that would take off nothing', () => {
    const file = fileWith(['enc.w', [2]], ['dec.w', [3]])
    const plan = matchTensors(file, fileWith(['enc.w', [2]], ['dec.w', [3]]), { rename: (name) => `foo.${name}` })
    const error = refusalOf(plan)
    expect(error?.message).toContain("2 of them have one name in both files, and what renames the source's")
    expect(error?.message).not.toContain('--')
  })

  it('nothing alike, told with examples of both', () => {
    const error = refusal(fileWith(['a', [1]]), fileWith(['b', [2]]))
    expect(error?.message).toContain('source: a')
    expect(error?.message).toContain('target: b')
  })

  it('an empty file on either side', () => {
    expect(refusal(fileWith(), fileWith(['w', [1]]))?.code).toBe('refused')
    expect(refusal(fileWith(['w', [1]]), fileWith())?.code).toBe('refused')
  })

  it('in a message that a terminal can show, however many and whatever the names', () => {
    const names = Array.from({ length: 1000 }, (_, i) => `\u001b[31m${i}`)
    const error = refusal(
      fileWith(...names.map((name) => [name, [1]] as [string, Shape])),
      fileWith(...names.map((name) => [name, [2]] as [string, Shape])),
    )
    expect(error?.message).toContain('and 995 more')
    expect(error?.message).not.toContain('\u001b')
    expect(
      refusal(fileWith(['x'.repeat(10_000), [1]]), fileWith(['x'.repeat(10_000), [2]]))?.message.length,
    ).toBeLessThan(500)
  })
})

describe('what nearly matched', () => {
  const near = (source: TensorFile, target: TensorFile) =>
    matchTensors(source, target).nearMisses.map((miss) => [miss.source.name, miss.target.name])

  it('are the same names behind the usual prefixes, on either side and several of them', () => {
    expect(near(fileWith(['_orig_mod.module.w', [1]]), fileWith(['w', [1]]))).toEqual([['_orig_mod.module.w', 'w']])
    expect(near(fileWith(['w', [1]]), fileWith(['model.w', [1]]))).toEqual([['w', 'model.w']])
  })

  it('are the same last two parts of a name with the same shape, where there is only one', () => {
    const one = fileWith(['encoder.norm.weight', [3]])
    expect(near(one, fileWith(['enc.norm.weight', [3]]))).toEqual([['encoder.norm.weight', 'enc.norm.weight']])
    expect(near(one, fileWith(['enc.norm.weight', [4]]))).toEqual([])
    expect(near(one, fileWith(['enc.norm.weight', [3]], ['dec.norm.weight', [3]]))).toEqual([])
  })
})

describe('names that are changed on the way', () => {
  const plan = (source: TensorFile, target: TensorFile, options: MatchOptions) => matchTensors(source, target, options)

  it('match by what they come to, and unexpected ones keep the name that they have', () => {
    const rename = (name: string) => name.replace('old', 'new')
    const report = reportOf(plan(fileWith(['old.a', [1]], ['old.b', [1]]), fileWith(['new.a', [1]]), { rename }))
    expect(report).toMatchObject({
      matched: ['new.a'],
      renamed: [{ name: 'new.a', source: 'old.a' }],
      unexpected: ['old.b'],
    })
  })

  it('are refused when two come to one of the target, and only then', () => {
    const source = fileWith(['a', [1]], ['b', [1]])
    const rename = () => 'w'
    expect(() => plan(source, fileWith(['w', [1]]), { rename })).toThrow('a and b of the source both come to w')
    expect(plan(source, fileWith(['v', [1]]), { rename }).unexpected).toHaveLength(2)
  })

  it('and are left out when not wanted: neither matched nor unexpected', () => {
    const isWanted = (name: string) => name !== 'a'
    const report = reportOf(plan(fileWith(['a', [1]], ['b', [1]]), fileWith(['a', [1]], ['b', [1]]), { isWanted }))
    expect(report).toMatchObject({ matched: ['b'], missing: ['a'], unexpected: [], excluded: ['a'] })
  })
})

describe('the usual prefixes', () => {
  const prefixOf = (source: TensorFile, target: TensorFile, options: MatchOptions = {}) => {
    const { prefix, matched } = matchTensors(source, target, { autoPrefix: true, ...options })
    return [prefix, matched.map((pair) => pair.target.name)]
  }

  it('are taken away, put before, or changed for one another, when no name matches as it stands', () => {
    const one: [string, Shape] = ['w', [1]]
    expect(prefixOf(fileWith(['module.w', [1]]), fileWith(one))).toEqual([{ strip: 'module.', add: '' }, ['w']])
    expect(prefixOf(fileWith(one), fileWith(['model.w', [1]]))).toEqual([{ strip: '', add: 'model.' }, ['model.w']])
    expect(prefixOf(fileWith(['_orig_mod.module.w', [1]]), fileWith(['model.w', [1]]))).toEqual([
      { strip: '_orig_mod.module.', add: 'model.' },
      ['model.w'],
    ])
    expect(
      prefixOf(fileWith(['state_dict.model.w', [1]], ['opt.0', [1]]), fileWith(['w', [1]], ['opt.1', [1]])),
    ).toEqual([{ strip: 'state_dict.model.', add: '' }, ['w']])
  })

  it('are those by which most names match', () => {
    const source = fileWith(['model.a', [1]], ['model.model.b', [1]], ['model.model.c', [1]])
    expect(prefixOf(source, fileWith(['a', [1]], ['b', [1]], ['c', [1]]))).toEqual([
      { strip: 'model.model.', add: '' },
      ['b', 'c'],
    ])
  })

  it('are not tried when one name matches, nor when they are switched off, nor when they do not help', () => {
    const target = fileWith(['a', [1]], ['b', [1]])
    expect(prefixOf(fileWith(['a', [1]], ['module.b', [1]]), target)).toEqual([null, ['a']])
    expect(prefixOf(fileWith(['module.b', [1]]), target, { autoPrefix: false })).toEqual([null, []])
    expect(prefixOf(fileWith(['module.c', [1]]), target)).toEqual([null, []])
  })

  it('leave the names to the renames that were asked for', () => {
    const rename = (name: string) => name.replace(/^enc/, 'encoder')
    expect(prefixOf(fileWith(['module.enc.w', [1]]), fileWith(['encoder.w', [1]]), { rename })).toEqual([
      { strip: 'module.', add: '' },
      ['encoder.w'],
    ])
  })

  it('are told apart quickly, however many names there are', () => {
    const many = (prefix: string) => fileWith(...Array.from({ length: 20_000 }, (_, i): [string, Shape] => [`${prefix}${'model.'.repeat(i % 6)}${i}`, [1]])) // prettier-ignore
    const began = performance.now()
    matchTensors(many('module.'), many('x.'), { autoPrefix: true })
    expect(performance.now() - began).toBeLessThan(10_000)
  })
})

describe('coverage', () => {
  it('is told by tensors and by bytes', () => {
    const target = fileWith(['a', [3]], ['b', [1]])
    const sized = { ...target, tensors: target.tensors.map((one) => ({ ...one, bytes: one.name === 'a' ? 12 : 4 })) }
    expect(matchTensors(fileWith(['a', [3]]), sized).coverage).toEqual({ count: 0.5, bytes: 0.75 })
    const options = (minCoverage: number) => ({ minCoverage })
    const refuse = (least: number) => () =>
      ensureTransferable(matchTensors(fileWith(['a', [3]]), sized, options(least)))
    expect(refuse(0.5)).not.toThrow()
    expect(refuse(0.6)).toThrow(/only 50 % of the target's tensors \(1 of 2\) and 75 % of its bytes/)
  })

  it('counts of what is padded only what the source has', () => {
    const target = fileWith(['a', [4, 2]])
    const sized = { ...target, tensors: target.tensors.map((one) => ({ ...one, bytes: 32 })) }
    expect(matchTensors(fileWith(['a', [3, 2]]), sized, { resize: ['pad'] }).coverage).toEqual({
      count: 1,
      bytes: 0.75,
    })
  })
})

describe('strictness', () => {
  it('refuses what is missing or unexpected, with their names', () => {
    const refuse = (source: TensorFile, target: TensorFile) => () =>
      ensureTransferable(matchTensors(source, target, { strict: true }))
    expect(refuse(fileWith(['a', [1]]), fileWith(['a', [1]], ['b', [2]]))).toThrow(
      /1 missing in the source:\n {2}b F32 \[2\]/,
    )
    expect(refuse(fileWith(['a', [1]], ['c', [1]]), fileWith(['a', [1]]))).toThrow('1 unexpected in the source')
    expect(refuse(fileWith(['a', [1]]), fileWith(['a', [1]]))).not.toThrow()
  })
})

describe('resizing', () => {
  const resized = (from: Shape, to: Shape, ...resize: ('slice' | 'pad')[]) =>
    reportOf(matchTensors(fileWith(['w', from]), fileWith(['w', to]), { resize })).resized

  it('is for one axis, and for what was asked', () => {
    expect(resized([5, 2], [3, 2], 'slice')).toEqual([{ name: 'w', kind: 'slice', axis: 0, source: 5, target: 3 }])
    expect(resized([2, 3], [2, 5], 'slice', 'pad')).toEqual([{ name: 'w', kind: 'pad', axis: 1, source: 3, target: 5 }])
    expect(resized([5, 2], [3, 2], 'pad')).toEqual([])
    expect(resized([5, 2], [3, 3], 'slice', 'pad')).toEqual([])
    expect(resized([5], [5, 1], 'slice', 'pad')).toEqual([])
    expect(resized([0, 2], [3, 2], 'pad')).toEqual([])
  })
})

describe('flags that would match near misses', () => {
  it('say what stands before the parts in which the names end', () => {
    const suggestions = (source: TensorFile, target: TensorFile) => reportOf(matchTensors(source, target)).suggestions
    expect(
      suggestions(
        fileWith(['encoder.a.norm.weight', [3]], ['encoder.b.norm.bias', [4]], ['x', [1]]),
        fileWith(['enc.a.norm.weight', [3]], ['enc.b.norm.bias', [4]], ['y', [1]]),
      ),
    ).toEqual([{ flag: '--map', value: 'encoder=enc', tensors: 2 }])
    expect(suggestions(fileWith(['module.w', [1]]), fileWith(['w', [1]]))).toEqual([
      { flag: '--strip-prefix', value: 'module.', tensors: 1 },
    ])
    expect(suggestions(fileWith(['w', [1]]), fileWith(['model.w', [1]]))).toEqual([
      { flag: '--add-prefix', value: 'model.', tensors: 1 },
    ])
  })
})

describe('codes of quantised weights', () => {
  it.each([
    ['0.weight', 'I8', '0.SCB'],
    ['0.weight', 'I8', '0.weight_scale'],
    ['0.weight', 'F8_E4M3', '0.weight_scale_inv'],
    ['0.weight', 'F8_E5M2', '0.scale_weight'],
    ['w', 'U8', 'w.absmax'],
  ])('are not taken for values without their scale: %s %s beside %s', (name, dtype, scale) => {
    const source = fileWith([name, [2, 2], dtype], [scale, [2]])
    const refused = refusal(source, fileWith([name, [2, 2]]))
    expect(refused?.code).toBe('refused')
    expect(refused?.message).toContain(`"${name}" is quantised: ${dtype} codes, to be multiplied by "${scale}"`)
    expect(refusal(source, fileWith([name, [2, 2]], [scale, [2]]))).toBeUndefined()
    expect(refusal(source, fileWith([name, [2, 2], dtype]))).toBeUndefined()
  })

  it.each([
    ['0.weight', 'I8', '0.SCB'],
    ['0.weight', 'F8_E4M3', '0.weight_scale_inv'],
    ['w', 'U8', 'w.absmax'],
  ])('do not take values that are not divided by their scale: %s %s beside %s', (name, dtype, scale) => {
    const target = fileWith([name, [2, 2], dtype], [scale, [2]])
    const refused = refusal(fileWith([name, [2, 2]]), target)
    expect(refused?.message).toContain(`"${name}" is quantised: ${dtype} codes, multiplied by "${scale}"`)
    expect(refusal(target, target)).toBeUndefined()
  })

  it('and their scales keep their dtypes where another one is asked for', () => {
    const target = fileWith(
      ['0.weight', [2, 2], 'F8_E4M3'],
      ['0.weight_scale', [1]],
      ['0.input_scale', [1]],
      ['0.bias', [2]],
      ['scale', [2]],
    )
    const plan = matchTensors(target, target, { dtype: 'F16' })
    expect(reportOf(plan).cast.map(({ name }) => name)).toEqual(['0.bias', 'scale'])
  })

  it('are what any integers are where no scale lies beside them', () => {
    expect(refusal(fileWith(['ids', [2], 'I8']), fileWith(['ids', [2]]))).toBeUndefined()
  })
})

describe('the command that is proposed', () => {
  const source = fileWith(['c.weight_g', [4, 1]], ['b', [1]])
  const target = fileWith(['c.parametrizations.weight.original0', [4, 1]], ['b', [1]])
  const typed = ['--output', 'new model.pt', '--dtype', 'F16']

  it('writes what was to be written, over it where it has been', () => {
    const plan = matchTensors(source, target, { typed })
    expect(reportOf(plan).commands).toEqual([
      expect.stringMatching(/^ckpt transfer \/x \/x --output 'new model\.pt' --dtype F16 --rename/),
    ])
    expect(reportOf(plan, true).commands).toEqual([
      expect.stringMatching(/--output 'new model\.pt' --dtype F16 --force --rename/),
    ])
  })

  it('takes nothing from what matches without it: a prefix is put before the modules that lack it', () => {
    const own = fileWith(['net.0.w', [2]], ['net.1.w', [2]], ['pool.w', [3]], ['head.w', [4]])
    const wrapped = fileWith(
      ['backbone.net.0.w', [2]],
      ['backbone.net.1.w', [2]],
      ['backbone.pool.w', [3]],
      ['head.w', [4]],
    )
    expect(reportOf(matchTensors(own, wrapped)).commands).toEqual([
      'ckpt transfer /x /x --map net=backbone.net --map pool=backbone.pool',
    ])
  })

  it('stands in the refusal where nothing matched, also where only another arrangement does', () => {
    const parts = fileWith(['a.q_proj.weight', [8, 4]], ['a.k_proj.weight', [2, 4]], ['a.v_proj.weight', [2, 4]])
    const one = fileWith(['a.qkv_proj.weight', [12, 4]])
    expect(refusal(parts, one)?.message).toContain(
      "ckpt transfer /x /x --fuse 'a.q_proj.weight,a.k_proj.weight,a.v_proj.weight=a.qkv_proj.weight'",
    )
    expect(refusal(one, parts)?.message).toContain(
      "--split 'a.qkv_proj.weight=a.q_proj.weight,a.k_proj.weight,a.v_proj.weight'",
    )
  })
})
