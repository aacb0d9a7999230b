import { createHash } from 'node:crypto'
import { isUtf8 } from 'node:buffer'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { SafeTensor } from 'safetensors'
import { describe, expect, it } from 'vitest'
import { CkptError } from '../../../../src/core/errors.js'
import {
  bitsOf,
  formatHeader,
  longestHeader,
  parseHeader,
  readHeaderLength,
  SafetensorsError,
  type SafetensorsHeader,
} from '../../../../src/core/formats/safetensors/safetensors.js'
import { parseEntries } from '../../../../src/core/formats/safetensors/entries.js'
import { parsePlainEntries } from '../../../../src/core/formats/safetensors/plain-entries.js'

const folder = new URL('../../../fixtures/safetensors/', import.meta.url).pathname

interface Verdict {
  readonly ok: boolean
  readonly kind?: string
  readonly metadata?: Record<string, string> | null
  readonly tensors?: Record<string, { dtype: string; shape: (number | string)[]; sha256: string }>
}

const { files: verdicts } = JSON.parse(readFileSync(join(folder, 'verdicts.json'), 'utf8')) as {
  files: Record<string, Verdict>
}

function read(bytes: Uint8Array): SafetensorsHeader {
  const length = readHeaderLength(bytes.subarray(0, 8), bytes.length)
  return parseHeader(bytes.subarray(8, 8 + length), bytes.length)
}

/** A file with this header and so many bytes of data. */
function fileOf(header: string | Uint8Array, data = 0): Uint8Array {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const bytes = new Uint8Array(8 + text.length + data)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true)
  bytes.set(text, 8)
  return bytes
}

function refusalOf(bytes: Uint8Array): SafetensorsError {
  try {
    read(bytes)
  } catch (error) {
    if (error instanceof SafetensorsError) return error
    throw error
  }
  throw new Error('the file was accepted')
}

function entry(shape: string, begin: number, end: number, dtype = 'U8'): string {
  return `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`
}

describe('the verdicts of the reference library', () => {
  it('are there for every file of the folder', () => {
    const names = readdirSync(folder).filter((name) => name.endsWith('.safetensors'))
    expect(names.sort()).toEqual(Object.keys(verdicts).sort())
    expect(names.length).toBe(195)
  })

  it.each(Object.entries(verdicts))('%s: accepted or refused by the same rule', (name, verdict) => {
    const bytes = readFileSync(join(folder, name))
    if (!verdict.ok) {
      expect(refusalOf(bytes).rule).toBe(verdict.kind)
      return
    }
    const header = read(bytes)
    const tensors = new Map(header.tensors.map((tensor) => [tensor.name, tensor]))
    for (const [name, want] of Object.entries(verdict.tensors ?? {})) {
      const tensor = tensors.get(name)
      if (tensor === undefined) throw new Error(`no tensor ${name}`)
      const sha256 = createHash('sha256').update(bytes.subarray(tensor.begin, tensor.end)).digest('hex')
      const got = { dtype: tensor.dtype, shape: tensor.shape.map(String), sha256 }
      expect(got).toEqual({ ...want, shape: want.shape.map(String) })
    }
    // Of the 5,000 tensors of one file the verdict lists five.
    expect(tensors.size).toBe(name.startsWith('many_') ? 5000 : Object.keys(verdict.tensors ?? {}).length)
    expect(header.metadata).toEqual(new Map(Object.entries(verdict.metadata ?? {})))
  })
})

