/** Pins that lie where `--state DIR` said protect from a ckpt that is not told of it. */
import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Checkpoint, Run } from '../../../../src/core/checkpoint.js'
import { pin, pinsOf, unpin } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { Storage } from '../../../../src/core/storage/storage.js'
import { checkpointAt, filesBelow, makeRun, temporaryDirectory } from '../../changes/disposal/runs.js'
import { lockOptions, machine, owner } from '../../changes/state/machine.js'
import { neutralName } from '../../../../src/core/changes/state/index.js'

const isRoot = process.geteuid?.() === 0

interface Scene {
  readonly run: string
  readonly there: Run & { readonly checkpoints: readonly Checkpoint[] }
  /** What `--state` names; it is not there yet. */
  readonly elsewhere: string
  /** What names folders of protecting records, beside the run. */
  readonly beside: string
  readonly stateHome: string
  readonly storage: Storage
  readonly warnings: string[]
}

function scene(): Scene {
  const run = makeRun(['CKPT+a', 'CKPT+b'])
  const warnings: string[] = []
  const stateHome = join(temporaryDirectory(), 'state')
  const storage = localStorage({
    custody: { user: process.geteuid?.() ?? 0, stateHome, warn: (text) => void warnings.push(text) },
  })
  const there = { path: run, checkpoints: [checkpointAt(run, 'CKPT+a')] } as Run
  const beside = join(dirname(run), '.ckpt/save/elsewhere')
  return { run, there, elsewhere: join(temporaryDirectory(), 'state'), beside, stateHome, storage, warnings }
}

const lock = () => lockOptions(machine(owner()))

async function pinAt({ storage, run }: Scene, stateDirectory: string | undefined, name = 'CKPT+a') {
  await pin(storage, run, { names: [name], note: 'paper' }, { ...lock(), stateDirectory })
}

async function pinned({ storage, there }: Scene, stateDirectory?: string): Promise<string[]> {
  return [...(await pinsOf(storage, there, { stateDirectory })).keys()].sort()
}

describe('a pin in another state folder', () => {
  it('protects without --state, and with another one', async () => {
    const one = scene()
    await pinAt(one, one.elsewhere)
    expect(await pinned(one)).toEqual(['CKPT+a'])
    expect(await pinned(one, join(temporaryDirectory(), 'third'))).toEqual(['CKPT+a'])
  })

  it('protects beside those that lie beside the run, which protect where --state names a folder', async () => {
    const one = scene()
    await pinAt(one, undefined, 'CKPT+b')
    await pinAt(one, one.elsewhere)
    expect(await pinned(one)).toEqual(['CKPT+a', 'CKPT+b'])
    expect(await pinned(one, one.elsewhere)).toEqual(['CKPT+a', 'CKPT+b'])
  })

  it('is known by the real path of its folder', async () => {
    const one = scene()
    const link = join(temporaryDirectory(), 'link')
    fs.mkdirSync(one.elsewhere)
    fs.symlinkSync(one.elsewhere, link)
    await pinAt(one, link)
    fs.unlinkSync(link)
    expect(await pinned(one)).toEqual(['CKPT+a'])
  })

  it('is taken away with its name beside the run, and nothing is left', async () => {
    const one = scene()
    await pinAt(one, one.elsewhere)
    await unpin(one.storage, one.run, ['CKPT+a'], { ...lock(), stateDirectory: one.elsewhere })
    expect(await pinned(one)).toEqual([])
    expect(fs.existsSync(dirname(one.beside))).toBe(false)
    expect(fs.existsSync(one.elsewhere)).toBe(false)
  })

  it('is taken away only where it lies, with the command for that', async () => {
    const one = scene()
    await pinAt(one, one.elsewhere)
    await expect(unpin(one.storage, one.run, ['CKPT+a'], lock())).rejects.toMatchObject({
      code: 'refused',
      hint: `ckpt unpin ${join(one.run, 'CKPT+a')} --state ${one.elsewhere}`,
    })
    expect(await pinned(one)).toEqual(['CKPT+a'])
  })

  it('lets nothing be removed while its folder is not there', async () => {
    const one = scene()
    await pinAt(one, one.elsewhere)
    fs.renameSync(one.elsewhere, `${one.elsewhere}-away`)
    await expect(pinned(one)).rejects.toMatchObject({
      code: 'refused',
      hint: expect.stringContaining(`remove ${one.beside}/${neutralName(one.elsewhere)}.json`) as string,
    })
    fs.renameSync(`${one.elsewhere}-away`, one.elsewhere)
    expect(await pinned(one)).toEqual(['CKPT+a'])
  })

  it('is told with the very file that names its folder, whatever that is called', async () => {
    const one = scene()
    fs.mkdirSync(one.beside, { recursive: true })
    fs.writeFileSync(join(one.beside, 'planted.json'), JSON.stringify({ version: 1, folder: '/etc' }))
    await expect(pinned(one)).rejects.toMatchObject({
      code: 'refused',
      hint: expect.stringContaining(`remove ${one.beside}/planted.json`) as string,
    })
  })

  it.each(['can be changed by everyone', 'is a link'])('lets nothing be removed while its folder %s', async (what) => {
    const one = scene()
    await pinAt(one, one.elsewhere)
    const [inner = ''] = fs.readdirSync(one.elsewhere)
    const path = join(one.elsewhere, inner)
    if (what === 'is a link') {
      fs.renameSync(path, `${path}-moved`)
      fs.mkdirSync(join(temporaryDirectory(), 'empty'))
      fs.symlinkSync(join(temporaryDirectory(), 'empty'), path)
    } else fs.chmodSync(path, 0o777)
    await expect(pinned(one)).rejects.toMatchObject({ code: 'refused' })
  })

  it('is named in the folder of the user where nothing can be written beside the run, which is told', async () => {
    const one = scene()
    fs.writeFileSync(join(dirname(one.run), '.ckpt'), 'in the way')
    await pinAt(one, one.elsewhere)
    expect(one.warnings.join('\n')).toContain(`only a ckpt of yours knows of what lies in ${one.elsewhere}`)
    expect(await pinned(one)).toEqual(['CKPT+a'])
    await unpin(one.storage, one.run, ['CKPT+a'], { ...lock(), stateDirectory: one.elsewhere })
    expect(await pinned(one)).toEqual([])
    expect(filesBelow(one.stateHome)).toEqual({})
  })

  it('is refused where its folder can be named nowhere, and is not there then', async () => {
    const one = scene()
    fs.writeFileSync(join(dirname(one.run), '.ckpt'), 'in the way')
    fs.writeFileSync(one.stateHome, 'in the way')
    await expect(pinAt(one, one.elsewhere)).rejects.toMatchObject({ code: 'refused' })
    expect(fs.existsSync(one.elsewhere)).toBe(false)
  })
})

