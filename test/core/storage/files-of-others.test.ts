/** What the superuser reads in somebody's folder: no link of theirs lends them the superuser's eyes. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, describe, expect, it } from 'vitest'
import { userStorage } from '../../../src/machine/user-storage.js'

const nobody = 65_534
const root = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'ckpt-strangers-')))
fs.chmodSync(root, 0o755)
afterAll(() => fs.rmSync(root, { recursive: true, force: true }))

let count = 0

/** A run of nobody's with a file in it, and a file beside it that the superuser alone may read. */
function scene() {
  const place = join(root, `${(count += 1)}`)
  const run = join(place, 'run')
  fs.mkdirSync(join(run, 'ckpt'), { recursive: true })
  fs.mkdirSync(join(place, 'mine'), { mode: 0o700 })
  const secret = join(place, 'mine', 'secret')
  fs.writeFileSync(secret, 'secret')
  fs.writeFileSync(join(run, 'ckpt', 'model'), 'weights')
  for (const path of [run, join(run, 'ckpt'), join(run, 'ckpt', 'model')]) fs.chownSync(path, nobody, nobody)
  return { place, run, secret, storage: userStorage(() => undefined) }
}

function link(target: string, path: string): string {
  fs.symlinkSync(target, path)
  fs.lchownSync(path, nobody, nobody)
  return path
}

async function textOf(storage: ReturnType<typeof userStorage>, path: string): Promise<string> {
  const [read] = await storage.read([path], 100)
  return read?.ok === true ? Buffer.from(read.value).toString() : (read?.error.errno ?? '')
}

describe.runIf(process.geteuid?.() === 0)('in a run of somebody else the superuser', () => {
  it('reads what lies there, also what its owner could not, and by links within it', async () => {
    const { place, run, storage } = scene()
    fs.chmodSync(place, 0o700)
    fs.chownSync(join(run, 'ckpt', 'model'), 0, 0)
    fs.chmodSync(join(run, 'ckpt', 'model'), 0o600)
    const inside = link('ckpt', join(run, 'last'))
    expect(await textOf(storage, join(run, 'ckpt', 'model'))).toBe('weights')
    expect(await textOf(storage, join(inside, 'model'))).toBe('weights')
    expect((await storage.list([inside]))[0]).toMatchObject({ ok: true, value: [{ name: 'model' }] })
  })

  it('reads by links what everybody may read, and what is in a group of the owner', async () => {
    const { place, run, secret, storage } = scene()
    const shared = join(place, 'shared')
    fs.writeFileSync(shared, 'shared')
    expect(await textOf(storage, link(shared, join(run, 'ckpt', 'a')))).toBe('shared')
    fs.chmodSync(dirname(secret), 0o750)
    fs.chmodSync(secret, 0o640)
    fs.chownSync(dirname(secret), 0, nobody)
    fs.chownSync(secret, 0, nobody)
    expect(await textOf(storage, link(secret, join(run, 'ckpt', 'b')))).toBe('secret')
  })

  it('reads nothing by a link that its owner could not: a file, one in a folder, one in a folder of links', async () => {
    const { place, run, secret, storage } = scene()
    const folder = link(dirname(secret), join(run, 'CKPT+a'))
    const whole = link(run, join(place, 'current'))
    const paths = [
      link(secret, join(run, 'ckpt', 'vocab.txt')),
      join(folder, 'secret'),
      join(whole, 'CKPT+a', 'secret'),
    ]
    for (const path of paths) {
      expect(await textOf(storage, path)).toBe('EACCES')
      await expect(storage.open(path)).rejects.toMatchObject({ errno: 'EACCES' })
      await expect(storage.copyFile(path, join(place, 'copy'))).rejects.toMatchObject({ errno: 'EACCES' })
      const [swept] = await storage.sweep(async () => [{ path, size: 6, ranges: [], sha256: true }])
      expect(swept).toMatchObject({ ok: false, error: { errno: 'EACCES' } })
    }
    expect((await storage.list([folder]))[0]).toMatchObject({ ok: false, error: { errno: 'EACCES' } })
    expect(fs.existsSync(join(place, 'copy'))).toBe(false)
  })

  it("nor by a link of somebody's where everybody may put names, nor by a second name of the file", async () => {
    const { place, run, secret, storage } = scene()
    fs.chmodSync(place, 0o1777)
    expect(await textOf(storage, link(secret, join(place, 'x.safetensors')))).toBe('EACCES')
    fs.chmodSync(secret, 0o600)
    fs.linkSync(secret, join(run, 'ckpt', 'second'))
    expect(await textOf(storage, join(run, 'ckpt', 'second'))).toBe('EACCES')
  })

  it('opens no device by a link, and waits for no pipe', async () => {
    const { run, storage } = scene()
    execFileSync('mkfifo', ['-m', '666', join(run, 'ckpt', 'pipe')])
    expect(await textOf(storage, join(run, 'ckpt', 'pipe'))).toBe('EINVAL')
    await expect(storage.copyFile(join(run, 'ckpt', 'pipe'), join(run, 'ckpt', 'copy'))).rejects.toMatchObject({
      errno: 'EINVAL',
    })
  })

  it("by a link of its own reads nothing that it could not by somebody's behind it", async () => {
    const { place, run, secret, storage } = scene()
    const theirs = link(dirname(secret), join(run, 'best'))
    const own = join(place, 'best')
    fs.symlinkSync(join('run', 'best'), own)
    expect(await textOf(storage, join(own, 'secret'))).toBe('EACCES')
    expect((await storage.list([own]))[0]).toMatchObject({ ok: false, error: { errno: 'EACCES' } })
    fs.unlinkSync(theirs)
    link('ckpt', theirs)
    expect(await textOf(storage, join(own, 'model'))).toBe('weights')
    const loop = join(place, 'loop')
    fs.symlinkSync('loop', loop)
    expect(await textOf(storage, join(loop, 'model'))).toBe('ELOOP')
  })

  it("takes a folder for nobody else's only as long as it is", async () => {
    const { run, secret, storage } = scene()
    const folder = join(run, 'ckpt')
    for (const path of [run, folder]) fs.chownSync(path, 0, 0)
    expect(await textOf(storage, join(folder, 'model'))).toBe('weights')
    for (const path of [run, folder]) fs.chownSync(path, nobody, nobody)
    expect(await textOf(storage, link(secret, join(folder, 'vocab.txt')))).toBe('EACCES')
  })

  it('once it has listed the folder above reads files, and neither by links nor by second names', async () => {
    const { place, run, secret, storage } = scene()
    fs.writeFileSync(join(run, 'own'), 'own')
    fs.chmodSync(secret, 0o600)
    fs.linkSync(secret, join(run, 'second'))
    fs.linkSync(secret, join(dirname(secret), 'again'))
    link(secret, join(run, 'link'))
    const listed = await storage.list([place])
    expect(listed[0]?.ok).toBe(true)
    expect(await textOf(storage, join(run, 'own'))).toBe('own')
    expect(await textOf(storage, join(dirname(secret), 'again'))).toBe('secret')
    expect(await textOf(storage, join(run, 'second'))).toBe('EACCES')
    expect(await textOf(storage, join(run, 'link'))).toBe('EACCES')
    fs.renameSync(run, join(place, 'away'))
    link(dirname(secret), run)
    expect(await textOf(storage, join(run, 'secret'))).toBe('EACCES')
  })

  it('reads what the kernel alone names', async () => {
    const { run, storage } = scene()
    const fd = fs.openSync(join(run, 'ckpt', 'model'), 'r')
    expect(await textOf(storage, `/proc/self/fd/${fd}`)).toBe('weights')
    fs.closeSync(fd)
    expect(await textOf(storage, '/proc/self/comm')).not.toBe('')
  })

  it.each([
    ['a folder of theirs', async () => undefined],
    [
      'one where everybody may put names',
      async ({ run }: ReturnType<typeof scene>) => {
        fs.chownSync(run, 0, 0)
        fs.chmodSync(run, 0o777)
      },
    ],
    [
      'one that was listed from above',
      async ({ place, storage }: ReturnType<typeof scene>) => {
        await storage.list([place])
      },
    ],
  ])(
    'while a file and a folder in %s are swapped for links a thousand times, never reads what is behind them',
    async (_, prepare) => {
      const made = scene()
      const { run, secret, storage } = made
      const targets = [
        [join(run, 'ckpt', 'model'), secret],
        [join(run, 'ckpt'), dirname(secret)],
        [join(run, 'own'), secret],
      ]
      fs.writeFileSync(join(run, 'own'), 'weights')
      fs.writeFileSync(join(run, 'ckpt', 'secret'), 'weights')
      await prepare(made)
      const seen = await whileSwapped(targets, async (seen) => {
        for (const path of [join(run, 'ckpt', 'model'), join(run, 'ckpt', 'secret'), join(run, 'own')]) {
          await storage.list([dirname(path)])
          seen.add(await textOf(storage, path))
          const copy = join(dirname(run), 'copy')
          await storage.copyFile(path, copy).then(
            () => seen.add(fs.readFileSync(copy, 'utf8')),
            () => undefined,
          )
          fs.rmSync(copy, { force: true })
        }
      })
      expect(seen).toContain('weights')
      expect(seen).not.toContain('secret')
    },
    60_000,
  )
})

