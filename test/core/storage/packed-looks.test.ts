import { describe, expect, it } from 'vitest'
import { StorageError } from '../../../src/core/errors.js'
import { PackedLooks, packed } from '../../../src/core/storage/packed-looks.js'
import type { DirectoryEntry, FolderLook, Result, Stat } from '../../../src/core/storage/storage.js'

const stat: Stat = {
  kind: 'file',
  size: 2 ** 52,
  modified: 1_700_000_000.123456789,
  modifiedNs: 1_700_000_000_123_456_789n,
  changedNs: -5n,
  allocated: 4096,
  device: 2n ** 64n - 1n,
  inode: 2n ** 63n + 1n,
  links: 3,
  mode: 0o4755,
  owner: 2 ** 32 - 2,
  group: 7,
}

const look = (...looks: (Result<Stat> | null)[]): Result<FolderLook> => ({
  ok: true,
  value: { entries: looks.map((_, index): DirectoryEntry => ({ name: String(index), kind: 'file' })), looks },
})
/** Every number of it, whatever it is kept in. */
function told(one: Result<Stat> | null | undefined): unknown {
  if (one?.ok !== true) return one
  const names = Object.keys(stat) as (keyof Stat)[]
  return { ok: true, value: Object.fromEntries(names.map((name) => [name, one.value[name]])) }
}

const found = (more: Partial<Stat> = {}): Result<Stat> => ({ ok: true, value: { ...stat, ...more } })

function looksIn(one: Result<FolderLook> | undefined): PackedLooks {
  if (one?.ok !== true || !(one.value.looks instanceof PackedLooks)) throw new Error('not packed')
  return one.value.looks
}

describe('looks in columns', () => {
  it('give back every number as it was, also the largest', () => {
    const looks = looksIn(packed([look(found(), found({ kind: 'link', inode: 0n }))])[0])
    expect([told(looks.at(0)), told(looks.at(1))]).toEqual([found(), found({ kind: 'link', inode: 0n })])
    expect(looks.length).toBe(2)
  })

  it('keep times that no column can hold', () => {
    const far = found({ modified: 9e10, modifiedNs: 90_000_000_000_000_000_000n })
    expect(looksIn(packed([look(found(), far)])[0]).at(1)).toEqual(far)
  })

  it('keep what failed, what nobody has looked at, and folders that could not be listed', () => {
    const error = new StorageError('/a', 'ENOENT', '/a: gone')
    const gone: Result<Stat> = { ok: false, error }
    const answers = packed([{ ok: false, error }, look(null, gone), look(found())])
    expect(answers[0]).toEqual({ ok: false, error })
    const looks = looksIn(answers[1])
    expect([looks.at(0), looks.at(1)]).toEqual([null, gone])
    expect(told(looksIn(answers[2]).at(0))).toEqual(found())
  })

  it('tell whether a folder holds regular files alone', () => {
    const gone: Result<Stat> = { ok: false, error: new StorageError('/a', 'ENOENT', '/a: gone') }
    const folders = [[found(), found()], [found(), gone], [found(), null], [found({ kind: 'link' })], []]
    expect(packed(folders.map((one) => look(...one))).map((one) => looksIn(one).areFiles)).toEqual([
      ...[true, false, false, false, true],
    ])
  })

  it('tell size, names, bytes on the medium and time of one file', () => {
    const looks = looksIn(packed([look(found({ size: 1 })), look(found({ size: 5, links: 1 }))])[1])
    expect([looks.sizeAt(0), looks.linksAt(0), looks.allocatedAt(0), looks.modifiedAt(0)]).toEqual([
      ...[5, 1, 4096, stat.modified],
    ])
  })
})
