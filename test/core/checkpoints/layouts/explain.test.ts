/** What a file or folder is taken for: the outermost checkpoint counts here too. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { explainPath } from '../../../../src/core/checkpoints/layouts/explain.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures, makeFolder, write } from './folders.js'

async function explained(...parts: string[]) {
  const { checkpoint, inside, layouts } = await explainPath(localStorage(), join(...parts))
  const takes = layouts.filter(({ verdict }) => verdict === 'takes').map(({ layout }) => layout)
  return { name: checkpoint?.name ?? null, inside: inside.map(({ name }) => name), takes }
}

const framework = (name: string) => join(fixtures, 'frameworks', name, 'run')

describe('a path', () => {
  it('within a checkpoint is a part of it, whatever it would be by itself', async () => {
    const whole = { name: 'step-10', inside: [], takes: ['torchtitan'] }
    const run = join(framework('torchtitan'), 'checkpoint')
    expect(await explained(run, 'step-10')).toEqual(whole)
    expect(await explained(run, 'step-10/.metadata')).toEqual(whole)
    const deeper = await explained(framework('megatron'), 'iter_0000100/mp_rank_00/model_optim_rng.pt')
    expect(deeper).toEqual({ name: 'iter_0000100', inside: [], takes: ['megatron'] })
  })

  it('of a group is a part of that', async () => {
    const { name, takes } = await explained(framework('paddle'), 'output/1.pdopt')
    expect([name, takes]).toEqual(['1.pdparams', ['paddle']])
  })

  it('of a name with a slash is found from the folder above', async () => {
    const run = join(framework('lightning_slash'), 'lightning_logs/version_0/checkpoints')
    const [deep] = (await explained(run)).inside.filter((name) => name.includes('/'))
    expect((await explained(run, deep ?? '')).name).toBe(deep)
  })

  it('of a run tells what is in it', async () => {
    expect((await explained(join(framework('torchtitan'), 'checkpoint'))).inside).toEqual([
      'step-10',
      'step-20',
      'step-30',
    ])
  })

  it('may be the root of all', async () => {
    expect(await explained('/')).toMatchObject({ name: null, takes: [] })
  })

  it('that is not there is refused with a hint that a shell takes as it is', async () => {
    const folder = join(write(makeFolder(), { "it's/x": '' }), "it's")
    await expect(explainPath(localStorage(), join(folder, 'y'))).rejects.toMatchObject({
      hint: expect.stringMatching(/ls -a "?.*it('|'\\'')s/) as string,
    })
  })
})
