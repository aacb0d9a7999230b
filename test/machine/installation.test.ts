import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { clearCache, codeCache } from '../../src/machine/installation.js'

let home = ''

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'ckpt-installation-'))
  vi.stubEnv('XDG_CACHE_HOME', home)
  mkdirSync(join(home, 'ckpt'))
})

afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(home, { recursive: true })
})

describe('the cache of compiled code', () => {
  it('is cleared also where another ckpt drops a part of it meanwhile', () => {
    const [gone, stays] = ['code-a', 'code-b'].map((name) => join(home, 'ckpt', name))
    for (const path of [gone, stays]) writeFileSync(path ?? '', 'code')
    const cache = codeCache()
    expect(cache.files.map(({ size }) => size)).toEqual([4, 4])
    rmSync(gone ?? '')
    clearCache(cache)
    expect(existsSync(stays ?? '')).toBe(false)
  })

  it('is cleared of what is not in the way of it: a folder of such a name stays, and of a link the link goes', () => {
    const [folder, link, victim] = ['ckpt/code-folder', 'ckpt/code-link', 'victim'].map((name) => join(home, name)) as [
      string,
      string,
      string,
    ]
    mkdirSync(folder)
    writeFileSync(victim, 'precious')
    symlinkSync(victim, link)
    clearCache(codeCache())
    expect([folder, link, victim].map((path) => existsSync(path))).toEqual([true, false, true])
  })
})
