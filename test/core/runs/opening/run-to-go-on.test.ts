import { describe, expect, it } from 'vitest'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { openRunToGoOn, openRunToGoOnIfAny } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { copyFixture, fixtures, makeFolder } from '../../checkpoints/layouts/folders.js'

const ignite = join(fixtures, 'frameworks/ignite/run')

describe('the run that a job goes on from', () => {
  it('is the only one below the folder that has more than weights, and the others are told', async () => {
    const { run, weightsAlone } = await openRunToGoOn(localStorage(), ignite)
    expect(run.path).toBe(join(ignite, 'training'))
    expect(weightsAlone.map(({ path }) => path)).toEqual([join(ignite, 'best')])
  })

  it('is a folder below one whose own checkpoints are weights alone', async () => {
    const root = join(fixtures, 'frameworks/torch_plain/run')
    const { run, weightsAlone } = await openRunToGoOn(localStorage(), root)
    expect([run.path, weightsAlone.map(({ path }) => path)]).toEqual([join(root, 'checkpoints'), [root]])
  })

  it('is the folder itself where something in it can be gone on from, whatever lies below', async () => {
    const root = copyFixture('frameworks/ignite/run/training')
    cpSync(join(ignite, 'training'), join(root, 'older'), { recursive: true })
    const { run, weightsAlone } = await openRunToGoOn(localStorage(), root)
    expect([run.path, weightsAlone]).toEqual([root, []])
  })

  it('is the folder itself where there are weights alone and nothing else', async () => {
    const root = copyFixture('frameworks/ignite/run/best')
    expect((await openRunToGoOn(localStorage(), root)).run.path).toBe(root)
  })

  it('is refused where several could be meant', async () => {
    const root = makeFolder()
    for (const name of ['a', 'b']) cpSync(join(ignite, 'training'), join(root, name), { recursive: true })
    await expect(openRunToGoOn(localStorage(), root)).rejects.toMatchObject({ code: 'refused' })
  })

  it('is none where nothing was saved yet', async () => {
    expect(await openRunToGoOnIfAny(localStorage(), makeFolder())).toBeNull()
  })
})
