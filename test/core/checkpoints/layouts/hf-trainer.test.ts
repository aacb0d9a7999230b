import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findRuns, loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures, makeFolder, write } from './folders.js'

const storage = localStorage()

async function namesIn(root: string): Promise<string[]> {
  const runs = await findRuns(storage, root)
  const checkpoints = runs.flatMap((run) => run.checkpoints)
  return checkpoints.filter(({ layout }) => layout === 'hf-trainer').map(({ name }) => name)
}

function stateOf(fields: Record<string, unknown>): string {
  return JSON.stringify({ global_step: 10, epoch: 1.5, log_history: [], ...fields })
}

interface Expected {
  checkpoints: {
    name: string
    step: number
    epoch: number
    metrics: Record<string, number>
    train: Record<string, number>
    state_pointers: { best_model_checkpoint: string }
  }[]
}

describe('Hugging Face Trainer checkpoints', () => {
  it.each(['hf_trainer', 'hf_trainer_sharded'])(
    'of %s have the steps, epochs and metrics that were recorded',
    async (name) => {
      const folder = join(fixtures, 'frameworks', name)
      const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Expected
      const { checkpoints } = await loadRun(storage, join(folder, 'run'))
      expect(checkpoints.map((checkpoint) => checkpoint.name)).toEqual(expected.checkpoints.map((one) => one.name))
      for (const [index, one] of expected.checkpoints.entries()) {
        const checkpoint = checkpoints[index]
        expect(checkpoint).toMatchObject({ layout: 'hf-trainer', step: one.step, epoch: one.epoch, unixtime: null })
        expect(Object.fromEntries(checkpoint?.meta ?? [])).toMatchObject({ ...one.train, ...one.metrics })
        expect(checkpoint?.pointsTo).toMatchObject([
          {
            label: 'best_model_checkpoint',
            name: one.state_pointers.best_model_checkpoint.replace('run/', ''),
            purpose: 'best',
          },
        ])
      }
    },
  )

  it('take NaN and Infinity, the last entry of a key up to their step, and the entry of their own step', async () => {
    const log = [
      { step: 5, loss: 3, eval_loss: 9 },
      { step: 10, eval_loss: 7 },
      { step: 8, eval_loss: 8 },
      { step: 11, loss: 1, eval_loss: 1 },
    ]
    const text = stateOf({ log_history: log, best_model_checkpoint: '/elsewhere/out/checkpoint-10/' })
    const root = write(makeFolder(), {
      'checkpoint-10/trainer_state.json': text.replace('"loss":3', '"loss":NaN,"up":Infinity,"__proto__":4'),
      'checkpoint-10/model.safetensors': 'x',
    })
    const [checkpoint] = (await loadRun(storage, root)).checkpoints
    expect([...(checkpoint?.meta ?? [])]).toEqual([
      ['step', 10],
      ['epoch', 1.5],
      ['loss', NaN],
      ['up', Infinity],
      ['__proto__', 4],
      ['eval_loss', 7],
      ['best_model_checkpoint', '/elsewhere/out/checkpoint-10/'],
    ])
    expect(checkpoint?.pointsTo).toEqual([{ label: 'best_model_checkpoint', name: 'checkpoint-10', purpose: 'best' }])
  })

  it('have marks of their log, equal where one goes on from another, and what they were trained with', async () => {
    const entries = [
      { step: 5, loss: 3.25, grad_norm: 1e-7 },
      { loss: 2, step: 10, learning_rate: 0.1 },
      { step: 15, loss: 1 },
    ]
    const later = entries.map((one, index) => (index === 0 ? { ...one, grad_norm: 2e-7 } : one))
    const state = (step: number, log: readonly object[]) =>
      stateOf({ global_step: step, log_history: log, train_batch_size: 8, max_steps: 30, num_train_epochs: 3 })
    const root = write(makeFolder(), {
      'checkpoint-10/trainer_state.json': state(10, entries.slice(0, 2)),
      'checkpoint-15/trainer_state.json': state(15, entries),
      'checkpoint-20/trainer_state.json': state(20, later),
    })
    const [ten, fifteen, twenty] = (await loadRun(storage, root)).checkpoints.map(({ training }) => training)
    expect(ten?.log).toEqual(fifteen?.log.slice(0, 2))
    expect(twenty?.log.slice(1)).toEqual(fifteen?.log.slice(1))
    expect(twenty?.log[0]).not.toEqual(fifteen?.log[0])
    expect(ten?.settings).toEqual(
      new Map([
        ['batch size', '8'],
        ['all steps', '30'],
        ['all epochs', '3'],
      ]),
    )
  })

  it('say of values that were measured at other steps at which, and tell their own by the training log', async () => {
    const log = [
      { step: 6, epoch: 0.6, eval_loss: 0.5 },
      { step: 8, loss: 2, lr: 0.1 },
      { step: 9, loss: 1 },
      { eval_note: 3 },
    ]
    const meta = async (fields: object) => {
      const text = stateOf({ log_history: log, ...fields })
      const root = write(makeFolder(), { 'checkpoint-10/trainer_state.json': text })
      return (await loadRun(storage, root)).checkpoints[0]?.measuredAt
    }
    const measured = [
      ['eval_loss', { step: 6, epoch: 0.6 }],
      ['eval_note', {}],
    ]
    expect([...((await meta({ logging_steps: 2, save_steps: 5 })) ?? [])].sort()).toEqual([
      ...measured,
      ['lr', { step: 8 }],
    ])
    expect([...((await meta({ logging_steps: 5, save_steps: 0.1 })) ?? [])].sort()).toEqual(measured)
  })

  it('are told by what is in the folder, not by its name alone', async () => {
    const root = write(makeFolder(), {
      'checkpoint-10/trainer_state.json': stateOf({}),
      'checkpoint-10/adapter_model.safetensors': 'x',
      'checkpoint-20/config.json': '{}',
      'checkpoint-x/trainer_state.json': stateOf({}),
      'checkpoint-30.bak/trainer_state.json': stateOf({}),
      'tmp-checkpoint-40/model.safetensors': 'x',
      'checkpoint-50': 'a file',
      'model.safetensors': 'x',
      'trainer_state.json': stateOf({}),
    })
    mkdirSync(join(root, 'checkpoint-60'))
    expect(await namesIn(root)).toEqual(['checkpoint-10', 'checkpoint-20'])
  })

  it('are not the folders of the same name that accelerate and diffusers write', async () => {
    const root = write(makeFolder(), {
      'checkpoint-1/random_states_0.pkl': 'x',
      'checkpoint-1/model.safetensors': 'x',
      'checkpoint-2/model.safetensors': 'x',
      'checkpoint-2/unet/config.json': '{}',
    })
    expect(await namesIn(root)).toEqual([])
    expect(await namesIn(write(makeFolder(), { 'checkpoint-3/notes.txt': 'x' }))).toEqual([])
  })

  it('without trainer_state.json are unfinished, and keep the step of their name', async () => {
    const root = write(makeFolder(), { 'checkpoint-7/model-00001-of-00002.safetensors': 'x' })
    const [checkpoint] = (await loadRun(storage, root)).checkpoints
    expect(checkpoint).toMatchObject({ step: 7, epoch: null, health: { grade: 'unfinished' } })
    expect(checkpoint?.health.findings[0]).toMatchObject({ file: 'trainer_state.json' })
  })

  it('are damaged by a global_step that is not a number', async () => {
    const root = write(makeFolder(), { 'checkpoint-1/trainer_state.json': '{"global_step": "ten", "log_history": []}' })
    const [checkpoint] = (await loadRun(storage, root)).checkpoints
    expect(checkpoint?.health.findings[0]).toEqual({
      grade: 'corrupt',
      file: 'trainer_state.json',
      reason: 'global_step is not a number, but "ten"',
    })
  })

  it('are damaged by a folder, a pipe or a link that leads nowhere in the place of a JSON file', async () => {
    const files = { 'trainer_state.json': '{"global_step": 1, "log_history": []}', 'model.safetensors': 'x' }
    const root = makeFolder()
    for (const [name, text] of Object.entries(files)) write(root, { [`checkpoint-1/${name}`]: text })
    mkdirSync(join(root, 'checkpoint-1/config.json'))
    execFileSync('mkfifo', [join(root, 'checkpoint-1/generation_config.json')])
    symlinkSync('gone', join(root, 'checkpoint-1/vocab.json'))
    const [checkpoint] = (await loadRun(storage, root)).checkpoints
    expect(checkpoint?.health.findings).toEqual([
      { grade: 'corrupt', file: 'config.json', reason: 'not a file, but a folder' },
      { grade: 'corrupt', file: 'generation_config.json', reason: 'not a file, but a pipe, a socket or a device' },
      { grade: 'partial', file: 'vocab.json', reason: 'a symbolic link that leads nowhere' },
    ])
    expect(checkpoint?.step).toBe(1)
  })

  it('with a broken trainer_state.json are damaged alone, with the place', async () => {
    const root = write(makeFolder(), {
      'checkpoint-1/trainer_state.json': '{\n "epoch": 1.0,\n "glob',
      'checkpoint-2/trainer_state.json': '',
      'checkpoint-3/trainer_state.json': '[]',
      'checkpoint-4/trainer_state.json': stateOf({}),
      'checkpoint-4/pytorch_model.bin': 'x',
      'checkpoint-5/trainer_state.json': stateOf({}),
      'checkpoint-5/optimizer.pt': 'x',
    })
    const found = (await loadRun(storage, root)).checkpoints.map(({ health }) => health)
    expect(found.map((health) => health.grade)).toEqual(['corrupt', 'corrupt', 'corrupt', 'unchecked', 'partial'])
    expect(found[0]?.findings[0]?.reason).toMatch(/line 3/)
    expect(found[1]?.findings[0]?.reason).toBe('0 bytes')
    expect(found[4]?.findings[0]?.reason).toBe('no model weights are there')
  })

  it('have keys without suffix; an index has the key of what it indexes, and doubles keep their names', async () => {
    const root = write(makeFolder(), {
      'checkpoint-1/trainer_state.json': stateOf({}),
      'checkpoint-1/model.safetensors.index.json': '{}',
      'checkpoint-1/model-00001-of-00001.safetensors': 'x',
      'checkpoint-1/optimizer.pt': 'x',
      'checkpoint-1/adapter_model.bin': 'x',
      'checkpoint-1/adapter_model.safetensors': 'x',
      'checkpoint-1/rng_state_0.pth': 'x',
      'checkpoint-1/config.json': '{}',
      'checkpoint-1/global_step1/mp_rank_00_model_states.pt': 'x',
    })
    const [checkpoint] = (await loadRun(storage, root)).checkpoints
    expect(checkpoint?.files.map((file) => file.key)).toEqual([
      'adapter_model.bin',
      'adapter_model.safetensors',
      'model',
      'model-00001-of-00001',
      'optimizer',
      'rng_state_0',
    ])
  })
})
