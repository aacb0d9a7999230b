/** `ckpt demote` of checkpoints that are several files beside one another. */
import { cpSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, temporaryDirectory } from './ckpt.js'

const fixtures = new URL('../fixtures/runs/frameworks/', import.meta.url).pathname

/** `pickle.dumps([])`. */
const emptyPickle = Buffer.from('80045d942e', 'hex')

function copyOf(name: string): string {
  const run = join(temporaryDirectory(), 'run')
  cpSync(join(fixtures, name), run, { recursive: true })
  return run
}

interface Listed {
  readonly checkpoints: readonly { readonly name: string; readonly demoted?: readonly string[] }[]
}

async function demotedIn(run: string): Promise<readonly string[]> {
  const { stdout } = await ckpt(['list', run, '--json'])
  return (JSON.parse(stdout) as Listed).checkpoints.flatMap(({ demoted = [] }) => demoted).sort()
}

describe('ckpt demote of files that are one checkpoint together', () => {
  it.each([
    ['paddle/run/output', /\.pdopt$/, []],
    ['stable_baselines3/run/logs', /_replay_buffer_\d+_steps\.pkl$/, [200, 400, 600]],
  ])('takes what only resuming needs: %s', async (name, dropped, buffersAt) => {
    const run = copyOf(name)
    for (const step of buffersAt) writeFileSync(join(run, `rl_model_replay_buffer_${step}_steps.pkl`), emptyPickle)
    const policy = ['--keep', '1']
    const before = readdirSync(run, { recursive: true, encoding: 'utf8' }).sort()
    const first = await ckpt(['demote', run, ...policy, '--yes'])
    expect([first.status, first.stderr]).toEqual([0, ''])
    const after = readdirSync(run, { recursive: true, encoding: 'utf8' }).sort()
    const gone = before.filter((one) => !after.includes(one))
    expect(gone.length).toBeGreaterThan(0)
    expect(gone.filter((one) => !dropped.test(one))).toEqual([])
    expect(await demotedIn(run)).toEqual(gone.map((one) => one.replace(/^.*\//, '')).sort())
    expect((await ckpt(['verify', run])).status).toBe(0)
    const again = await ckpt(['demote', run, ...policy, '--yes'])
    expect(again.status).toBe(0)
    expect(readdirSync(run, { recursive: true, encoding: 'utf8' }).sort()).toEqual(after)
  })
})
