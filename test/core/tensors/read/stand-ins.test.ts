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

  it.each(['weights', '{"a": 1}', '', '\0\0\0', 'PK\u0003\u0004', '  0.5'])('is none in %j, at a glance', (text) => {
    expect(mayBeCertainStandIn(Buffer.from(text))).toBe(false)
  })
})
