import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { compareRuns, openRun, type RunComparison } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ckpt-compare-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
}

function makeRun(run: string, losses: readonly number[]): void {
  losses.forEach((loss, index) => {
    const checkpoint = `${run}/save/CKPT+${index + 1}`
    write({ [`${checkpoint}/CKPT.yaml`]: `epoch: ${index + 1}\nloss: ${loss}\n`, [`${checkpoint}/model.ckpt`]: 'w' })
  })
}

async function compare(a: string, b: string): Promise<RunComparison> {
  const storage = localStorage()
  const [one, other] = [await openRun(storage, join(root, a, 'save')), await openRun(storage, join(root, b, 'save'))]
  return compareRuns(storage, one, other, 1_800_000_000)
}

describe('two runs side by side', () => {
  it('tells the hyper-parameters that differ, and those that only one has', async () => {
    makeRun('a', [3])
    makeRun('b', [3])
    write({ 'a/hyperparams.yaml': 'lr: 0.1\nseed: 1\nopt: !new:torch.optim.Adam\nonly: x\n' })
    write({ 'b/hyperparams.yaml': 'lr: 0.2\nseed: 1\nopt: !new:torch.optim.Adam\n' })
    const { settings, alike } = await compare('a', 'b')
    expect(settings).toEqual([
      { name: 'lr', a: 0.1, b: 0.2 },
      { name: 'only', a: 'x', b: undefined },
    ])
    expect(alike).toBe(2)
  })

  it('compares metrics where both have them, and the best of each', async () => {
    makeRun('a', [3, 2, 4])
    makeRun('b', [5, 1])
    const { axis, metrics, a, b } = await compare('a', 'b')
    expect(axis).toBe('epoch')
    expect(metrics).toEqual([
      {
        key: 'loss',
        points: [
          { x: 1, a: 3, b: 5 },
          { x: 2, a: 2, b: 1 },
        ],
      },
    ])
    expect([a.best?.value, b.best?.value]).toEqual([2, 1])
    expect([a.checkpoints.length, b.checkpoints.length]).toEqual([3, 2])
  })

  it.each([
    [
      'SpeechBrain',
      'env.log',
      'SpeechBrain system description\n===\nGit revision:\nabc1234\n===\nCUDA not available\n',
    ],
    ['W&B', 'wandb/run-20261128_234746-x/files/wandb-metadata.json', '{"git": {"remote": "r", "commit": "abc1234"}}'],
    ['MLflow', 'tags/mlflow.source.git.commit', 'abc1234'],
    ['a hyper-parameter', 'hparams.yaml', 'lr: 1\ngit_commit: abc1234\n'],
  ])('finds the commit where %s records it', async (_, file, text) => {
    makeRun('a', [3])
    makeRun('b', [3])
    write({ [`a/${file}`]: text })
    const { a, b } = await compare('a', 'b')
    expect(a.code).toEqual({ commit: 'abc1234', source: join(root, 'a', file) })
    expect(b.code).toBeNull()
  })
})
