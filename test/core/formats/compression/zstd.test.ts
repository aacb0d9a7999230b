import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CkptError } from '../../../../src/core/errors.js'
import { unzstd } from '../../../../src/core/formats/compression/zstd/zstd.js'
import { randomFrom, shortFrame } from '../../../fuzz.js'

const folder = join(import.meta.dirname, '../../../fixtures/formats/zstd')
const file = (name: string) => Uint8Array.from(readFileSync(join(folder, name)))
const text = Buffer.from(file('text'))
const steps = Uint32Array.from({ length: 300 }, (_, index) => index * index)
const most = 1 << 20

function frame(...bytes: number[]): Uint8Array {
  return Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, ...bytes])
}

/** The only block of a frame of one segment. */
function packedBlock(size: number, bytes: readonly number[]): Uint8Array {
  return frame(0x20, size, ((bytes.length << 3) & 0xff) | 5, bytes.length >> 5, 0, ...bytes)
}

/** What `step` is done to every frame and at every byte of it gives. */
function* changed(step: (bytes: Uint8Array, at: number) => Uint8Array): Generator<Uint8Array> {
  for (const name of ['text-19.zst', 'text-fast.zst', 'zeros.zst', 'steps.zst', 'three.zst']) {
    const bytes = file(name)
    for (let at = 0; at < bytes.length; at += 1) yield step(Uint8Array.from(bytes), at)
  }
}

describe('unzstd', () => {
  it.each([
    ['text-19.zst', text],
    ['text-fast.zst', text],
    ['zeros.zst', Buffer.alloc(200_000)],
    ['steps.zst', Buffer.from(steps.buffer)],
    ['three.zst', Buffer.concat([text, text])],
  ])('gives what libzstd packed into %s', (name, expected) => {
    expect(Buffer.from(unzstd(file(name), most)).equals(expected)).toBe(true)
    expect(() => unzstd(file(name), expected.length - 1)).toThrow('expected')
  })

  it('tells every frame that is cut', () => {
    for (const cut of changed((bytes, at) => bytes.subarray(0, at))) {
      // Of three frames, whole ones may be left.
      const whole = cut.length > 0 && cut.length < file('three.zst').length && isWhole(cut)
      if (!whole) expect(() => unzstd(cut, most)).toThrow(CkptError)
    }
  })

  it('tells every byte that is changed, by the checksum where nothing else does', () => {
    let told = 0
    let same = 0
    for (const bytes of changed((bytes, at) => bytes.fill((bytes[at] ?? 0) ^ 0x10, at, at + 1))) {
      const unpacked = unpackedOrError(bytes)
      if (unpacked instanceof CkptError) told += 1
      else {
        // The window and what is passed over may be others.
        const [lone, both] = [unpacked, unpacked.subarray(0, text.length)]
        const isKnown = [text, Buffer.alloc(200_000), Buffer.from(steps.buffer)].some((one) => one.equals(lone))
        expect(isKnown || both.equals(text)).toBe(true)
        same += 1
      }
    }
    expect(told).toBeGreaterThan(50 * same)
  })

  it('ends where the codes of literals take no bits and have no end', () => {
    // Literals: 5, packed to 6 bytes. Their codes: 5 bytes, of which a table that has one symbol takes two.
    const literals = [0x52, 0x80, 0x01, 5, 0xf0, 0x03, 0xff, 0xff, 0xff]
    expect(() => unzstd(packedBlock(40, [...literals, 0]), most)).toThrow('a table of more than 256 codes')
  })

  it('ends for any bytes behind any header, with an error of its own or with what is allowed', () => {
    const random = randomFrom(7)
    let read = 0
    for (let trial = 0; trial < 20_000; trial += 1) {
      const unpacked = unpackedOrError(shortFrame(random))
      if (!(unpacked instanceof CkptError)) read += 1
    }
    expect(read).toBeGreaterThan(0)
  })

  it('refuses more than is expected before memory is taken, whatever the window is', () => {
    // A content size of 2 TB; a window of 2 GB, of which nothing comes.
    expect(() => unzstd(frame(0xe0, 0, 0, 0, 0, 0, 2, 0, 0), most)).toThrow('at most are expected')
    expect(() => unzstd(frame(0x00, 21 << 3, 1, 0, 0), most)).not.toThrow()
    // A second frame claims as much.
    const small = frame(0x20, 1, 0x09, 0, 0, 0x61)
    const claim = frame(0xe0, 0, 0, 0, 0, 0, 2, 0, 0)
    expect(() => unzstd(Buffer.concat([small, claim]), most)).toThrow('at most are expected')
    expect(() => unzstd(frame(0x20), most)).toThrow(CkptError)
    expect(() => unzstd(Uint8Array.from([1, 2, 3]), most)).toThrow('does not begin as a frame')
  })

  it('refuses a frame that needs a dictionary', () => {
    const bytes = frame(0x21, 7, 1, 0x09, 0, 0, 0x61)
    expect(() => unzstd(bytes, most)).toThrow(expect.objectContaining({ code: 'refused' }) as Error)
  })
})

function isWhole(bytes: Uint8Array): boolean {
  const unpacked = unpackedOrError(bytes)
  return !(unpacked instanceof CkptError) && [0, text.length].includes(unpacked.length)
}

function unpackedOrError(bytes: Uint8Array): Buffer | CkptError {
  try {
    return Buffer.from(unzstd(bytes, most))
  } catch (error) {
    if (error instanceof CkptError) return error
    throw error
  }
}
