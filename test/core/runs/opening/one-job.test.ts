import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { clearedFor, openAllIfAny, openRunToGoOn } from '../../../../src/core/runs/index.js'
import { Journal } from '../../../../src/core/changes/journal/index.js'
import { stateFolderOf } from '../../../../src/core/changes/state/index.js'
import { isCommandOf, tellingWords } from '../../../../src/core/runs/opening/job-identity.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeFolder } from '../../checkpoints/layouts/folders.js'

const storage = localStorage()

/** Texts by their paths. */
function write(root: string, texts: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(texts)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
}

/** A checkpoint of SpeechBrain, which says when it was saved. */
function saved(root: string, folder: string, time: number): void {
  write(root, {
    [`${folder}/CKPT+${time}/CKPT.yaml`]: `unixtime: ${time}\n`,
    [`${folder}/CKPT+${time}/model.ckpt`]: 'x',
    [`${folder}/CKPT+${time}/optimizer.ckpt`]: 'x',
  })
}

/** One of the Trainer's, of which only the step counts here. */
function stepped(root: string, folder: string, steps: readonly number[], time: number): void {
  for (const step of steps) {
    const checkpoint = `${folder}/checkpoint-${step}`
    write(root, {
      [`${checkpoint}/trainer_state.json`]: JSON.stringify({ global_step: step, log_history: [] }),
      [`${checkpoint}/optimizer.pt`]: 'x',
      [`${checkpoint}/scheduler.pt`]: 'x',
      [`${checkpoint}/rng_state.pth`]: 'x',
      [`${checkpoint}/pytorch_model.bin`]: 'x',
    })
    for (const file of ['trainer_state.json', 'optimizer.pt', 'pytorch_model.bin']) {
      utimesSync(join(root, checkpoint, file), time, time)
    }
  }
}

async function open(root: string, command: readonly string[] = []) {
  return openRunToGoOn(storage, root, { mayBeSpread: true, command })
}

async function namesIn(root: string, command: readonly string[] = []): Promise<string[]> {
  return (await open(root, command)).run.checkpoints.map(({ name }) => name).sort()
}

