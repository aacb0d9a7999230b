/** What is remembered where `--state DIR` said is known to a ckpt that is not told of it, and the other way round. */
import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Run } from '../../../../src/core/checkpoint.js'
import { Journal, readJournal } from '../../../../src/core/changes/journal/index.js'
import {
  acquireLock,
  makeInside,
  stateFolderOf,
  writeDemotion,
  writeGroupMove,
  writeTrashRecord,
  type Demotion,
} from '../../../../src/core/changes/state/index.js'
import { halfElsewhere, withDemotions } from '../../../../src/core/runs/opening/run-with-state.js'
import { trashElsewhere } from '../../../../src/core/runs/from-trash/run-trash.js'
import { setAside, setAsideReasons } from '../../../../src/core/runs/protecting/set-aside.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { checkpointAt, makeRun, temporaryDirectory } from '../../changes/disposal/runs.js'
import { lockOptions, machine, owner } from '../../changes/state/machine.js'

function scene() {
  const run = makeRun(['CKPT+a', 'CKPT+b'])
  const warnings: string[] = []
  const stateHome = join(temporaryDirectory(), 'state')
  const user = process.geteuid?.() ?? 0
  const storage = localStorage({ custody: { user, stateHome, warn: (text) => void warnings.push(text) } })
  const there: Run = { path: run, checkpoints: ['CKPT+a', 'CKPT+b'].map((name) => checkpointAt(run, name)) }
  return { run, there, storage, warnings, elsewhere: join(temporaryDirectory(), 'state') }
}

type Scene = ReturnType<typeof scene>

const lock = () => lockOptions(machine(owner()))

async function demote({ storage, run }: Scene, stateDirectory?: string): Promise<void> {
  const state = await stateFolderOf(storage, run, stateDirectory)
  const held = await acquireLock(storage, state, lock())
  const dropped = [{ name: 'optimizer.ckpt', key: 'optimizer', inode: '1', size: 1, modified: 1 }]
  const demotion: Demotion = { name: 'CKPT+a', time: 1, modified: 1, dropped, finished: true }
  await writeDemotion(storage, state, demotion)
  await held.release()
}

async function demoted({ storage, there }: Scene, stateDirectory?: string): Promise<string[]> {
  const { checkpoints } = await withDemotions(storage, there, { stateDirectory })
  return checkpoints.filter((one) => one.demoted !== undefined).map(({ name }) => name)
}

const places = ['beside the run', 'where --state says'] as const

describe.each(places)('what is remembered %s', (place) => {
  const isBeside = place === 'beside the run'
  /** Where it is written, and from where it is asked for. */
  const ways = ({ elsewhere }: Scene): readonly [string | undefined, string | undefined] =>
    isBeside ? [undefined, elsewhere] : [elsewhere, undefined]

  it('of a demotion is known from everywhere', async () => {
    const one = scene()
    const [written, asked] = ways(one)
    await demote(one, written)
    expect(await demoted(one, written)).toEqual(['CKPT+a'])
    expect(await demoted(one, asked)).toEqual(['CKPT+a'])
    expect(await demoted(one, join(temporaryDirectory(), 'third'))).toEqual(['CKPT+a'])
  })

  it('of a checkpoint set aside is known from everywhere', async () => {
    const one = scene()
    const [written, asked] = ways(one)
    await setAside(one.storage, checkpointAt(one.run, 'CKPT+a'), 3, { ...lock(), stateDirectory: written })
    expect([...(await setAsideReasons(one.storage, one.there, { stateDirectory: asked })).keys()]).toEqual(['CKPT+a'])
  })

  it('of the journal is known from everywhere, in the order of time', async () => {
    const one = scene()
    const [written, asked] = ways(one)
    const write = async (at: string | undefined, time: number) => {
      const state = await stateFolderOf(one.storage, one.run, at)
      const journal = await Journal.open(one.storage, state, (error) => {
        throw error
      })
      await journal.add({ what: 'stays', time, name: 'CKPT+a' })
    }
    await write(written, 1)
    await write(asked, 2)
    await write(written, 3)
    const { entries } = await readJournal(one.storage, await stateFolderOf(one.storage, one.run, asked))
    expect(entries.map(({ time }) => time)).toEqual([1, 2, 3])
  })

  it('of the trash is told with the flag that leads to it', async () => {
    const one = scene()
    const [written, asked] = ways(one)
    const folder = await makeInside(one.storage, await stateFolderOf(one.storage, one.run, written), 'trash')
    const at = join(folder, 'bcdfghjlmnpqrstv0')
    fs.renameSync(join(one.run, 'CKPT+a'), at)
    const record = { name: 'CKPT+a', time: 1, reason: '', layout: 'speechbrain', kind: 'directory' } as const
    await writeTrashRecord(one.storage, at, { ...record, members: [], size: 1, namedBy: [] })
    const [other] = await trashElsewhere(one.storage, one.run, asked)
    expect(other?.entries.map(({ name }) => name)).toEqual(['CKPT+a'])
    expect(other?.flag).toBe(isBeside ? '(without --state)' : `--state ${one.elsewhere}`)
  })

  it('of a group that is half away keeps the other half from a ckpt that cannot give it back', async () => {
    const one = scene()
    const [written, asked] = ways(one)
    const state = await stateFolderOf(one.storage, one.run, written)
    const members = [{ name: 'CKPT+a', inode: '1' }]
    await writeGroupMove(one.storage, state, {
      name: 'CKPT+a',
      at: 'trash/bcdfghjlmnpqrstv0',
      isBeside: false,
      members,
    })
    const kept = await halfElsewhere(one.storage, one.there, { stateDirectory: asked })
    expect([...kept.keys()]).toEqual(['CKPT+a'])
    expect((await halfElsewhere(one.storage, one.there, { stateDirectory: written })).size).toBe(0)
  })
})