/** What `look` has seen while each path was swapped for a link of nobody's, a thousand times in all. */
async function whileSwapped(
  targets: readonly (readonly string[])[],
  look: (seen: Set<string>) => Promise<void>,
): Promise<Set<string>> {
  const control = new Int32Array(new SharedArrayBuffer(8))
  const worker = new Worker(swapper, { eval: true, workerData: { targets, control: control.buffer } })
  const seen = new Set<string>()
  while (Atomics.load(control, 0) < 1000) await look(seen)
  Atomics.store(control, 1, 1)
  await worker.terminate()
  return seen
}

/** `control` is [swaps so far, 1 once it shall end]. While this process is somebody else for a moment, so is the thread. */
const swapper = `
const { workerData: { targets, control: shared } } = require('node:worker_threads')
const fs = require('node:fs')
const control = new Int32Array(shared)
const attempt = (call) => { try { call(); return true } catch { return false } }
while (Atomics.load(control, 1) === 0) {
  for (const [path, secret] of targets) {
    if (attempt(() => fs.renameSync(path, path + '.away'))) {
      const link = path + '.link'
      attempt(() => fs.unlinkSync(link))
      if ([() => fs.symlinkSync(secret, link), () => fs.lchownSync(link, ${nobody}, ${nobody}), () => fs.renameSync(link, path)].every(attempt)) Atomics.add(control, 0, 1)
    }
    for (let spin = Math.random() * 20000; spin > 0; spin -= 1);
    if (attempt(() => fs.readlinkSync(path))) attempt(() => fs.unlinkSync(path))
    attempt(() => fs.renameSync(path + '.away', path))
    for (let spin = Math.random() * 20000; spin > 0; spin -= 1);
  }
}`
