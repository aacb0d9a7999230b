import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { beforeAll, describe, expect, it } from 'vitest'
import type { SchedulerJob } from '../../src/core/jobs/schedulers/index.js'
import { temporaryDirectory } from '../e2e/ckpt.js'
import { finished, output, submit } from './slurm.js'

const project = fileURLToPath(new URL('../..', import.meta.url))
const folder = temporaryDirectory()
const program = join(folder, 'print-job.mjs')

beforeAll(async () => {
  const bundle = await rolldown({
    input: join(project, 'test', 'slurm', 'print-job.ts'),
    platform: 'node',
    cwd: project,
  })
  await bundle.write({ file: program, format: 'esm', codeSplitting: false })
  await bundle.close()
})

const print = `'${process.execPath}' '${program}'`

function told(name: string): SchedulerJob[] {
  const lines = output(folder, name).split('\n')
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as SchedulerJob)
}

describe('a job', () => {
  it('knows its task, its restarts and its end, and is requeued alone', async () => {
    const requeue = 'scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"'
    const script = `${print}\n[ -n "$SLURM_RESTART_COUNT" ] || { ${requeue}; sleep 60; }\n`
    const before = Date.now() / 1000
    const id = submit(folder, 'array', script, '--array=3', '--time=10', '--requeue')
    await finished(id)
    const [first, second] = told('array')
    expect(first).toMatchObject({ id: `${id}_3`, arrayTask: '3', restarts: 0, isLeader: true, isChained: false })
    expect(second).toMatchObject({ id: `${id}_3`, arrayTask: '3', restarts: 1 })
    expect((first?.endsAt ?? 0) - before).toBeGreaterThan(595)
    expect((first?.endsAt ?? 0) - before).toBeLessThan(660)
  })

  it('that depends on another stands in a chain; in a step of srun nobody leads', async () => {
    const first = submit(folder, 'first', 'true')
    const id = submit(
      folder,
      'chained',
      `${print}; srun -n 2 --overcommit ${print}`,
      `--dependency=afterany:${first}`,
      '--no-requeue',
    )
    await finished(id)
    const [batch, ...ranks] = told('chained')
    expect(batch).toMatchObject({ id, isLeader: true, isChained: true, requeue: null })
    expect(ranks.map(({ isLeader }) => isLeader)).toEqual([false, false])
  })

  it('that was submitted from within a step of another is not a part of that one', async () => {
    const inner = join(folder, 'inner.sh')
    writeFileSync(inner, `#!/bin/bash\n${print}\n`)
    const sbatch = `sbatch --wait --output='${folder}/inner.out' '${inner}'`
    await finished(submit(folder, 'outer', `srun ${sbatch}`, '--array=5'))
    expect(told('inner')).toMatchObject([{ arrayTask: null, isLeader: true, restarts: 0 }])
  })
})