describe('a folder that --state named', () => {
  it('is known by its real path, also where it was made by that command through a link', async () => {
    const one = scene()
    const real = temporaryDirectory()
    const link = join(temporaryDirectory(), 'link')
    fs.symlinkSync(real, link)
    await demote(one, join(link, 'state'))
    fs.unlinkSync(link)
    expect(await demoted(one)).toEqual(['CKPT+a'])
  })

  it('is forgotten beside the run once ckpt has removed it as empty, and nothing is left', async () => {
    const one = scene()
    const state = await stateFolderOf(one.storage, one.run, one.elsewhere)
    const held = await acquireLock(one.storage, state, lock())
    expect(fs.existsSync(join(dirname(one.run), '.ckpt/save/also'))).toBe(true)
    await held.release()
    expect(fs.existsSync(join(dirname(one.run), '.ckpt'))).toBe(false)
    expect(fs.existsSync(one.elsewhere)).toBe(false)
  })

  it('may go without harm where only its journal was there', async () => {
    const one = scene()
    const state = await stateFolderOf(one.storage, one.run, one.elsewhere)
    await (await Journal.open(one.storage, state, () => undefined)).add({ what: 'stays', time: 1, name: 'CKPT+a' })
    fs.rmSync(one.elsewhere, { recursive: true })
    expect(await demoted(one)).toEqual([])
    expect(one.warnings).toEqual([])
  })

  it('takes no demotion that no other ckpt could know of', async () => {
    const one = scene()
    fs.writeFileSync(join(dirname(one.run), '.ckpt'), 'in the way')
    fs.mkdirSync(dirname(one.storage.custody.stateHome ?? ''), { recursive: true })
    fs.writeFileSync(one.storage.custody.stateHome ?? '', 'in the way')
    await expect(demote(one, one.elsewhere)).rejects.toMatchObject({ code: 'refused' })
    expect(await demoted(one, one.elsewhere)).toEqual([])
  })

  it.each(['can be changed by everyone', 'is a link'])('is not believed where it %s', async (what) => {
    const one = scene()
    await demote(one, one.elsewhere)
    const path = join(one.elsewhere, fs.readdirSync(one.elsewhere)[0] ?? '')
    if (what === 'is a link') {
      fs.renameSync(path, `${path}-moved`)
      fs.symlinkSync(`${path}-moved`, path)
    } else fs.chmodSync(path, 0o777)
    expect(await demoted(one)).toEqual([])
    expect(one.warnings.join('\n')).toContain('what ckpt remembers there of this run is not known')
  })
})
