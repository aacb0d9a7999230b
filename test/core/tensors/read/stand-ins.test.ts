import { describe, expect, it } from 'vitest'
import { mayBeCertainStandIn, nameStandIn } from '../../../../src/core/tensors/read/index.js'

const bodies = [
  'version https://git-lfs.github.com/spec/v1\nsize 5\n',
  '<!DOCTYPE html><p>404',
  '<HTML>',
  '<?xml version="1.0"?>',
  'weights',
  '{"a": 1}',
  '0',
]
const before = ['', ' ', '\n\t ', '\ufeff', '\u00a0\n', '\u2003', '\u001b']

describe('what is certain to be no weights', () => {
  it('is never ruled out by its first byte', () => {
    const heads = before.flatMap((space) => bodies.map((body) => Buffer.from(space + body)))
    const certain = heads.filter((head) => nameStandIn(head)?.isCertain === true)
    expect(certain.length).toBeGreaterThan(15)
    expect(certain.filter((head) => !mayBeCertainStandIn(head))).toEqual([])
  })

  it.each([
    ['255044462d312e370a25c3a4', 'a PDF document'],
    ['7f454c4602010100000000000000000003003e00', 'a program or library for Linux (ELF)'],
    ['4d5a90000300000004000000ffff0000b800', 'a program or library for Windows'],
    ['cffaedfe0c000001000000000200', 'a program or library for macOS (Mach-O)'],
    ['89504e470d0a1a0a0000000d49484452', 'a PNG image'],
    ['ffd8ffe000104a46494600010101', 'a JPEG image'],
    ['53514c69746520666f726d6174203300', 'an SQLite database'],
  ])('is what begins with the bytes %s: %s', (bytes, title) => {
    const head = Buffer.from(bytes, 'hex')
    expect([nameStandIn(head), mayBeCertainStandIn(head)]).toEqual([
      expect.objectContaining({ title, isCertain: true }),
      true,
    ])
    // Fewer bytes are numbers as any others.
    expect(nameStandIn(head.subarray(0, 3))?.isCertain).toBeUndefined()
  })

  it.each(['weights', '{"a": 1}', '', '\0\0\0', 'PK\u0003\u0004', '  0.5'])('is none in %j, at a glance', (text) => {
    expect(mayBeCertainStandIn(Buffer.from(text))).toBe(false)
  })
})
