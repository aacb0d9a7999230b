import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CkptError } from '../../../../src/core/errors.js'
import { readPickle, spelledOut, type PickleNode } from '../../../../src/core/formats/pickle/index.js'

const latin1 = (text: string) => Buffer.from(text, 'latin1')
const read = (pickle: string): PickleNode => readPickle(latin1(pickle)).value
const text = (value: string) => `X${String.fromCharCode(value.length)}\0\0\0${value}`

/** What torch has put into the memo by the second tensor of a file. */
const begin = [
  '\x80\x02',
  'ctorch._utils\n_rebuild_tensor_v2\nq\x00',
  `0${text('storage')}q\x01`,
  '0ctorch\nFloatStorage\nq\x02',
  `0${text('cpu')}q\x03`,
  '0ccollections\nOrderedDict\nq\x04',
  '0',
].join('')
const storage = `(h\x01h\x02${text('17')}q\x05h\x03K\x06tq\x06Q`
const hooks = '\x89h\x04)Rq\x09'
/** The tensor as torch writes it; its arguments are number 10. */
const plain = `${begin}h\x00(${storage}K\x00K\x02K\x03\x86q\x07K\x03K\x01\x86q\x08${hooks}tq\x0aRq\x0b`
/** Takes a number from the memo and throws it away. */
const taken = (number: number) => `h${String.fromCharCode(number)}0`

describe('a plain tensor', () => {
  it('is read as one node, and its storage is among what lies outside', () => {
    const { value, persistents, calls } = readPickle(latin1(`${plain}.`))
    expect(value).toMatchObject({
      ...{ kind: 'tensor', index: 0, key: '17', location: 'cpu', count: 6 },
      ...{ offset: 0, shape: [2, 3], strides: [3, 1], cls: { module: 'torch', name: 'FloatStorage' } },
    })
    expect(persistents).toEqual([value])
    expect(calls.instances).toEqual([])
  })

  it.each([5, 6, 7, 8, 9, 10])(
    'is the call that it is short for, also where its part %i is taken from the memo',
    (part) => {
      const short = read(`${plain}.`)
      const long = read(`${plain}${taken(part)}.`)
      expect(short).toMatchObject({ kind: 'tensor' })
      // The key is kept, for all others of its storage take it from there.
      if (part === 5) expect(long).toEqual(short)
      else expect(spelledOut(short as never)).toEqual(long)
    },
  )

  it.each([
    [
      'everything written out',
      `h\x00((${text('storage')}h\x02${text('a/b')}${text('cuda:0')}M\x00\x01tQK\x04))\x89h\x04)RtR`,
    ],
    [
      'protocol 4',
      `h\x00\x94((h\x01h\x02\x8c\x017\x94h\x03K\x06t\x94QK\x00K\x06\x85\x94K\x01\x85\x94\x89h\x04)R\x94t\x94R\x94`,
    ],
    [
      'an older stream',
      `h\x00((h\x01h\x02${text('17')}h\x03K\x06NtQK\x00(K\x01K\x02K\x03K\x01tK\x06K\x03\x86\x89h\x04)RtR`,
    ],
  ])('may have %s', (_, tensor) => {
    expect(read(`${begin}${tensor}.`)).toMatchObject({ kind: 'tensor' })
  })

  it.each([
    ['gradients', plain.replace('\x89', '\x88')],
    ['hooks', plain.replace(hooks, `\x89h\x04)R${text('f')}Ns`)],
    ['a class that is not a storage', plain.replace('ctorch\nFloatStorage', 'cos\nsystem')],
    ['a class by the name of a storage elsewhere', plain.replace('ctorch\nFloatStorage', 'cos\nAStorage')],
    ['another function', plain.replace('_rebuild_tensor_v2', '_rebuild_tensor')],
    ['an argument too many', plain.replace(hooks, `${hooks}N`)],
    ['a number below zero', plain.replace('K\x06tq', 'J\xff\xff\xff\xfftq')],
    ['a text that is not ASCII', plain.replace(text('17'), 'X\x02\0\0\0\xc3\xa9')],
    ['a state', `${plain}}b`],
    ['something set in it', `${plain}NNs`],
    ['something appended to it', `${plain}Na`],
  ])('is none with %s: then it is read node by node', (_, pickle) => {
    expect(read(`${pickle}.`)).toMatchObject({ kind: 'call', args: { kind: 'tuple' } })
  })

  it('leaves the memo as it is without it: numbers go on behind its parts', () => {
    const tensor =
      'h\x00((h\x01h\x02\x8c\x017\x94h\x03K\x06t\x94QK\x00K\x06\x85\x94K\x01\x85\x94\x89h\x04)R\x94t\x94R\x94'
    // The seven numbers from 5 on are the tensor's, and the list has the next.
    expect(read(`${begin}${tensor}0]\x94K\x01a0h\x0c.`)).toEqual({ kind: 'list', items: [1n] })
    expect(read(`${begin}${tensor}0h\x05.`)).toBe('7')
    expect(read(`${begin}${tensor}0h\x0b.`)).toMatchObject({ kind: 'tensor' })
    expect(() => read(`${begin}${tensor}0h\x0c.`)).toThrow('takes number 12 from the memo, which is not there')
  })

  it('is counted as something built', () => {
    const limits = { opcodes: 1e6, words: 1000 }
    const many = latin1(`${begin}](${plain.slice(begin.length).repeat(1000)}e.`)
    expect(() => readPickle(many, 0, limits)).toThrow('what it builds takes more than 8000 bytes')
  })

  it('means the same as the call, whatever is changed in its bytes', () => {
    const first = plain.replace('q\x0a', 'q\x14').replace('q\x0b', 'q\x15')
    const rest = plain.slice(begin.length)
    const change = fc.record({ at: fc.nat(rest.length - 1), to: fc.integer({ min: 0, max: 255 }) })
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        const mutant = latin1(`${rest}.`)
        for (const { at, to } of changes) mutant[at] = to
        // One takes a part of the tensor before it, so that all is read node by node.
        const short = outcomeOf(Buffer.concat([latin1(`${first}${taken(0)}`), mutant]))
        const long = outcomeOf(Buffer.concat([latin1(`${first}${taken(20)}`), mutant]))
        expect(short).toEqual(long)
      }),
      { numRuns: 20_000 },
    )
  })
})

/** What is read, with all tensors spelled out, or the message of the error. */
function outcomeOf(pickle: Uint8Array): unknown {
  try {
    const { value, calls, end } = readPickle(pickle)
    return { value: inFull(value), globals: calls.globals, end }
  } catch (error) {
    if (error instanceof CkptError) return error.message
    throw error
  }
}

function inFull(node: unknown, depth = 0): unknown {
  if (typeof node !== 'object' || node === null || depth > 20) return node
  if (Array.isArray(node)) return node.map((one) => inFull(one, depth + 1))
  const whole = (node as { kind: string }).kind === 'tensor' ? spelledOut(node as never) : node
  return Object.fromEntries(Object.entries(whole).map(([key, value]) => [key, inFull(value, depth + 1)]))
}
