/** Whose settings are taken, by what stands on the way to them. */
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { StorageError } from '../../../src/core/errors.js'
import { localStorage } from '../../../src/core/storage/local.js'
import { loadSettings } from '../../../src/cli/settings/files.js'
import { followWay, type Trusted } from '../../../src/cli/settings/trust.js'

const user = process.getuid?.() ?? null
const nobody: Trusted = { folders: [], group: false }
const alone = { user, hasStrangers: () => false }
const amongOthers = { user, hasStrangers: () => true }

function settingsIn(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  const file = join(folder, 'ckpt.yaml')
  writeFileSync(file, '', { mode: 0o644 })
  return file
}

describe('settings are taken', () => {
  it('that are the own ones', () => {
    const file = settingsIn(temporary())
    expect(followWay(file, alone, nobody)).toMatchObject({ real: file, doubt: null })
  })

  it.each([
    ['the file', ''],
    ['its folder', '..'],
    ['a folder above', '../..'],
  ])('that a group may write, where nobody else belongs to it: %s', (_, what) => {
    const file = settingsIn(join(temporary(), 'exp', 'run'))
    chmodSync(join(file, what), 0o775)
    expect(followWay(file, alone, nobody)?.doubt).toBeNull()
    expect(followWay(file, amongOthers, nobody)?.doubt?.reason).toMatch(/^others of the group \d+ may write/)
    expect(followWay(file, amongOthers, { folders: [], group: true })?.doubt).toBeNull()
    expect(followWay(file, amongOthers, { folders: [join(file, '..')], group: false })?.doubt).toBeNull()
    chmodSync(join(file, what), 0o777)
    for (const trusted of [nobody, { folders: ['/'], group: true }]) {
      expect(followWay(file, alone, trusted)?.doubt?.reason).toMatch(/^anybody may write/)
    }
  })

  it('behind links, when all that they lead through is so', () => {
    const root = temporary()
    const file = settingsIn(join(root, 'a', 'b'))
    mkdirSync(join(root, 'c'))
    symlinkSync('../a/b', join(root, 'c', 'way'))
    symlinkSync('c/way/ckpt.yaml', join(root, 'ckpt.yaml'))
    expect(followWay(join(root, 'ckpt.yaml'), alone, nobody)).toMatchObject({ real: file, doubt: null })
    chmodSync(join(root, 'c'), 0o777)
    expect(followWay(join(root, 'ckpt.yaml'), alone, nobody)?.doubt?.reason).toBe(
      `anybody may write in ${join(root, 'c')}`,
    )
  })

  it.runIf(user !== null)('of nobody else', () => {
    const file = settingsIn(temporary())
    const other = { user: (user ?? 0) + 1, hasStrangers: () => false }
    const way = followWay(file, other, nobody)
    // What is root's is anybody's to trust.
    if (user === 0) expect(way?.doubt).toBeNull()
    else expect(way?.doubt?.reason).toContain(`belongs to another user (${String(user)}`)
  })

  it('whoever they belong to where the system knows no users', () => {
    const file = settingsIn(temporary())
    chmodSync(file, 0o666)
    expect(followWay(file, { user: null, hasStrangers: () => true }, nobody)?.doubt).toBeNull()
  })

  it('with hooks only where nobody else can put anything beside it', async () => {
    const folder = join(temporary(), 'shared')
    const file = settingsIn(folder)
    chmodSync(folder, 0o1777)
    expect(followWay(file, alone, nobody)?.doubt).toBeNull()
    const reasons = async (text: string) => {
      writeFileSync(file, text)
      const { leftOut } = await loadSettings(localStorage(), folder, ['find'], { unreadable: false, mistaken: false })
      return leftOut.filter(({ path }) => path === file).map(({ reason }) => reason)
    }
    expect(await reasons('find: {num: 1}\n')).toEqual([])
    const withHooks = 'hooks: [{key: k, verify: ./check}]\n'
    expect(await reasons(withHooks)).toEqual([`anybody may write in ${folder}, where its hooks would run`])
    chmodSync(folder, 0o755)
    expect(await reasons(withHooks)).toEqual([])
  })

  it('in a thousand swaps never from a file that is not the one that was looked at', async () => {
    const root = temporary()
    const file = settingsIn(root)
    const evil = join(root, 'evil')
    writeFileSync(file, 'find: {num: 1}\n')
    writeFileSync(evil, 'find: {num: 666}\n')
    chmodSync(evil, 0o666)
    writeFileSync(join(root, 'good'), 'find: {num: 1}\n', { mode: 0o644 })
    const swapper = spawn(process.execPath, ['-e', swaps, root], { stdio: 'inherit' })
    const taken = new Set<string>()
    while (swapper.exitCode === null) {
      taken.add(await taking(root))
      await new Promise(setImmediate)
    }
    expect(swapper.exitCode).toBe(0)
    expect([...taken].filter((one) => !['1', 'left out', 'swapped', 'none'].includes(one))).toEqual([])
    // Longer than the swaps take on a machine that is busy.
  }, 120_000)
})

/** In turns a link to a file that anybody may write, that file itself by another name, and a sound one. */
const swaps = `
  const fs = require('fs'), path = require('path'), root = process.argv[1], at = (name) => path.join(root, name)
  for (let i = 0; i < 1000; i++) {
    const draft = at('draft')
    if (i % 3 === 0) fs.symlinkSync('evil', draft)
    else if (i % 3 === 1) fs.linkSync(at('evil'), draft)
    else fs.copyFileSync(at('good'), draft)
    fs.renameSync(draft, at('ckpt.yaml'))
    if (fs.existsSync(draft)) fs.unlinkSync(draft)
  }
`

async function taking(folder: string): Promise<string> {
  try {
    const { files, leftOut } = await loadSettings(localStorage(), folder, ['find'], {
      unreadable: false,
      mistaken: false,
    })
    const nearest = files.find(({ path }) => path.startsWith(folder))
    if (nearest === undefined) return leftOut.length > 0 ? 'left out' : 'none'
    return nearest.sections.get('find')?.entries[0]?.values[0]?.text ?? 'empty'
  } catch (error) {
    if (error instanceof StorageError) return 'swapped'
    throw error
  }
}

const made: string[] = []
function temporary(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'ckpt-trust-')))
  made.push(path)
  return path
}
afterAll(() => {
  for (const path of made) rmSync(path, { recursive: true, force: true })
})