describe('a folder named beside the run by a stranger', () => {
  const name = (one: Scene, ...elsewhere: readonly unknown[]) => {
    fs.mkdirSync(one.beside, { recursive: true })
    for (const [index, folder] of elsewhere.entries()) {
      fs.writeFileSync(join(one.beside, `${index}.json`), JSON.stringify({ version: 1, folder }))
    }
  }

  it.each([['relative'], ['/a\0b'], [7], [`/${'x'.repeat(5000)}`]])(
    'is not a folder as %j: nothing goes',
    async (entry) => {
      const one = scene()
      name(one, entry)
      await expect(pinned(one)).rejects.toMatchObject({ code: 'damaged' })
    },
  )

  it('is one of 64 at most', async () => {
    const one = scene()
    name(one, ...Array.from({ length: 65 }, (_, index) => `/nowhere/${index}`))
    await expect(pinned(one)).rejects.toMatchObject({ code: 'damaged' })
  })

  it.each(['/', '/proc', '/dev'])('lets nothing go where it is %s, and changes nothing else', async (folder) => {
    const one = scene()
    name(one, folder)
    await expect(pinned(one)).rejects.toMatchObject({ code: 'refused' })
    const file = join(one.run, 'CKPT+a/CKPT.yaml')
    expect((await one.storage.read([file], 100))[0]?.ok).toBe(true)
  })

  it.runIf(isRoot)("is not read where it is somebody else's", async () => {
    const one = scene()
    await pinAt(one, one.elsewhere)
    const [inner = ''] = fs.readdirSync(one.elsewhere)
    fs.chownSync(join(one.elsewhere, inner), 12345, 12345)
    await expect(pinned(one)).rejects.toMatchObject({ code: 'refused' })
  })

  it('lets nothing be removed while a record that names its folder is too large, and says what to move away', async () => {
    const made = scene()
    fs.mkdirSync(made.beside, { recursive: true })
    fs.writeFileSync(join(made.beside, 'a.json'), '')
    fs.truncateSync(join(made.beside, 'a.json'), 20_000_000)
    await expect(pinned(made)).rejects.toMatchObject({
      code: 'damaged',
      message: expect.stringMatching(/a\.json: .*20000000 bytes/) as string,
      hint: expect.stringContaining('move it away') as string,
    })
  })

  it('counts in a folder that is trusted no more', async () => {
    const one = scene()
    await pinAt(one, one.elsewhere)
    fs.chmodSync(dirname(dirname(one.beside)), 0o777)
    expect(await pinned(one)).toEqual(['CKPT+a'])
  })
})
