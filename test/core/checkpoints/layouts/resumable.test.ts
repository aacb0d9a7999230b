/** Weights alone are known as that, in every layout whose framework can save them so. */
import { cpSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isResumable } from '../../../../src/core/checkpoint.js'
import { findRuns } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures, makeFolder, write } from './folders.js'
import { dict, torchFile } from './lightning-files.js'

async function resumable(root: string): Promise<Record<string, boolean>> {
  const runs = await findRuns(localStorage(), root)
  return Object.fromEntries(
    runs.flatMap(({ checkpoints }) => checkpoints.map((one) => [one.name, isResumable(one)] as const)),
  )
}

function removeAll(root: string, name: RegExp): void {
  for (const entry of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
    const path = join(root, entry)
    if (name.test(entry) && statSync(path).isFile()) rmSync(path)
  }
}

describe('a checkpoint without the state of its optimizer', () => {
  it.each([
    ['frameworks/deepspeed', /^global_step20\/zero_/, 'global_step20', 'global_step30'],
    ['frameworks/accelerate', /checkpoint_3\/optimizer\.bin$/, 'checkpoint_3', 'checkpoint_4'],
    ['frameworks/diffusers', /^checkpoint-20\/optimizer\.bin$/, 'checkpoint-20', 'checkpoint-10'],
  ])('cannot be resumed from: %s', async (name, gone, lacking, other) => {
    const root = join(makeFolder(), 'run')
    cpSync(join(fixtures, name, 'run'), root, { recursive: true })
    expect(await resumable(root)).toMatchObject({ [lacking]: true, [other]: true })
    removeAll(root, gone)
    expect(await resumable(root)).toMatchObject({ [lacking]: false, [other]: true })
  })

  const state = dict({ lr: 1 })
  const fairseq = { args: null, cfg: dict({}), model: dict({}), extra_state: dict({}), optimizer_history: null }
  const composer = { model: dict({}), timestamp: dict({ epoch: 1, batch: 4 }) }
  const timm = { epoch: 1, arch: 'x', state_dict: dict({}), version: 2 }
  const megatron = { iteration: 100, model: dict({}), checkpoint_version: 3 }

  it.each([
    ['checkpoint1.pt', fairseq, { ...fairseq, last_optimizer_state: state }, 'checkpoint2.pt'],
    [
      'ep1-ba4-rank0.pt',
      { state: dict(composer), rng: dict({}) },
      { state: dict({ ...composer, optimizers: state }), rng: dict({}) },
      'ep2-ba8-rank0.pt',
    ],
    ['checkpoint-1.pth.tar', timm, { ...timm, optimizer: state }, 'checkpoint-2.pth.tar'],
    [
      'iter_0000100/mp_rank_00/model_optim_rng.pt',
      megatron,
      { ...megatron, optimizer: state },
      'iter_0000200/mp_rank_00/model_optim_rng.pt',
    ],
  ])('is known by what is in its file: %s', async (lacking, without, full, other) => {
    const root = write(makeFolder(), { [lacking]: torchFile(dict(without)), [other]: torchFile(dict(full)) })
    const [first = '', second = ''] = [lacking, other].map((path) => path.split('/')[0] ?? '')
    expect(await resumable(root)).toEqual({ [first]: false, [second]: true })
  })
})

describe('weights alone beside what can be resumed from', () => {
  it.each([
    ['flax', { checkpoint_3: true, checkpoint_4: false }],
    ['tensorflow', { 'ckpt-3': true, 'ckpt-5': false }],
  ])('are known in what %s wrote', async (name, wanted) => {
    const root = join(makeFolder(), 'run')
    cpSync(join(fixtures, 'weights-alone', name), root, { recursive: true })
    expect(await resumable(root)).toEqual(wanted)
  })

  it('are known in flax’s files by what counts and what an optimizer has, not by the name of a part', async () => {
    const array = Buffer.from('c71101939101' + 'a7666c6f61743332' + 'c40400000000', 'hex')
    const key = (text: string) => Buffer.concat([Buffer.from([0xa0 + text.length]), Buffer.from(text)])
    const map = (...entries: [string, Uint8Array][]) =>
      Buffer.concat([Buffer.from([0x80 + entries.length]), ...entries.flatMap(([name, value]) => [key(name), value])])
    const root = write(makeFolder(), {
      checkpoint_1: map(['model', map(['step', array], ['params', map(['w', array])], ['opt_state', map()])]),
      checkpoint_2: map(['params', map(['w', array])], ['step', Buffer.from([2])]),
      checkpoint_3: map(['params', map(['w', array])], ['batch_stats', map(['m', array])]),
      checkpoint_4: map(['params', map(['w', array])]).subarray(0, 20),
    })
    expect(await resumable(root)).toEqual({
      checkpoint_1: true,
      checkpoint_2: true,
      checkpoint_3: false,
      checkpoint_4: true,
    })
  })

  it('are known in Orbax’s folders by the names of the items', async () => {
    const tree = JSON.stringify({ tree_metadata: { "('Dense_0', 'kernel')": {} } })
    const item = (path: string) => ({ [`${path}/_METADATA`]: tree, [`${path}/manifest.ocdbt`]: 'x' })
    const root = write(makeFolder(), {
      '1/_CHECKPOINT_METADATA': '{}',
      ...item('1/params'),
      ...item('1/opt_state'),
      '2/_CHECKPOINT_METADATA': '{}',
      ...item('2/params'),
      ...item('2/ema_params'),
      '3/_CHECKPOINT_METADATA': '{}',
      ...item('3/default'),
    })
    expect(await resumable(root)).toEqual({ 1: true, 2: false, 3: true })
  })

  it('are known in the one file of torch in Ray’s folders', async () => {
    const saved = { model: dict({}), epoch: 1 }
    const root = write(makeFolder(), {
      'result.json': '',
      'params.json': '{}',
      'checkpoint_000000/checkpoint.pt': torchFile(dict({ ...saved, optimizer: dict({ param_groups: 1 }) })),
      'checkpoint_000001/checkpoint.pt': torchFile(dict(saved)),
      'checkpoint_000002/model.pt': torchFile(dict(saved)),
      'checkpoint_000002/optimizer.pt': torchFile(dict({ param_groups: 1 })),
    })
    expect(await resumable(root)).toEqual({
      checkpoint_000000: true,
      checkpoint_000001: false,
      checkpoint_000002: true,
    })
  })

  it('are what a job goes on from where its script never saves more', async () => {
    const root = join(makeFolder(), 'run')
    cpSync(join(fixtures, 'weights-alone/flax/checkpoint_4'), join(root, 'checkpoint_4'))
    cpSync(join(fixtures, 'weights-alone/flax/checkpoint_4'), join(root, 'checkpoint_5'))
    expect(await resumable(root)).toEqual({ checkpoint_4: true, checkpoint_5: true })
  })
})
