/** What every storage promises of reading, whatever lies there. Changes are tested where they are made, with faults. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StorageError } from '../../../src/core/errors.js'
import { ScanTree } from '../../../src/core/checkpoints/layouts/scan-tree.js'
import { statesIn } from '../../../src/core/storage/file-states.js'
import { localStorage } from '../../../src/core/storage/local.js'
import type { ReadStorage, Result } from '../../../src/core/storage/storage.js'
import { asUser } from '../../as-user.js'
import { faultyStorage } from '../../faulty-storage.js'

const kept = 'kept\n'
const many = 100_000

/** Names that break what is put together by hand. */
const hostile = [
  ...[
    'a\nb',
    '\u001b[31mred',
    ' lead',
    'trail ',
    "it's",
    '"',
    '$(id)',
    '`',
    '*',
    '-rf',
    '--json',
    'a\\b',
    'é',
    'e\u0301',
  ],
  ...['\u202Eflip', '.hidden', '...', 'constructor', '__proto__', 'toString', 'a'.repeat(255), '🙂'],
]

let root = ''
const at = (name: string): string => join(root, name)

beforeAll(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'ckpt-storage-')))
  chmodSync(root, 0o755)
  writeFileSync(at('file'), kept)
  writeFileSync(at('empty'), '')
  writeFileSync(at('cut'), 'x'.repeat(4096))
  truncateSync(at('cut'), 10)
  execFileSync('mkfifo', [at('pipe')])
  symlinkSync('nowhere', at('dangling'))
  symlinkSync('round', at('round'))
  symlinkSync('file', at('link'))
  mkdirSync(at('folder'))
  mkdirSync(at('hostile'))
  for (const name of hostile) writeFileSync(join(at('hostile'), name), kept)
  writeFileSync(at('secret'), kept, { mode: 0 })
  mkdirSync(at('closed'), { mode: 0 })
  mkdirSync(at('many'))
  for (let index = 0; index < many; index += 1) writeFileSync(join(at('many'), `n${index}`), '')
}, 120_000)

afterAll(() => {
  chmodSync(at('closed'), 0o700)
  rmSync(root, { recursive: true })
}, 120_000)

const storages: Readonly<Record<string, () => ReadStorage>> = {
  'the disk': () => localStorage(),
  'the tree of one scan': () => new ScanTree(localStorage()),
  'one whose changes may fail': () => faultyStorage(localStorage()).storage,
}

function errnoIn(result: Result<unknown> | undefined): string {
  if (result?.ok !== false) return 'none'
  expect(result.error).toBeInstanceOf(StorageError)
  return result.error.errno
}

async function errnoOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => null).catch((thrown: unknown) => thrown)
  expect(error === null || error instanceof StorageError).toBe(true)
  return error instanceof StorageError ? error.errno : 'none'
}