describe('a refusal says what is wrong with which numbers', () => {
  const two = (a: string, b: string) => `{"a":${a},"b":${b}}`

  it.each([
    ['a file below 8 bytes', new Uint8Array(7), 'the file has 7 bytes, and 8 are needed'],
    ['a header that ends after the file', fileOf('{}').subarray(0, 9), 'takes 10 bytes, and the file has 9'],
    ['a file that ends early', fileOf(`{"a":${entry('[4]', 0, 4)}}`, 3), /ends early: (\d+) of \d+ bytes/],
    ['a file that goes on', fileOf(`{"a":${entry('[4]', 0, 4)}}`, 9), '5 bytes after the last tensor'],
    ['a gap', fileOf(two(entry('[1]', 0, 1), entry('[1]', 2, 3)), 3), '"b": it begins at 2, expected 1'],
    ['an overlap', fileOf(two(entry('[2]', 0, 2), entry('[2]', 1, 3)), 3), '"b": it begins at 1, expected 2'],
    ['reversed offsets', fileOf(two(entry('[4]', 0, 4), entry('[0]', 4, 2)), 4), 'ends at 2, before it begins at 4'],
    [
      "a size that is not the shape's",
      fileOf(`{"a":${entry('[2,2]', 0, 5)}}`, 5),
      'takes 4 bytes, and its offsets 0 to 5 give 5',
    ],
    ['half a byte', fileOf(`{"a":${entry('[3]', 0, 1, 'F4')}}`, 1), '12 bits do not end at a byte'],
    ['an overflow', fileOf(`{"a":${entry('[9223372036854775808,2,0]', 0, 0)}}`), 'overflows 64 bits'],
    ['an unknown dtype', fileOf(`{"a":${entry('[1]', 0, 1, 'f32')}}`, 1), 'unknown dtype, "f32"'],
    ['a float for a dimension', fileOf(`{"a":${entry('[1.0]', 0, 1)}}`, 1), 'expected a dimension, found 1.0'],
    ['minus zero', fileOf(`{"a":${entry('[-0]', 0, 1)}}`, 1), 'expected a dimension, found -0'],
    ['a leading zero', fileOf(`{"a":${entry('[01]', 0, 1)}}`, 1), '01 is not a number in JSON'],
    ['2^64', fileOf(`{"a":${entry('[18446744073709551616,0]', 0, 0)}}`), 'found 18446744073709551616'],
    [
      'bytes that are not UTF-8',
      fileOf(new Uint8Array([0x7b, 0x22, 0xc3, 0xa9, 0xff, 0x22])),
      'invalid UTF-8 in header at byte 12',
    ],
    ['half of a surrogate pair', fileOf('{"\\ud83d":1}'), 'at byte 10: half of a surrogate pair'],
    ['a missing field', fileOf('{"a":{"dtype":"U8","shape":[1]}}'), '"a" has no data_offsets'],
    ['an escape code in a name', fileOf('{"\\u001b[31m":{}}'), String.raw`"\u001b[31m" has no dtype`],
  ])('%s', (_, bytes, message) => {
    expect(refusalOf(bytes).message).toMatch(message)
  })

  it('counts the bytes that are there and those that should be', () => {
    const whole = fileOf(`{"a":${entry('[4]', 0, 4)}}`, 4)
    const { message, hint } = refusalOf(whole.subarray(0, -1))
    expect(message).toBe(`ends early: ${whole.length - 1} of ${whole.length} bytes`)
    expect(hint).toContain('cut off')
  })

  it('names the byte at which the header cannot be read', () => {
    const bytes = fileOf(`{"a":${entry('[1.0]', 0, 1)}}`, 1)
    const { message, offset } = refusalOf(bytes)
    expect(offset).toBe(Buffer.from(bytes).indexOf('1.0'))
    expect(message).toContain(`at byte ${offset}`)
  })

  it('tells a length that is far off apart from a damaged file', () => {
    const bytes = new TextEncoder().encode('#!/bin/sh\necho hello\n')
    expect(refusalOf(bytes)).toMatchObject({ rule: 'HeaderTooLarge', exitStatus: 4 })
    expect(refusalOf(bytes).message).toMatch(/say \d+ bytes, and at most 100000000 are allowed/)
  })

  it('cuts a name of 10,000 characters', () => {
    const error = refusalOf(fileOf(`{"${'x'.repeat(10_000)}":${entry('[1]', 1, 2)}}`, 2))
    expect(error.message).toContain('(10000 characters)')
    expect(error.message.length).toBeLessThan(300)
  })
})

describe('what the reference lets pass and a person should know', () => {
  it('tells of a name that is there twice, and takes the last', () => {
    const header = read(fileOf(`{"w":${entry('[9]', 0, 9)},"w":${entry('[2]', 0, 2)}}`, 2))
    expect(header.tensors).toMatchObject([{ name: 'w', shape: [2] }])
    expect(header.findings).toEqual(['the header names tensor "w" more than once; the last one counts'])
  })

  it('finds equal names though they are spelt differently', () => {
    const header = read(fileOf(`{"w":${entry('[1]', 0, 1)},"\\u0077":${entry('[1]', 0, 1)}}`, 1))
    expect(header.findings).toHaveLength(1)
  })

  it('tells of metadata keys that are there twice', () => {
    const header = read(fileOf('{"__metadata__":{"k":"1","k":"2"}}'))
    expect(header.metadata).toEqual(new Map([['k', '2']]))
    expect(header.findings).toEqual(['__metadata__ has "k" more than once; the last one counts'])
  })

  it('tells of forms that only serde reads', () => {
    const header = read(fileOf('{"a":["U8",[1],[0,1]],"b":{"dtype":{"U8":{}},"shape":[1],"data_offsets":[1,2]}}', 2))
    expect(header.findings).toHaveLength(2)
  })

  it('has nothing to tell of a plain file', () => {
    expect(read(readFileSync(join(folder, 'real_save_file.safetensors'))).findings).toEqual([])
  })

  it('counts repeated names beyond the first twenty', () => {
    const names = Array.from({ length: 25 }, (_, i) => `"t${i}":${entry('[0]', 0, 0)}`)
    const header = read(fileOf(`{${[...names, ...names].join(',')}}`))
    expect(header.findings).toHaveLength(21)
    expect(header.findings.at(-1)).toBe('and 5 more of these')
  })
})

