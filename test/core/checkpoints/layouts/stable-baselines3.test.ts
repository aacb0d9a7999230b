import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findRuns } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeZip } from '../../formats/archives/zip-bytes.js'
import { fixtures, makeFolder, write } from './folders.js'

const version = { name: '_stable_baselines3_version', data: Buffer.from('2.9.2') }
const data = { name: 'data', data: Buffer.from('{"num_timesteps": 452, "seed": null}') }

describe('an archive of Stable-Baselines3', () => {
  it('tells its steps in data, whatever its name', async () => {
    const root = makeFolder()
    write(root, { 'final.zip': makeZip([data, { name: 'policy.pth', data: Buffer.from('x') }, version]) })
    const [run] = await findRuns(localStorage(), root)
    expect(run?.checkpoints.map(({ name, step, health }) => [name, step, health.findings])).toEqual([
      ['final.zip', 452, []],
    ])
  })

  it('has the replay buffer and the normalisation of its step beside it as parts', async () => {
    const root = makeFolder()
    const archive = makeZip([data, { name: 'policy.pth', data: Buffer.from('x') }, version])
    write(root, {
      'rl_model_452_steps.zip': archive,
      'rl_model_replay_buffer_452_steps.pkl': 'x',
      'rl_model_vecnormalize_452_steps.pkl': 'x',
      'rl_model_replay_buffer_900_steps.pkl': 'x',
      'other_452_steps.pkl': 'x',
    })
    const [run] = await findRuns(localStorage(), root)
    expect(run?.checkpoints.map(({ name }) => name)).toEqual(['rl_model_452_steps.zip'])
    expect(run?.checkpoints[0]?.members.map(({ path }) => path.slice(root.length + 1))).toEqual([
      'rl_model_452_steps.zip',
      'rl_model_replay_buffer_452_steps.pkl',
      'rl_model_vecnormalize_452_steps.pkl',
    ])
  })

  it('has its reward from the folder that the documentation logs into, best_model/ and results/ side by side', async () => {
    const root = makeFolder()
    const from = join(fixtures, 'variants/stable_baselines3-evaluations/run')
    cpSync(join(from, 'best_model.zip'), join(root, 'logs/best_model/best_model.zip'))
    cpSync(join(from, 'best_model.zip'), join(root, 'logs/rl_model.zip'))
    cpSync(join(from, 'evaluations.npz'), join(root, 'logs/results/evaluations.npz'))
    const inPlace = await findRuns(localStorage(), from)
    const reward = inPlace
      .flatMap((run) => run.checkpoints)
      .find(({ name }) => name === 'best_model.zip')
      ?.meta.get('mean_reward')
    const runs = await findRuns(localStorage(), root)
    expect(reward).toBeTypeOf('number')
    expect(runs.flatMap(({ checkpoints }) => checkpoints.map(({ meta }) => meta.get('mean_reward')))).toEqual([
      reward,
      reward,
    ])
  })

  it('has its reward from a folder of any other name beside its own, where that is the only one', async () => {
    const root = makeFolder()
    const from = join(fixtures, 'variants/stable_baselines3-evaluations/run')
    cpSync(join(from, 'best_model.zip'), join(root, 'best_agent/best_model.zip'))
    cpSync(join(from, 'evaluations.npz'), join(root, 'eval_logs/evaluations.npz'))
    const rewards = async () =>
      (await findRuns(localStorage(), root)).flatMap(({ checkpoints }) =>
        checkpoints.map(({ meta }) => typeof meta.get('mean_reward')),
      )
    expect(await rewards()).toEqual(['number'])
    cpSync(join(from, 'evaluations.npz'), join(root, 'other_logs/evaluations.npz'))
    expect(await rewards()).toEqual(['undefined'])
  })

  it.each([
    ['a run beside, with its own models', ['a/best_model.zip', 'a/agent.zip', 'b/agent_2.zip'], 'a'],
    ['a run beside, with steps', ['a/m_64_steps.zip', 'b/agent.zip'], 'a'],
    ['one of two runs that log elsewhere', ['a/m_64_steps.zip', 'b/m_64_steps.zip'], 'logs'],
    ['one of two runs that log above', ['a/best_model.zip', 'b/best_model.zip'], '.'],
  ])('has no reward from the evaluations of %s', async (_, archives, holder) => {
    const root = makeFolder()
    const from = join(fixtures, 'variants/stable_baselines3-evaluations/run')
    for (const name of archives) cpSync(join(from, 'best_model.zip'), join(root, name))
    cpSync(join(from, 'evaluations.npz'), join(root, holder, 'evaluations.npz'))
    const runs = await findRuns(localStorage(), root)
    const rewards = runs.flatMap((run) => run.checkpoints.map((one) => [run.path, typeof one.meta.get('mean_reward')]))
    expect(rewards.length).toBe(archives.length)
    expect(rewards.filter(([path]) => path === join(root, 'b'))).toEqual([[join(root, 'b'), 'undefined']])
  })

  it('is partial without its weights', async () => {
    const root = makeFolder()
    write(root, { 'rl_model_452_steps.zip': makeZip([data, version]) })
    const [run] = await findRuns(localStorage(), root)
    const [checkpoint] = run?.checkpoints ?? []
    expect(checkpoint?.health.grade).toBe('partial')
    expect(checkpoint?.health.findings.map(({ reason }) => reason)).toEqual(['policy.pth is not in the archive'])
  })
})