describe.each(Object.entries(storages))('%s', (_, make) => {
  it('reads, opens and looks at a file, and at what a link leads to', async () => {
    const storage = make()
    for (const name of ['file', 'link']) {
      const [bytes] = await storage.read([at(name)], 100)
      expect(bytes?.ok === true && Buffer.from(bytes.value).toString()).toBe(kept)
      const [stat] = await storage.stat([at(name)])
      expect(stat?.ok === true && [stat.value.kind, stat.value.size]).toEqual(['file', kept.length])
      const handle = await storage.open(at(name))
      expect(handle.size).toBe(kept.length)
      await handle.close()
      const [real] = await storage.resolve([at(name)])
      expect(real).toEqual({ ok: true, value: at('file') })
    }
    const [link] = await storage.lstat([at('link')])
    expect(link?.ok === true && link.value.kind).toBe('link')
  })

  it('tells the states of many files in the numbers that a look at each tells', async () => {
    const storage = make()
    const paths = ['file', 'absent', 'link', 'folder', 'pipe', 'file/within'].map(at)
    const states = (await storage.states?.(paths)) ?? statesIn(await storage.lstat(paths))
    expect(states.failed.map(({ index, error }) => [index, error.errno])).toEqual([
      [1, 'ENOENT'],
      [5, 'ENOTDIR'],
    ])
    const looks = ['file', 'link', 'folder', 'pipe'].map((name) => lstatSync(at(name), { bigint: true }))
    const numbers = looks.flatMap(({ dev, ino, size, mtimeNs, ctimeNs }) => [dev, ino, size, mtimeNs, ctimeNs])
    expect([...states.numbers]).toEqual(numbers)
    const times = looks.flatMap(({ mtimeNs, ctimeNs }) => [mtimeNs, ctimeNs])
    expect(states.newest).toBe(times.reduce((a, b) => (a > b ? a : b)))
  })

  it.each([
    // What stands there, and what reading, opening and listing it come to.
    ['absent', 'ENOENT', 'ENOENT', 'ENOENT'],
    ['dangling', 'ENOENT', 'ENOENT', 'ENOENT'],
    ['round', 'ELOOP', 'ELOOP', 'ELOOP'],
    ['folder', 'EISDIR', 'EISDIR', 'none'],
    ['file', 'none', 'none', 'ENOTDIR'],
    ['empty', 'none', 'none', 'ENOTDIR'],
    ['cut', 'none', 'none', 'ENOTDIR'],
  ])('answers for %s', async (name, read, open, list) => {
    const storage = make()
    expect(errnoIn((await storage.read([at(name)], 100))[0])).toBe(read)
    expect(await errnoOf(storage.open(at(name)).then((handle) => handle.close()))).toBe(open)
    expect(errnoIn((await storage.list([at(name)]))[0])).toBe(list)
  })

  it('waits for no pipe, and says what it is', async () => {
    const storage = make()
    expect(errnoIn((await storage.read([at('pipe')], 100))[0])).not.toBe('none')
    expect(await errnoOf(storage.open(at('pipe')))).not.toBe('none')
    const [stat] = await storage.stat([at('pipe')])
    expect(stat?.ok === true && stat.value.kind).toBe('other')
  })

  it('gives nothing of a file over the limit', async () => {
    expect(errnoIn((await make().read([at('file')], kept.length - 1))[0])).toBe('EFBIG')
  })

  it('answers for each path: one failure hides no other answer', async () => {
    const storage = make()
    const read = await storage.read([at('absent'), at('file'), at('folder'), at('empty')], 100)
    expect(read.map(({ ok }) => ok)).toEqual([false, true, false, true])
    const stats = await storage.stat([at('dangling'), at('file')])
    expect(stats.map(({ ok }) => ok)).toEqual([false, true])
    const lists = await storage.list([at('absent'), at('folder')])
    expect(lists.map(({ ok }) => ok)).toEqual([false, true])
  })

  it('says what the system refuses a user', async () => {
    const answers = await asUser(async () => {
      const storage = make()
      const [read] = await storage.read([at('secret')], 100)
      const [list] = await storage.list([at('closed')])
      const [inside] = await storage.stat([join(at('closed'), 'x')])
      return [errnoIn(read), await errnoOf(storage.open(at('secret'))), errnoIn(list), errnoIn(inside)]
    })
    expect(answers).toEqual(['EACCES', 'EACCES', 'EACCES', 'EACCES'])
  })

  it('gives names as they are, and reads by them', async () => {
    const storage = make()
    const [listing] = await storage.list([at('hostile')])
    const names = listing?.ok === true ? listing.value.map(({ name }) => name) : []
    expect(names.toSorted()).toEqual(hostile.toSorted())
    const read = await storage.read(
      names.map((name) => join(at('hostile'), name)),
      100,
    )
    expect(read.every(({ ok }) => ok)).toBe(true)
  })

  it('lists a hundred thousand names in one call', async () => {
    const [listing] = await make().list([at('many')])
    expect(listing?.ok === true && new Set(listing.value.map(({ name }) => name)).size).toBe(many)
  })

  it('answers for a file that vanishes while it is open by what was there', async () => {
    const storage = make()
    writeFileSync(at('vanishing'), kept)
    const handle = await storage.open(at('vanishing'))
    rmSync(at('vanishing'))
    const into = new Uint8Array(kept.length)
    expect(await handle.read(into, 0)).toBe(kept.length)
    expect(await handle.read(into, kept.length)).toBe(0)
    await handle.close()
    expect(errnoIn((await storage.read([at('vanishing')], 100))[0])).toBe('ENOENT')
  })
})

describe('the tree of one scan', () => {
  it('lists each folder, and looks at each path, once', async () => {
    const calls: string[] = []
    const disk = localStorage()
    const tree = new ScanTree({
      ...disk,
      list: (paths) => (calls.push(...paths.map((path) => `list ${path}`)), disk.list(paths)),
      stat: (paths) => (calls.push(...paths.map((path) => `stat ${path}`)), disk.stat(paths)),
    })
    const folders = [at('folder'), at('hostile'), at('absent')]
    const first = await tree.list(folders)
    expect(await tree.list(folders.toReversed())).toEqual(first.toReversed())
    await tree.stat([at('file'), at('link')])
    await tree.stat([at('link'), at('folder'), at('file')])
    expect(calls).toEqual([
      ...folders.map((path) => `list ${path}`),
      ...['file', 'link', 'folder'].map((name) => `stat ${at(name)}`),
    ])
  })
})

it('the times of folders are relied upon on no file system of a program, and nowhere that is not there', () => {
  const storage = localStorage()
  expect([storage.foldersTellChanges?.('/proc'), storage.foldersTellChanges?.('/is/not/there')]).toEqual([false, false])
})