describe('the npm package safetensors, as a second opinion', () => {
  it.each(['real_numpy', 'pretty_printed', 'odd_alignment', 'zero_size'])('sees in %s the same bytes', (name) => {
    const bytes = Uint8Array.from(readFileSync(join(folder, `${name}.safetensors`)))
    const theirs = new SafeTensor(bytes)
    const ours = read(bytes).tensors
    expect([...theirs.metadata.keys()].sort()).toEqual(ours.map((tensor) => tensor.name).sort())
    for (const tensor of ours) {
      expect(theirs.getTensor(tensor.name)).toEqual(bytes.subarray(tensor.begin, tensor.end))
      expect(theirs.metadata.get(tensor.name)).toMatchObject({ dtype: tensor.dtype, shape: tensor.shape })
    }
  })
})

describe('names are data', () => {
  it.each(['__proto__', 'constructor', '../x', '', ' ', '\u0000', '\n', 'é', 'e\u0301', '😀', 'x'.repeat(10_000)])(
    'takes %j',
    (name) => {
      const header = read(fileOf(`{${JSON.stringify(name)}:${entry('[1]', 0, 1)}}`, 1))
      expect(header.tensors.map((tensor) => tensor.name)).toEqual([name])
    },
  )
})

describe('bounds', () => {
  it('reads a header of exactly 100,000,000 bytes, most of it padding, at once', () => {
    const text = new Uint8Array(longestHeader).fill(0x20)
    text.set(new TextEncoder().encode(`{"w":${entry('[4]', 0, 4)}}`))
    const began = performance.now()
    expect(read(fileOf(text, 4)).tensors).toHaveLength(1)
    expect(performance.now() - began).toBeLessThan(10_000)
  })

  it('refuses one byte more without looking at it', () => {
    const prefix = new Uint8Array(8)
    new DataView(prefix.buffer).setBigUint64(0, 100_000_001n, true)
    expect(() => readHeaderLength(prefix, 1e12)).toThrow(/at most 100000000/)
  })

  it('reads 100,000 tensors within seconds', () => {
    const parts = Array.from({ length: 100_000 }, (_, i) => `"layers.${i}.weight":${entry('[2]', 2 * i, 2 * i + 2)}`)
    const began = performance.now()
    expect(read(fileOf(`{${parts.join(',')}}`, 200_000)).tensors).toHaveLength(100_000)
    expect(performance.now() - began).toBeLessThan(10_000)
  })

  it('shows a shape of a million dimensions in a short message', () => {
    const shape = `[${Array.from({ length: 1_000_000 }, () => 1).join(',')}]`
    expect(refusalOf(fileOf(`{"w":${entry(shape, 0, 2)}}`, 2)).message).toMatch(
      /1, … 1000000 dimensions\]: takes 1 bytes/,
    )
  })

  it('does not build an integer of a million digits', () => {
    const began = performance.now()
    expect(refusalOf(fileOf(`{"w":${entry(`[${'9'.repeat(1_000_000)}]`, 0, 0)}}`)).message.length).toBeLessThan(200)
    expect(performance.now() - began).toBeLessThan(10_000)
  })
})

const dtypes = Object.keys(bitsOf).filter(
  (dtype) => bitsOf[dtype as keyof typeof bitsOf] >= 8,
) as (keyof typeof bitsOf)[]
const text = fc.string({ unit: 'grapheme', maxLength: 12 })
const outline = fc
  .record({
    name: text.filter((name) => name !== '__metadata__'),
    dtype: fc.constantFrom(...dtypes),
    shape: fc.array(fc.nat(5), { maxLength: 4 }),
  })
  .map((one) => ({ ...one, bytes: (one.shape.reduce((product, dim) => product * dim, 1) * bitsOf[one.dtype]) / 8 }))
