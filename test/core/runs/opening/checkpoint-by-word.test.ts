import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findFile, openCheckpoint, openNamed } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeFolder, write } from '../../checkpoints/layouts/folders.js'

const storage = localStorage()

function makeRun(metas: Readonly<Record<string, string>>, folder = 'exp/save'): string {
  const root = makeFolder()
  for (const [name, meta] of Object.entries(metas)) {
    write(root, { [`${folder}/${name}/CKPT.yaml`]: meta, [`${folder}/${name}/model.ckpt`]: 'x' })
  }
  return root
}

const byLoss = {
  'CKPT+a': 'unixtime: 1.0\nend-of-epoch: true\nloss: 3.0\n',
  'CKPT+b': 'unixtime: 2.0\nend-of-epoch: true\nloss: 1.0\n',
  'CKPT+c': 'unixtime: 3.0\nend-of-epoch: true\nloss: 2.0\n',
}

const nameOf = async (argument: string, base: string) => (await openCheckpoint(storage, argument, base)).checkpoint.name

describe('latest and best where a checkpoint is named', () => {
  const root = makeRun(byLoss)

  it.each([
    ['latest', 'exp/save', 'CKPT+c'],
    ['best', 'exp/save', 'CKPT+b'],
    ['latest', '.', 'CKPT+c'],
    ['exp/latest', '.', 'CKPT+c'],
    ['exp/save/best', '.', 'CKPT+b'],
    ['../save/best', 'exp/save', 'CKPT+b'],
  ])('%s from %s', async (argument, base, name) => {
    expect(await nameOf(argument, join(root, base))).toBe(name)
    const named = await openNamed(storage, argument, join(root, base))
    expect(named.kind === 'checkpoint' && named.checkpoint.name).toBe(name)
  })

  it('are those of a run by an absolute path too', async () => {
    expect(await nameOf(join(root, 'exp/latest'), '/')).toBe('CKPT+c')
  })

  it('are files of tensors where such are meant', async () => {
    const request = { base: join(root, 'exp'), query: { orders: [], where: [] }, key: 'model' }
    const { path } = await findFile(storage, 'best', request, { now: 0 })
    expect(path).toBe(join(root, 'exp/save/CKPT+b/model.ckpt'))
  })

  it('what has such a name goes before them', async () => {
    const made = makeRun({ ...byLoss, 'CKPT+x': 'unixtime: 0.5\n' })
    symlinkSync('CKPT+a', join(made, 'exp/save/latest'))
    expect(await nameOf('latest', join(made, 'exp/save'))).toBe('CKPT+a')
    mkdirSync(join(made, 'exp/best'))
    await expect(nameOf('exp/best', made)).rejects.toMatchObject({ code: 'not-found' })
    const plain = write(makeFolder(), { 'exp/save/CKPT+a/CKPT.yaml': byLoss['CKPT+a'], 'exp/save/latest': 'notes' })
    await expect(nameOf('latest', join(plain, 'exp/save'))).rejects.toMatchObject({ code: 'not-found' })
  })

  it('a link of that name which leads nowhere is told, and nothing else taken', async () => {
    const made = makeRun(byLoss)
    symlinkSync('gone', join(made, 'exp/save/latest'))
    await expect(nameOf('latest', join(made, 'exp/save'))).rejects.toThrow(/dangles/)
  })

  it("DeepSpeed's own file latest does not stand in the way", async () => {
    const made = makeFolder()
    for (const step of ['10', '20']) {
      write(made, {
        [`out/global_step${step}/mp_rank_00_model_states.pt`]: 'x',
        [`out/global_step${step}/zero_pp_rank_0_mp_rank_00_optim_states.pt`]: 'x',
      })
    }
    write(made, { 'out/latest': 'global_step10' })
    expect(await nameOf('latest', join(made, 'out'))).toBe('global_step20')
    expect(await openNamed(storage, 'out/latest', made)).toMatchObject({ checkpoint: { name: 'global_step20' } })
  })

  it('of several metrics none is the best: it is said how to name one', async () => {
    const made = makeRun({
      'CKPT+a': 'unixtime: 1.0\nloss: 1.0\nACC: 0.5\n',
      'CKPT+b': 'unixtime: 2.0\nloss: 2.0\nACC: 0.6\n',
    })
    await expect(nameOf('exp/best', made)).rejects.toMatchObject({
      code: 'usage',
      hint: expect.stringContaining(`$(ckpt find ${join(made, 'exp/save')} --min loss)`) as string,
    })
  })

  it('several runs below, or none, are told as such', async () => {
    const made = makeRun(byLoss, 'two/a')
    write(made, { 'two/b/CKPT+a/CKPT.yaml': byLoss['CKPT+a'] })
    await expect(nameOf('two/latest', made)).rejects.toMatchObject({ code: 'refused' })
    await expect(nameOf('latest', makeFolder())).rejects.toMatchObject({ code: 'not-found' })
  })
})
