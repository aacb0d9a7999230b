/** Archives in tar come from strangers, and NeMo unpacks them. */
import { describe, expect, it } from 'vitest'
import { membersOf, whyUnfit, type TarMember } from '../../../../src/core/formats/archives/tar.js'

interface Member {
  readonly name: string
  readonly type?: string
  readonly target?: string
  readonly data?: string
  /** In the field of POSIX for what stands before the name. */
  readonly before?: string
}

function block({ name, type = '0', target = '', data = '', before = '' }: Member): Buffer {
  const header = Buffer.alloc(512)
  header.write(name, 0, 100)
  header.write(`${Buffer.byteLength(data).toString(8).padStart(11, '0')}\0`, 124)
  header.write(`        ${type}`, 148)
  header.write(target, 157)
  header.write('ustar\x0000', 257)
  header.write(before, 345)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  const content = Buffer.from(data)
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)])
}

async function readMembers(...members: readonly Member[]) {
  const bytes = Buffer.concat([...members.map(block), Buffer.alloc(1024)])
  const found: TarMember[] = []
  const source = {
    byteLength: bytes.length,
    read: async (at: number, length: number) => bytes.subarray(at, at + length),
  }
  for await (const member of membersOf(source)) found.push(member)
  return found
}

function pax(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  const length = [2, 3]
    .map((digits) => Buffer.byteLength(rest) + digits)
    .find((all) => String(all).length + Buffer.byteLength(rest) === all)
  return `${length ?? ''}${rest}`
}

const long = `${'a/'.repeat(60)}${'../'.repeat(70)}x`

describe('a member that could do harm when it is unpacked is unfit', () => {
  it.each<[string, Member[], RegExp]>([
    ['a name upwards', [{ name: 'a/../../x' }], /outside/],
    ['a name from the root', [{ name: '/tmp/x' }], /outside/],
    ['a name upwards in two fields', [{ name: 'x', before: '../..' }], /outside/],
    ["a long name upwards of GNU's", [{ name: '@LongLink', type: 'L', data: long }, { name: 'a' }], /outside/],
    ["a long name upwards of pax's", [{ name: 'p', type: 'x', data: pax('path', long) }, { name: 'a' }], /outside/],
    ['a name upwards for all', [{ name: 'p', type: 'g', data: pax('path', '../x') }, { name: 'a' }], /outside/],
    ['a hard link to a file of the machine', [{ name: 'x', type: '1', target: '/etc/passwd' }], /hard link to "\/etc/],
    ['a link upwards', [{ name: 'x', type: '2', target: 'a/../../b' }], /symbolic link to "a\//],
    [
      "a link of pax's",
      [
        { name: 'p', type: 'x', data: pax('linkpath', '/etc') },
        { name: 'x', type: '2' },
      ],
      /"\/etc"/,
    ],
    ['a link with bytes', [{ name: 'x', type: '1', target: 'a', data: 'abc' }], /with 3 bytes/],
    ['a pipe', [{ name: 'x', type: '6' }], /named pipe/],
    ['a device', [{ name: 'x', type: '3' }], /device/],
  ])('%s', async (_, members, why) => {
    const [member] = await readMembers(...members)
    expect(member === undefined ? null : whyUnfit(member)).toMatch(why)
  })
})

describe('a member that a model has is fit', () => {
  it.each<[string, Member[], string]>([
    ['a file', [{ name: './m.ckpt', data: 'abc' }], './m.ckpt'],
    ['a folder', [{ name: './', type: '5' }], './'],
    ['a name of two fields', [{ name: 'x', before: 'a/b' }], 'a/b/x'],
    ['a name with dots', [{ name: 'a..b/..c' }], 'a..b/..c'],
    ['a long name', [{ name: 'p', type: 'x', data: pax('path', 'ä'.repeat(120)) }, { name: 'a' }], 'ä'.repeat(120)],
    ['a link to its neighbour', [{ name: 'last.ckpt', type: '2', target: 'm.ckpt' }], 'last.ckpt'],
  ])('%s', async (_, members, name) => {
    const found = await readMembers(...members)
    expect(found.map((member) => [member.name, whyUnfit(member)])).toEqual([[name, null]])
  })

  it("goes by pax's size where it tells one, as for files of more than 8 GiB", async () => {
    const [member] = await readMembers({ name: 'p', type: 'x', data: pax('size', '3') }, { name: 'a', data: 'abc' })
    expect(member?.size).toBe(3)
  })
})