const outlines = fc.uniqueArray(outline, { selector: ({ name }) => name, maxLength: 8 })

describe('writing a header', () => {
  it.each(['real_save_file', 'real_half', 'real_numpy', 'real_save_model', 'real_empty'])(
    'gives back the bytes of %s as the library wrote them',
    (name) => {
      const bytes = readFileSync(join(folder, `${name}.safetensors`))
      const { tensors, metadata, dataStart } = read(bytes)
      const again = formatHeader(
        tensors.map((tensor) => ({ ...tensor, bytes: tensor.end - tensor.begin })),
        metadata,
      )
      expect(Buffer.from(again).toString()).toBe(bytes.subarray(0, dataStart).toString())
    },
  )

  it('is undone by reading it', () => {
    fc.assert(
      fc.property(outlines, fc.dictionary(text, text), (tensors, metadata) => {
        const header = formatHeader(tensors, new Map(Object.entries(metadata)))
        const data = tensors.reduce((sum, { bytes }) => sum + bytes, 0)
        const back = parseHeader(header.subarray(8), header.length + data)
        expect(header.length % 8).toBe(0)
        expect(back.metadata).toEqual(new Map(Object.entries(metadata)))
        const byName = new Map(back.tensors.map(({ name, dtype, shape }) => [name, { dtype, shape }]))
        expect(byName).toEqual(new Map(tensors.map(({ name, dtype, shape }) => [name, { dtype, shape }])))
      }),
    )
  })
})

describe('the quick way to read a header', () => {
  const careful = (header: Uint8Array) => ({
    ...parseEntries(header, 8),
    entries: [...parseEntries(header, 8).entries],
  })
  const fixture = (name: string) => readFileSync(join(folder, `${name}.safetensors`))
  const headerOf = (bytes: Uint8Array) => bytes.subarray(8, 8 + readHeaderLength(bytes.subarray(0, 8), bytes.length))

  it.each(['real_save_file', 'real_half', 'real_numpy', 'real_save_model'])('is taken for %s', (name) => {
    const header = headerOf(fixture(name))
    expect(parsePlainEntries(header)).toEqual(careful(header))
  })

  it.each([
    '{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[],"data_offsets":[1,2]}}',
    '{"a":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}}',
    '{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"more":1}}',
    '{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1.0]}}',
    '{"a":{"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,1]}}',
    '{"a":{"dtype":"U8","shape":[],"data_offsets":[-0,1]}}',
    '{"a":["U8",[],[0,1]]}',
    '{"__metadata__":null}',
    '{"__metadata__":{"a":1}}',
    '{"\\u0061":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}',
    '{}\n',
    '[]',
    '',
  ])('is left for the careful one by %s', (header) => {
    expect(parsePlainEntries(new TextEncoder().encode(header))).toBeNull()
  })

  it('gives what the careful one gives, or nothing, whatever the names and however bytes are changed', () => {
    const change = fc.tuple(fc.nat(400), fc.integer({ min: 0x20, max: 0x7e }))
    const name = fc.oneof(text, fc.constantFrom('__proto__', 'constructor', '0', '10'))
    const named = fc.uniqueArray(
      outline.chain((one) => name.map((other) => ({ ...one, name: other }))),
      {
        selector: (one) => one.name,
        maxLength: 5,
      },
    )
    let taken = 0
    fc.assert(
      fc.property(named, fc.array(change, { maxLength: 2 }), (tensors, changes) => {
        const header = formatHeader(tensors, new Map([['format', 'pt']])).subarray(8)
        for (const [at, byte] of changes) if (at < header.length) header[at] = byte
        const quick = isUtf8(header) ? parsePlainEntries(header) : null
        if (quick === null) return
        taken += 1
        expect(quick).toEqual(careful(header))
      }),
      { numRuns: 1000 },
    )
    expect(taken).toBeGreaterThan(200)
  })
})

describe('a file with any bytes changed', () => {
  it('is refused as damaged or read', () => {
    const whole = readFileSync(join(folder, 'metadata.safetensors'))
    const change = fc.tuple(fc.nat(Math.min(whole.length - 1, 400)), fc.nat(255))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), fc.nat(whole.length), (changes, length) => {
        const bytes = Uint8Array.from(whole)
        for (const [at, byte] of changes) bytes[at] = byte
        try {
          read(length % 3 === 0 ? bytes.subarray(0, length) : bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(CkptError)
        }
      }),
      { numRuns: 500 },
    )
  })
})
