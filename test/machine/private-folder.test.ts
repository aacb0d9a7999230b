import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isPrivateFolder, makePrivateFolder } from '../../src/machine/private-folder.js'
import { makeFolder } from '../core/checkpoints/layouts/folders.js'

const isRoot = process.geteuid?.() === 0
const nobody = 65_534

describe('a folder of the user alone', () => {
  it('is made with those above it, closed to others', () => {
    const folder = join(makeFolder(), 'a', 'b')
    expect(isPrivateFolder(folder)).toBe(false)
    expect(makePrivateFolder(folder)).toBe(true)
    expect(isPrivateFolder(folder)).toBe(true)
    expect(fs.statSync(folder).mode & 0o777).toBe(0o700)
  })

  it('is none that a link leads to, and none that others may write', () => {
    const above = makeFolder()
    fs.mkdirSync(join(above, 'open'), { mode: 0o777 })
    fs.chmodSync(join(above, 'open'), 0o777)
    fs.mkdirSync(join(above, 'closed'))
    fs.symlinkSync('closed', join(above, 'link'))
    expect(isPrivateFolder(join(above, 'link'))).toBe(false)
    expect(isPrivateFolder(join(above, 'open'))).toBe(false)
    expect(makePrivateFolder(join(above, 'open', 'within'))).toBe(false)
    expect(fs.existsSync(join(above, 'open', 'within'))).toBe(false)
  })

  it.skipIf(!fs.existsSync('/proc/self'))('is none in /proc, and asking for one there ends', () => {
    expect(makePrivateFolder('/proc/self/task/.cache/ckpt/scan')).toBe(false)
  })

  it.runIf(isRoot)('is not made by the superuser in the home of somebody else', () => {
    const home = makeFolder()
    fs.chownSync(home, nobody, nobody)
    expect(makePrivateFolder(join(home, '.cache', 'ckpt'))).toBe(false)
    expect(fs.readdirSync(home)).toEqual([])
  })
})
