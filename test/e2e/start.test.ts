/** The cache of compiled code that bin/run.js keeps: it may speed a start up, and must never do anything else. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, copyFixture, temporaryDirectory, type Outcome } from './ckpt.js'

const run = copyFixture('runs/nutshell')
const damaged = copyFixture('runs/asr_run_damaged')

function find(cache: string, env: Record<string, string> = {}): Promise<Outcome> {
  return ckpt(['find', run], { env: { XDG_CACHE_HOME: cache, ...env } })
}

function cachesIn(cache: string): string[] {
  return readdirSync(join(cache, 'ckpt')).map((name) => join(cache, 'ckpt', name))
}

async function filledCache(): Promise<{ cache: string; file: string; expected: Outcome }> {
  const cache = temporaryDirectory()
  const expected = await find(cache)
  expect(expected).toMatchObject({ status: 0, stderr: '' })
  const [file = ''] = cachesIn(cache)
  return { cache, file, expected }
}

describe('the cache of compiled code', () => {
  it('is written once, for its owner only, and used from then on', async () => {
    const { cache, file, expected } = await filledCache()
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(join(cache, 'ckpt')).mode & 0o777).toBe(0o700)
    const { ino } = statSync(file)
    expect(await find(cache)).toEqual(expected)
    expect(cachesIn(cache)).toEqual([file])
    expect(statSync(file).ino).toBe(ino)
  })

  it('is used also by a command that sets flags of V8 while it loads its parts', async () => {
    const file = join(temporaryDirectory(), 'model.safetensors')
    const tensor = { dtype: 'U8', shape: [1 << 21], data_offsets: [0, 1 << 21] }
    const header = Buffer.from(JSON.stringify({ weight: tensor }))
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(header.length))
    writeFileSync(file, Buffer.concat([length, header, Buffer.alloc(1 << 21)]))
    const cache = temporaryDirectory()
    const tensors = () => ckpt(['tensors', file], { env: { XDG_CACHE_HOME: cache } })
    expect((await tensors()).status).toBe(0)
    const inodes = () => cachesIn(cache).map((one) => statSync(one).ino)
    const first = inodes()
    expect((await tensors()).status).toBe(0)
    expect(inodes()).toEqual(first)
  })

  it.each([
    ['empty', () => Buffer.alloc(0)],
    ['cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length - 1000)],
    ['cut at its half', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
    ['zeros', (bytes: Buffer) => Buffer.alloc(bytes.length)],
    ['text of somebody else', () => Buffer.from('no code at all, no code at all, ')],
    ['flipped in its head', (bytes: Buffer) => flipped(bytes, 28)],
    ['flipped in its middle', (bytes: Buffer) => flipped(bytes, bytes.length / 4)],
    ['flipped in its second half', (bytes: Buffer) => flipped(bytes, (3 * bytes.length) / 4)],
  ])('does no harm when it is %s, and is written anew', async (_, damage) => {
    const { cache, file, expected } = await filledCache()
    const damaged = damage(readFileSync(file))
    writeFileSync(file, damaged)
    expect(await find(cache)).toEqual(expected)
    expect(readFileSync(file).equals(damaged)).toBe(false)
    expect(await find(cache)).toEqual(expected)
  })

  it('is not run when others may write it', async () => {
    const { cache, file, expected } = await filledCache()
    const { ino } = statSync(file)
    chmodSync(file, 0o666)
    expect(await find(cache)).toEqual(expected)
    expect(statSync(file).ino).not.toBe(ino)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('is not read through a link, which it takes the place of', async () => {
    const { cache, file, expected } = await filledCache()
    const elsewhere = join(temporaryDirectory(), 'download.bin')
    renameSync(file, elsewhere)
    symlinkSync(elsewhere, file)
    const { atimeMs } = statSync(elsewhere)
    expect(await find(cache)).toEqual(expected)
    expect(statSync(elsewhere).atimeMs).toBe(atimeMs)
    expect(lstatSync(file).isFile()).toBe(true)
  })

  it.each([
    ['others may write', (cache: string) => chmodSync(join(cache, 'ckpt'), 0o777)],
    ['the group may write', (cache: string) => chmodSync(join(cache, 'ckpt'), 0o770)],
    ['others could be put in the place of, in the folder above', (cache: string) => chmodSync(cache, 0o777)],
    ['is a link', (cache: string) => linkInstead(join(cache, 'ckpt'))],
  ])('is neither read nor written in a folder that %s', async (_, spoil) => {
    const { cache, file, expected } = await filledCache()
    writeFileSync(file, 'what ckpt did not write')
    spoil(cache)
    expect(await find(cache)).toEqual(expected)
    expect(readFileSync(file, 'utf8')).toBe('what ckpt did not write')
    expect(readdirSync(join(cache, 'ckpt'))).toHaveLength(1)
  })

  it('is used behind a link to the folder of caches, as long as that is safe', async () => {
    const { cache, file, expected } = await filledCache()
    const link = join(temporaryDirectory(), 'cache')
    symlinkSync(cache, link)
    const { ino } = statSync(file)
    expect(await find(link)).toEqual(expected)
    expect([cachesIn(cache), statSync(file).ino]).toEqual([[file], ino])
  })

  it('never writes through a link that lies where it writes', async () => {
    const { cache, file } = await filledCache()
    const precious = join(cache, 'precious')
    writeFileSync(precious, 'mine')
    writeFileSync(file, '')
    // Any process id may be the next one: a link for each of those that are likely.
    for (let id = process.pid; id < process.pid + 2000; id++) symlinkSync(precious, `${file}.${id}`)
    expect((await find(cache)).status).toBe(0)
    expect(readFileSync(precious, 'utf8')).toBe('mine')
  })

  it('is shared by starts at the same time', async () => {
    const cache = temporaryDirectory()
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => find(cache)))
    expect(new Set(outcomes.map((one) => JSON.stringify(one))).size).toBe(1)
    expect(outcomes[0]).toMatchObject({ status: 0, stderr: '' })
    expect(cachesIn(cache)).toHaveLength(1)
  })

  it('has nothing in it that a find without questions never comes to, with a pin beside the run too', async () => {
    const pinned = copyFixture('runs/nutshell')
    expect((await ckpt(['pin', pinned, '--best'])).status).toBe(0)
    for (const one of [run, pinned]) {
      const cache = temporaryDirectory()
      expect((await ckpt(['find', one], { env: { XDG_CACHE_HOME: cache } })).status).toBe(0)
      const [file = ''] = cachesIn(cache)
      expect(readFileSync(file, 'latin1').split('\n', 1)[0]).not.toContain('part-late')
    }
  })

  it('is one for each command, also of one that found damage', async () => {
    const { cache, file } = await filledCache()
    const before = readFileSync(file)
    const env = { XDG_CACHE_HOME: cache }
    expect((await ckpt(['list', run], { env })).status).toBe(0)
    expect((await ckpt(['verify', damaged], { env })).status).toBe(4)
    expect((await ckpt(['trash', 'list', run], { env })).status).toBe(0)
    const commands = cachesIn(cache).map((path) => path.slice(path.lastIndexOf('-') + 1))
    expect(commands.sort()).toEqual(['find', 'list', 'trash', 'verify'])
    expect(readFileSync(file).equals(before)).toBe(true)
  })

  it('has at most 12 MB with those of other commands and versions: those go that were not used for the longest time', async () => {
    const cache = temporaryDirectory()
    mkdirSync(join(cache, 'ckpt'))
    writeFileSync(join(cache, 'ckpt', 'unrelated'), '')
    const names = Array.from({ length: 5 }, (_, index) => `code-v20.0.${index + 1}-x64-0-find`)
    for (const [index, name] of names.entries()) {
      const old = join(cache, 'ckpt', name)
      writeFileSync(old, '')
      truncateSync(old, 6e6)
      utimesSync(old, index * 86_400, index * 86_400)
    }
    expect((await find(cache)).status).toBe(0)
    const left = readdirSync(join(cache, 'ckpt')).filter((name) => name.startsWith('code-'))
    expect(left.reduce((sum, name) => sum + statSync(join(cache, 'ckpt', name)).size, 0)).toBeLessThan(12e6)
    expect(names.filter((name) => left.includes(name))).toEqual(names.slice(4))
    expect(readdirSync(join(cache, 'ckpt'))).toContain('unrelated')
  })

  it('has the time of its last use, to the hour', async () => {
    const { cache, file } = await filledCache()
    for (const [age, isMarked] of [
      [7200, true],
      [600, false],
    ] as const) {
      const before = Math.floor(Date.now() / 1000) - age
      utimesSync(file, before, before)
      expect((await find(cache)).status).toBe(0)
      expect(statSync(file).mtimeMs / 1000 > before + 60).toBe(isMarked)
    }
  })

  it('is not kept of a command that failed, nor of help', async () => {
    const cache = temporaryDirectory()
    expect((await ckpt(['find', '/nowhere'], { env: { XDG_CACHE_HOME: cache } })).status).toBe(3)
    expect((await ckpt(['find', '--help'], { env: { XDG_CACHE_HOME: cache } })).status).toBe(0)
    expect(readdirSync(cache).includes('ckpt') ? cachesIn(cache) : []).toEqual([])
  })

  it.each([
    ['no home', { HOME: '', XDG_CACHE_HOME: '' }],
    ['a home that is not there', { HOME: '/nowhere/at/all', XDG_CACHE_HOME: '' }],
    ['a home that is a file', { HOME: import.meta.filename, XDG_CACHE_HOME: '' }],
    ['a home that nobody can write', { HOME: '/proc', XDG_CACHE_HOME: '' }],
    ['a relative cache folder', { HOME: '', XDG_CACHE_HOME: 'cache' }],
  ])('is missed in silence with %s', async (_, env) => {
    expect(await find('', env)).toMatchObject({ status: 0, stderr: '' })
  })
})

describe('what a short command loads', () => {
  it('is none of the parts of Node that take long', async () => {
    const folder = temporaryDirectory()
    const probe = join(folder, 'probe.cjs')
    const list = join(folder, 'loaded')
    writeFileSync(
      probe,
      `const before = new Set(process.moduleLoadList)
process.on('exit', () => require('fs').writeFileSync(${JSON.stringify(list)},
  process.moduleLoadList.filter((one) => !before.has(one)).join('\\n')))`,
    )
    await filledCache()
    const outcome = await ckpt(['find', run], { env: { NODE_OPTIONS: `--require ${probe}` } })
    expect(outcome).toMatchObject({ status: 0, stderr: '' })
    const slow = /^NativeModule (child_process|crypto|http|https|net|stream|tls|v8|worker_threads|zlib)$/
    expect(
      readFileSync(list, 'utf8')
        .split('\n')
        .filter((one) => slow.test(one)),
    ).toEqual([])
  })
})

function linkInstead(folder: string): void {
  renameSync(folder, `${folder}-kept`)
  symlinkSync(`${folder}-kept`, folder)
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[Math.floor(at)] = (copy[Math.floor(at)] ?? 0) ^ 0xff
  return copy
}
