import { describe, expect, it } from 'vitest'
import type { Shape, TensorFile, TensorInfo } from '../../../src/core/tensors/tensor.js'
import { CkptError } from '../../../src/core/errors.js'
import { ensureTransferable, matchTensors, reportOf } from '../../../src/core/transfer/match.js'

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
  try {
    ensureTransferable(matchTensors(source, target, { skipMismatched }))
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
    expect(reportOf(matchTensors(source, target))).toEqual({
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

  it('not when they are to be skipped and something is left', () => {
    expect(refusal(fileWith(['w', [2]], ['v', [1]]), fileWith(['w', [3]], ['v', [1]]), true)).toBeUndefined()
  })

  it('when they are to be skipped and nothing is left', () => {
    expect(refusal(fileWith(['w', [2]]), fileWith(['w', [3]]), true)?.message).toContain('all 1 names in common')
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
