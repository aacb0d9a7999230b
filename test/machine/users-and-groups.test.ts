import { describe, expect, it } from 'vitest'
import { hasStrangers } from '../../src/machine/users-and-groups.js'

const lines = (text: string) => text.split('\n').map((line) => line.split(':'))

/** What the machine's own lists hold; `service` is what a directory service tells of groups that they lack. */
function listed(passwd: string, group: string, service: Readonly<Record<number, string>> = {}) {
  const entries = (list: 'group' | 'passwd') => lines(list === 'group' ? group : passwd)
  return { entries, askFor: (id: number) => service[id]?.split(':') }
}

describe('a group is the user’s alone', () => {
  const passwd = 'root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\nyou:x:1001:100::/home/you:/bin/sh'
  const group = 'root:x:0:\nusers:x:100:\nme:x:1000:\nteam:x:50:me,you\nours:x:51:me,root'
  const me = { name: 'me', group: 1000, lists: listed(passwd, group) }

  it.each([
    [1000, false],
    [51, false],
    [50, true],
    [100, true],
    [4711, true],
  ])('by this machine’s lists: %i %s', (id, expected) => {
    expect(hasStrangers(id, me)).toBe(expected)
  })

  it('of a number without a name, as in containers, where it is that number’s first', () => {
    expect(hasStrangers(0, { ...me, name: null, group: 0, lists: listed('', '') })).toBe(false)
    expect(hasStrangers(7, { ...me, name: null, group: 0, lists: listed('', '') })).toBe(true)
  })
})

describe('of a user whom a directory service knows', () => {
  const lists = listed('root:x:0:0::/root:/bin/sh', 'users:x:100:\nlab:x:60:me', {
    2000: 'me:*:2000:me',
    3000: 'staff:*:3000:staff,me',
  })
  const me = { name: 'me', group: 100, lists }

  it.each([
    ['users, who may all have it as their first', 100],
    ['one that this machine lists the user in', 60],
    ['one of the service', 3000],
    ['one that nobody knows', 4711],
  ])('strangers belong to a group of %s', (_, id) => {
    expect(hasStrangers(id, me)).toBe(true)
  })

  it('none belongs to the group of the user’s own name', () => {
    expect(hasStrangers(2000, { ...me, group: 2000 })).toBe(false)
  })
})