describe('a job whose restarts made a folder each', () => {
  it('is one run where the hyper-parameters are the same, and names begin with their folders', async () => {
    const root = makeFolder()
    for (const n of [0, 1, 10]) {
      write(root, { [`version_${n}/hparams.yaml`]: `lr: 0.1\nlog_dir: ${root}/version_${n}\nckpt_path: v${n}\n` })
      saved(root, `version_${n}/checkpoints`, 100 + n)
    }
    expect(await namesIn(root)).toEqual([
      'version_0/checkpoints/CKPT+100',
      'version_1/checkpoints/CKPT+101',
      'version_10/checkpoints/CKPT+110',
    ])
  })

  it('is refused with the choice where they differ, and what differs is told', async () => {
    const root = makeFolder()
    for (const [n, lr] of [
      [0, 0.1],
      [1, 0.3],
    ] as const) {
      write(root, { [`version_${n}/hparams.yaml`]: `lr: ${lr}\nmodel: {name: a}\n` })
      saved(root, `version_${n}/checkpoints`, 100 + n)
    }
    await expect(open(root)).rejects.toMatchObject({ code: 'refused' })
    await expect(open(root)).rejects.toThrow(/lr is 0\.1 and 0\.3[^]*version_0[^]*version_1/)
  })

  it('is told by Hydra, whose dated folders hold the settings and what was typed', async () => {
    const root = makeFolder()
    for (const [folder, lr] of [
      ['2024-05-01/12-00-00', 1],
      ['2024-05-02/09-30-00', 1],
    ] as const) {
      write(root, {
        [`${folder}/.hydra/config.yaml`]: `lr: ${lr}\nresume: ${folder}\n`,
        [`${folder}/.hydra/overrides.yaml`]: `- lr=${lr}\n- resume=${folder}/x\n`,
      })
      saved(root, `${folder}/save`, 100 + folder.length + lr)
    }
    expect(await namesIn(root)).toHaveLength(2)
    write(root, { '2024-05-02/09-30-00/.hydra/overrides.yaml': '- lr=1\n- model=big\n' })
    await expect(open(root)).rejects.toMatchObject({ code: 'refused' })
  })

  it('is, of several jobs, the one that the given command began', async () => {
    const root = makeFolder()
    for (const [index, lr] of [1, 2, 2].entries()) {
      write(root, { [`multirun/${index}/.hydra/overrides.yaml`]: `- lr=${lr}\n` })
      saved(root, `multirun/${index}/save`, 100 + index)
    }
    expect(await namesIn(root, ['python', 'train.py', 'lr=2', '+resume={path}'])).toEqual([
      'multirun/1/save/CKPT+101',
      'multirun/2/save/CKPT+102',
    ])
    await expect(open(root, ['python', 'train.py'])).rejects.toMatchObject({ code: 'refused' })
  })

  it('is, where nothing beside them has the command, the one that its last start saved into or began from', async () => {
    const root = makeFolder()
    for (const [n, lr] of [0.1, 0.1, 0.3].entries()) {
      write(root, { [`version_${n}/hparams.yaml`]: `lr: ${lr}\n` })
      saved(root, `version_${n}/checkpoints`, 100 + n)
    }
    const [older, newer, third] = [0, 1, 2].map((n) => `version_${n}/checkpoints/CKPT+${100 + n}`)
    const command = ['python', 'train.py', '--lr', '0.3']
    await expect(open(root, command)).rejects.toMatchObject({ code: 'refused' })
    const journal = await Journal.open(storage, await stateFolderOf(storage, root), (error) => {
      throw error
    })
    const start = (checkpoint: string | undefined, words: readonly string[]) =>
      journal.add({ what: 'start', time: 1, attempt: 1, reason: 'first', checkpoint: checkpoint ?? null, command: words, host: 'h', pid: 4711, started: null, job: null }) // prettier-ignore
    await start(newer, command)
    expect(await namesIn(root, command)).toEqual([older, newer])
    await journal.add({ what: 'checkpoint', time: 2, name: third ?? '', saved: 2, epoch: 1, step: 1, metrics: new Map() }) // prettier-ignore
    expect(await namesIn(root, command)).toEqual([third])
    await start(older, ['python', 'other.py'])
    expect(await namesIn(root, command)).toEqual([third])
    await expect(open(root)).rejects.toMatchObject({ code: 'refused' })
  })

  it('is told by W&B, in the folder of the run and where Lightning saves below its id', async () => {
    const root = makeFolder()
    for (const id of ['aaaa1111', 'bbbb2222']) {
      write(root, {
        [`wandb/run-20240501_120000-${id}/files/config.yaml`]:
          'wandb_version: 1\n_wandb:\n  value: {t: {1: 2}}\nlr:\n  desc: null\n  value: 0.1\n',
        [`wandb/run-20240501_120000-${id}/files/wandb-metadata.json`]: `{"program": "train.py", "args": ["--lr", "0.1", "--resume", "${id}"], "startedAt": "${id}"}`,
      })
      saved(root, `project/${id}/checkpoints`, id.length + id.charCodeAt(0))
    }
    expect(await namesIn(root)).toHaveLength(2)
  })

  it('is told, where nothing says what they are, by steps that go on at the same distance under like names', async () => {
    const root = makeFolder()
    stepped(root, 'try_1', [100, 200, 300], 1_000_000)
    stepped(root, 'try_2', [400, 500], 1_100_000)
    expect(await namesIn(root)).toHaveLength(5)
    stepped(root, 'try_3', [100, 200], 1_200_000)
    await expect(open(root)).rejects.toThrow(/nothing beside/)
  })

  it('is made to agree with a start in the folder of the chosen one alone, and for a first start in all', async () => {
    const root = makeFolder()
    for (const n of [0, 1]) {
      write(root, { [`version_${n}/hparams.yaml`]: 'lr: 0.1\n' })
      saved(root, `version_${n}`, 100 + n)
    }
    const job = await open(root)
    const chosen = job.run.checkpoints.find(({ name }) => name === 'version_1/CKPT+101') ?? null
    const [one, ...others] = clearedFor(job, chosen)
    expect([one?.run.path, one?.checkpoint?.name, others]).toEqual([join(root, 'version_1'), 'CKPT+101', []])
    expect(clearedFor(job, null).map(({ run }) => run.path)).toEqual([join(root, 'version_0'), join(root, 'version_1')])
  })

  it('is seen whole by who looks for what appears, whatever its folders say', async () => {
    const root = makeFolder()
    for (const n of [0, 1]) {
      write(root, { [`version_${n}/hparams.yaml`]: `lr: ${n}\n` })
      saved(root, `version_${n}`, 100 + n)
    }
    expect((await openAllIfAny(storage, root))?.checkpoints.map(({ name }) => name)).toHaveLength(2)
  })
})

describe('the words of a command that tell a job', () => {
  it('are those that do not say where to begin or where to write', () => {
    const words = ['train.py', '--lr', '0.1', '--resume_from_checkpoint', 'x', '--output_dir=o', '+trainer.ckpt_path=c']
    expect(tellingWords(words)).toEqual(['train.py', '--lr', '0.1'])
  })

  it('have to be there, with no other setting', () => {
    const identity = { documents: new Map(), command: ['lr=1'] }
    expect(isCommandOf(identity, ['python', 'train.py', 'lr=1'])).toBe(true)
    expect(isCommandOf(identity, ['python', 'train.py', 'lr=1', 'model=big'])).toBe(false)
    expect(isCommandOf(identity, ['python', 'train.py'])).toBe(false)
  })

  it.each([
    'python -u train.py lr=1',
    'torchrun --standalone --nproc_per_node=2 train.py lr=1',
    'python -m torch.distributed.run --nproc-per-node 2 train.py lr=1',
    'srun --ntasks=2 python -m project.train lr=1',
  ])('stand behind the program, whatever starts that: %s', (line) => {
    expect(isCommandOf({ documents: new Map(), command: ['lr=1'] }, line.split(' '))).toBe(true)
    expect(isCommandOf({ documents: new Map(), command: ['lr=2'] }, line.split(' '))).toBe(false)
  })
})
