/** What Slurm 22.05 said, recorded (test/fixtures/slurm). Every job's name is `x Requeue=0`, which must mislead nobody. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { schedulerOf, type AskScheduler } from '../../../../src/core/jobs/schedulers/index.js'
import { parseJobs } from '../../../../src/core/jobs/schedulers/slurm.js'

const recorded = (name: string) => readFileSync(new URL(`../../../fixtures/slurm/${name}.txt`, import.meta.url), 'utf8')

const show = (id: string) => `env SLURM_TIME_FORMAT=%s scontrol show job ${id}`

/** Answers from a table of command lines; what is not in it fails. */
function answering(table: Readonly<Record<string, string>>): AskScheduler {
  return async (words) => table[words.join(' ')] ?? null
}

const batch = { SLURM_PROCID: '0', SLURM_NODEID: '0' }

async function detect(environment: Readonly<Record<string, string>>, answers: Readonly<Record<string, string>> = {}) {
  const system = await schedulerOf(environment, answering(answers))
  return system?.job ?? null
}

/** Why it ends: it was `running` when ckpt started, and is `now`. */
async function ending(running: string, now: string) {
  const [record] = parseJobs(recorded(running))
  const { id = '' } = record ?? {}
  const answers = [recorded(running), recorded(now)]
  const system = await schedulerOf({ ...batch, SLURM_JOB_ID: id }, async () => answers.shift() ?? null)
  return system?.whyEnding()
}

describe('a job under Slurm', () => {
  it('is known by its id, with its restarts, its end and how to requeue it', async () => {
    const answers = { [show('11')]: recorded('cancelled-running') }
    expect(await detect({ ...batch, SLURM_JOB_ID: '11' }, answers)).toEqual({
      scheduler: 'slurm',
      id: '11',
      arrayTask: null,
      restarts: 0,
      isLeader: true,
      isChained: false,
      endsAt: 1795693599,
      warning: 'SIGUSR1',
      requeue: ['scontrol', 'requeue', '11'],
      requeueRefusal: null,
    })
  })

  it('of an array is requeued by array and task: by its own id the last task stands for all of them', async () => {
    const answers = { [show('12')]: recorded('array-running'), [show('16')]: recorded('array-running') }
    const last = await detect({ ...batch, SLURM_JOB_ID: '12' }, answers)
    const first = await detect({ ...batch, SLURM_JOB_ID: '16' }, answers)
    expect([last?.id, last?.arrayTask, last?.requeue]).toEqual(['12_4', '4', ['scontrol', 'requeue', '12_4']])
    expect([first?.id, first?.arrayTask, first?.requeue]).toEqual(['12_3', '3', ['scontrol', 'requeue', '12_3']])
  })

  it('without a time limit has no end', async () => {
    const answers = { [show('13')]: recorded('norequeue-running') }
    expect((await detect({ ...batch, SLURM_JOB_ID: '13' }, answers))?.endsAt).toBeNull()
  })

  it('that may not be requeued says so, and what to add', async () => {
    const answers = { [show('13')]: recorded('norequeue-running') }
    const job = await detect({ ...batch, SLURM_JOB_ID: '13' }, answers)
    expect(job?.requeue).toBeNull()
    expect(job?.requeueRefusal).toContain('sbatch --requeue')
  })

  it('of salloc cannot be requeued', async () => {
    const job = await detect({ SLURM_JOB_ID: '15' }, { [show('15')]: recorded('salloc') })
    expect(job?.requeue).toBeNull()
    expect(job?.requeueRefusal).toContain('sbatch')
  })

  it('in a chain is known by its dependency', async () => {
    const environment = { ...batch, SLURM_JOB_ID: '11', SLURM_JOB_DEPENDENCY: 'afterany:10' }
    expect((await detect(environment))?.isChained).toBe(true)
  })

  it('is led by the first rank of the batch step alone', async () => {
    const leads = async (environment: Readonly<Record<string, string>>, answers = {}) =>
      (await detect({ SLURM_JOB_ID: '11', ...environment }, answers))?.isLeader
    expect(await leads(batch)).toBe(true)
    expect(await leads({ ...batch, SLURM_PROCID: '1' })).toBe(false)
    expect(await leads({ ...batch, SLURM_NODEID: '2' })).toBe(false)
    expect(await leads({ ...batch, SLURM_STEP_ID: '0' })).toBe(false)
    const step = { [show('11')]: recorded('cancelled-running'), 'scontrol show step 11.0': 'StepId=11.0 UserId=0' }
    expect(await leads({ ...batch, SLURM_STEP_ID: '0' }, step)).toBe(false)
  })

  it('is not misled by what sbatch was called from: another array, its restarts and its step', async () => {
    const inherited = {
      SLURM_ARRAY_JOB_ID: '7',
      SLURM_ARRAY_TASK_ID: '5',
      SLURM_RESTART_COUNT: '4',
      SLURM_STEP_ID: '0',
    }
    const answers = { [show('11')]: recorded('cancelled-running') }
    const job = await detect({ ...batch, SLURM_JOB_ID: '11', ...inherited }, answers)
    expect(job).toMatchObject({ id: '11', arrayTask: null, restarts: 0, isLeader: true })
  })

  it('is known by the environment alone where scontrol gives no answer', async () => {
    const environment = {
      ...batch,
      SLURM_JOB_ID: '12',
      SLURM_ARRAY_JOB_ID: '12',
      SLURM_ARRAY_TASK_ID: '4',
      SLURM_RESTART_COUNT: '2',
      SLURM_JOB_END_TIME: '1795693599',
    }
    expect(await detect(environment)).toMatchObject({
      id: '12_4',
      arrayTask: '4',
      restarts: 2,
      endsAt: 1795693599,
      requeue: ['scontrol', 'requeue', '12_4'],
    })
  })
})

describe('a job under Slurm that is ending', () => {
  it('was preempted, so Slurm puts it back by itself', async () => {
    expect(await ending('preempted-running', 'preempted-term')).toBe('requeued')
  })

  it('is being preempted, with a grace time', async () => {
    expect(await ending('grace-running', 'grace-running')).toBe('preempted')
  })

  it('came to its time limit', async () => {
    expect(await ending('timelimit-running', 'timelimit-term')).toBe('time-limit')
  })

  it('was cancelled', async () => {
    expect(await ending('cancelled-running', 'cancelled-term')).toBe('cancelled')
  })

  it('is not ending while it runs', async () => {
    expect(await ending('cancelled-running', 'cancelled-running')).toBeNull()
  })
})
