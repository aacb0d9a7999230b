/** A record that would explain what a checkpoint lacks keeps it, also where it cannot be read or is not trusted. */
import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { stateFolderOf, unreadRecordsOf, writeDemotion } from '../../../../src/core/changes/state/index.js'
import { openRun, planPrune } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { write } from '../../checkpoints/layouts/folders.js'
import { temporaryDirectory } from '../../changes/disposal/runs.js'

const context = { now: 1e9, wait: async () => undefined, utcOffset: () => 0 }

/** CKPT+3 is demoted, CKPT+5 damaged, the others are whole. */
async function scene(stateDirectory?: string) {
  const run = join(temporaryDirectory(), 'save')
  for (const number of [1, 2, 3, 4, 5, 6, 7]) {
    const files = { 'CKPT.yaml': `unixtime: ${number}.0\n`, 'model.ckpt': 'm', 'optimizer.ckpt': 'o' }
    for (const [name, text] of Object.entries(files)) write(run, { [`CKPT+${number}/${name}`]: text })
  }
  fs.rmSync(join(run, 'CKPT+3/optimizer.ckpt'))
  fs.rmSync(join(run, 'CKPT+5/model.ckpt'))
  const warnings: string[] = []
  const custody = {
    user: process.geteuid?.() ?? 0,
    stateHome: temporaryDirectory(),
    warn: (text: string) => void warnings.push(text),
  }
  const storage = localStorage({ custody })
  const state = await stateFolderOf(storage, run, stateDirectory)
  const dropped = [{ name: 'optimizer.ckpt', key: 'optimizer', inode: '1', size: 1, modified: 1 }]
  const record = { name: 'CKPT+3', time: 1, modified: 1, dropped, finished: true }
  const path = await writeDemotion(storage, state, record)
  return { run, state, path, warnings, storage: localStorage({ custody }) }
}

type Scene = Awaited<ReturnType<typeof scene>>

async function damagedOnes({ storage, run }: Scene, stateDirectory?: string) {
  const request = { query: { orders: [], where: [] }, removeDamaged: true }
  const { keep, remove } = await planPrune(storage, await openRun(storage, run, { stateDirectory }), request, {
    ...context,
    stateDirectory,
  })
  const stays = new Map(
    keep.map(({ checkpoint, reasons }) => [checkpoint.name, reasons.map(({ text }) => text).join()]),
  )
  return { goes: remove.map(({ checkpoint }) => checkpoint.name), why: stays.get('CKPT+3') ?? '' }
}

describe('a demoted checkpoint is not removed as damaged', () => {
  it('where its record can be read', async () => {
    expect((await damagedOnes(await scene())).goes).toEqual(['CKPT+5'])
  })

  it.each(['the whole of what ckpt remembers', 'the folder of these records'])(
    'where everybody may change %s',
    async (what) => {
      const one = await scene()
      fs.chmodSync(what.startsWith('the whole') ? one.state.path : dirname(one.path), 0o777)
      const { goes, why } = await damagedOnes(one).catch((error: unknown) => ({ goes: [], why: String(error) }))
      expect(goes).not.toContain('CKPT+3')
      expect(why).toMatch(/is not trusted|can be changed by everyone/)
    },
  )

  it('where its record is torn, which does not keep the damaged one beside it', async () => {
    const one = await scene()
    fs.truncateSync(one.path, 20)
    const { goes, why } = await damagedOnes(one)
    expect(goes).toEqual(['CKPT+5'])
    expect(why).toContain('perhaps ckpt itself took what it lacks')
  })

  it('where the torn record lies in a folder that --state named once', async () => {
    const one = await scene(join(temporaryDirectory(), 'state'))
    fs.truncateSync(one.path, 20)
    expect((await damagedOnes(one)).goes).toEqual(['CKPT+5'])
  })

  it('where another folder is named because that beside the run is not trusted', async () => {
    const one = await scene()
    fs.chmodSync(one.state.path, 0o777)
    expect((await damagedOnes(one, join(temporaryDirectory(), 'state'))).goes).toEqual(['CKPT+5'])
  })
})

describe('what cannot be listed', () => {
  it('lets nothing go as damaged', async () => {
    const one = await scene()
    fs.rmSync(dirname(one.path), { recursive: true })
    fs.symlinkSync(one.run, dirname(one.path))
    const state = await stateFolderOf(one.storage, one.run)
    await expect(unreadRecordsOf(one.storage, one.run, state, ['CKPT+3'])).rejects.toMatchObject({
      code: 'refused',
    })
  })
})
