import { describe, expect, it } from 'vitest'
import { parseExpression } from '../../../../src/core/choosing/expression/index.js'
import type { BatchSystem, JobEnding, SchedulerJob } from '../../../../src/core/jobs/schedulers/index.js'
import type { JobPlan } from '../../../../src/core/jobs/supervise/index.js'
import { dawn, scene, type Story } from './scene.js'

/** A batch system that the test tells what to answer. */
interface Told extends BatchSystem {
  ending: JobEnding | null
  obeys: boolean
  requeues: number
}

function batchOf(more: Partial<SchedulerJob> = {}): Told {
  const system: Told = {
    title: 'Slurm',
    job: {
      scheduler: 'slurm',
      id: '4711_3',
      arrayTask: '3',
      restarts: 0,
      isLeader: true,
      isChained: false,
      endsAt: dawn + 1000,
      warning: 'SIGUSR1',
      requeue: ['scontrol', 'requeue', '4711_3'],
      requeueRefusal: null,
      ...more,
    },
    ending: null,
    obeys: true,
    requeues: 0,
    whyEnding: async () => system.ending,
    async requeue() {
      system.requeues += 1
      if (system.obeys) system.ending = 'requeued'
      return system.obeys
    },
  }
  return system
}

function under(system: BatchSystem, more: Partial<JobPlan> = {}) {
  return scene({ batch: system, warning: 'SIGUSR1', checkpointSignal: 'SIGUSR1', ...more })
}

const runs: Story = () => undefined

const exits =
  (status: number, seconds = 60): Story =>
  (job) =>
    job.at(seconds, () => job.exit(status))

describe('a warning of the time limit', () => {
  it('is passed on, the job saves and is asked to end, and goes back into the queue', async () => {
    const system = batchOf()
    const { play, raise, sent, entries, told } = under(system)
    raise(880, 'SIGUSR1')
    const outcome = await play([(job) => job.on('SIGUSR1', () => job.at(20, () => job.save(1)))])
    expect(outcome).toEqual({ status: 143, ending: 'timed-out' })
    expect(sent).toEqual([['SIGUSR1', 'SIGTERM']])
    expect(system.requeues).toBe(1)
    expect(entries().map(({ what }) => what)).toEqual(['start', 'checkpoint', 'end', 'requeue'])
    expect(entries().at(-1)).toMatchObject({ job: { scheduler: 'slurm', id: '4711_3', restarts: 0 } })
    expect(told).toContain('SIGUSR1: the time limit is near (in 120 s)')
  })

  it('is not answered by a checkpoint that was there before it, and is only seen now', async () => {
    const { play, raise, sent, entries } = under(batchOf())
    raise(878.5, 'SIGUSR1')
    const story: Story = (job) => {
      job.at(878, () => job.save(1))
      job.on('SIGUSR1', () =>
        job.at(20, () => {
          job.save(2)
          job.exit(0)
        }),
      )
    }
    expect(await play([story])).toMatchObject({ status: 0, ending: 'timed-out' })
    expect(sent).toEqual([['SIGUSR1']])
    expect(entries().filter(({ what }) => what === 'checkpoint')).toHaveLength(2)
  })

  it('gives a job that does not save the time that there is, and no more', async () => {
    const system = batchOf()
    const { play, raise, sent, now } = under(system, { checkpointSignal: null })
    raise(880, 'SIGUSR1')
    await play([runs])
    expect(sent).toEqual([['SIGTERM']])
    // 30 s for its end, and 10 for what ckpt has to do.
    expect(now()).toBeGreaterThanOrEqual(960)
    expect(now()).toBeLessThan(1000 + 30)
    expect(system.requeues).toBe(1)
  })

  it('is not sent to a job that does not catch it: that works on to the margin before the limit', async () => {
    const { play, raise, sent, told, now } = under(batchOf())
    raise(880, 'SIGUSR1')
    await play([runs])
    expect(sent).toEqual([['SIGTERM']])
    expect(now()).toBeGreaterThanOrEqual(960)
    expect(told.some((text) => text.startsWith('no process of the command catches SIGUSR1'))).toBe(true)
  })

  it('is passed on once the job catches it, which a program that is still loading does not', async () => {
    const { play, raise, sent, entries } = under(batchOf())
    raise(880, 'SIGUSR1')
    await play([(job) => job.at(900, () => job.on('SIGUSR1', () => job.at(5, () => job.save(1))))])
    expect(sent).toEqual([['SIGUSR1', 'SIGTERM']])
    expect(entries().map(({ what }) => what)).toEqual(['start', 'checkpoint', 'end', 'requeue'])
  })

  it('of which the job dies without having saved, or after which it ends well, is not a failure', async () => {
    for (const answer of [undefined, 0]) {
      const system = batchOf()
      const { play, raise } = under(system)
      raise(100, 'SIGUSR1')
      const story: Story = (job) => {
        if (answer !== undefined) job.on('SIGUSR1', () => job.exit(answer))
      }
      expect((await play([story])).ending).toBe('timed-out')
      expect(system.requeues).toBe(1)
    }
  })

  it('after which a command that was told nothing ends well has no say in that: it is done', async () => {
    const system = batchOf()
    const { play, raise } = under(system, { checkpointSignal: null })
    raise(880, 'SIGUSR1')
    expect(await play([exits(0, 900)])).toEqual({ status: 0, ending: 'done' })
    expect(system.requeues).toBe(0)
  })

  it('after which it ends well, and nothing is left to gain by its last checkpoint, is done', async () => {
    const story: Story = (job) =>
      job.on('SIGUSR1', () => {
        job.save(9)
        job.exit(0)
      })
    for (const [goal, ending, requeues] of [
      ['epoch == 9', 'done', 0],
      ['epoch == 10', 'timed-out', 1],
    ] as const) {
      const system = batchOf()
      const enough = { patience: null, when: [await parseExpression(goal)] }
      const { play, raise } = under(system, { enough })
      raise(880, 'SIGUSR1')
      expect(await play([story])).toEqual({ status: 0, ending })
      expect(system.requeues).toBe(requeues)
    }
  })

  it('that comes twice makes one requeue', async () => {
    const system = batchOf()
    const { play, raise } = under(system)
    raise(880, 'SIGUSR1')
    raise(881, 'SIGUSR1')
    await play([(job) => job.on('SIGUSR1', () => undefined)])
    expect(system.requeues).toBe(1)
  })

  it('while it waits to start again sends the job to the queue at once', async () => {
    const system = batchOf()
    const { play, raise, started } = under(system, { backOff: { first: 100, cap: 100 } })
    raise(70, 'SIGUSR1')
    await play([exits(1)])
    expect(started).toHaveLength(1)
    expect(system.requeues).toBe(1)
  })

  it('where the job may not be put back ends it, and says why', async () => {
    const system = batchOf({ requeue: null, requeueRefusal: 'submit it with sbatch --requeue' })
    const { play, raise, started, told } = under(system)
    raise(880, 'SIGUSR1')
    expect((await play([runs])).ending).toBe('timed-out')
    expect([started.length, system.requeues]).toEqual([1, 0])
    expect(told.at(-1)).toContain('submit it with sbatch --requeue')
  })

  it('without a batch system is a signal like any other', async () => {
    const { play, raise, sent } = scene()
    raise(10, 'SIGUSR1')
    await play([
      (job) => {
        job.on('SIGUSR1', () => undefined)
        job.at(60, () => job.exit(0))
      },
    ])
    expect(sent).toEqual([['SIGUSR1']])
  })
})

describe('a requeue', () => {
  it('is what exit status 85 asks for', async () => {
    const system = batchOf()
    const { play, entries } = under(system)
    expect(await play([exits(85)])).toEqual({ status: 85, ending: 'requeue' })
    expect(system.requeues).toBe(1)
    expect(entries().find(({ what }) => what === 'end')).toMatchObject({ next: 'requeue' })
  })

  it('is not asked for by another rank than the first: it starts again where it is', async () => {
    const system = batchOf({ isLeader: false })
    const { play, started } = under(system)
    await play([exits(85), exits(0)])
    expect([started.length, system.requeues]).toEqual([2, 0])
  })

  it('is not asked for where somebody was faster', async () => {
    const system = batchOf()
    const { play, entries } = under(system)
    const story: Story = (job) =>
      job.at(60, () => {
        system.ending = 'requeued'
        job.exit(85)
      })
    await play([story])
    expect(system.requeues).toBe(0)
    expect(entries().at(-1)?.what).toBe('requeue')
  })

  it('that fails is reported, and the job starts again where it is', async () => {
    const system = batchOf()
    system.obeys = false
    const { play, started, told } = under(system)
    await play([exits(85), exits(0)])
    expect(started).toHaveLength(2)
    expect(told).toContain('Slurm did not put job 4711_3 back: scontrol requeue 4711_3 failed')
  })

  it('whose command is killed by its own success counts', async () => {
    const system = batchOf()
    const { play, entries } = under({
      ...system,
      async requeue() {
        await system.requeue()
        return false
      },
    })
    await play([exits(85)])
    expect(entries().at(-1)?.what).toBe('requeue')
  })

  it('by the scheduler itself, for a preemption, is only written down', async () => {
    const system = batchOf()
    const { play, entries, raise } = under(system)
    const story: Story = (job) => job.on('SIGTERM', () => job.at(1, () => job.kill('SIGTERM')))
    const ending = play([story])
    raise(50, 'SIGTERM')
    system.ending = 'requeued'
    expect((await ending).ending).toBe('preempted')
    expect(system.requeues).toBe(0)
    expect(entries().map(({ what }) => what)).toEqual(['start', 'end', 'requeue'])
  })

  it('at a time limit that came without a warning is asked for before the job has ended', async () => {
    const system = batchOf()
    const { play, raise } = under(system)
    const asked: number[] = []
    const story: Story = (job) => {
      job.at(40, () => (system.ending = 'time-limit'))
      job.on('SIGTERM', () => {
        job.at(10, () => asked.push(system.requeues))
        job.at(20, () => job.exit(1))
      })
    }
    raise(50, 'SIGTERM')
    expect((await play([story])).ending).toBe('timed-out')
    expect(asked).toEqual([1])
    expect(system.requeues).toBe(1)
  })

  it('is not asked for where the job was cancelled', async () => {
    const system = batchOf()
    system.ending = 'cancelled'
    const { play, raise } = under(system)
    raise(50, 'SIGTERM')
    expect((await play([runs])).ending).toBe('stopped')
    expect(system.requeues).toBe(0)
  })
})

describe('a job that was put back', () => {
  it('goes on counting, and knows how it had ended', async () => {
    const first = under(batchOf())
    await first.play([exits(85)])
    const second = under(batchOf({ restarts: 1 }), { path: first.run })
    await second.play([exits(0)])
    expect(second.environments[0]).toMatchObject({
      CKPT_ATTEMPT: '2',
      CKPT_REASON: 'requeue',
      CKPT_PREVIOUS_EXIT: '85',
    })
  })

  it('has what is left of its budget, until there is a new checkpoint', async () => {
    const limits = { ...scene().plan.limits, failed: 1 }
    const first = under(batchOf(), { limits })
    await first.play([exits(1), exits(85)])
    const second = under(batchOf({ restarts: 1 }), { path: first.run, limits })
    expect(await second.play([exits(1)])).toMatchObject({ status: 1, ending: 'failed' })
    expect(second.started).toHaveLength(1)
    const third = under(batchOf({ restarts: 2 }), { path: first.run, limits })
    const saves: Story = (job) => {
      job.at(30, () => job.save(1))
      job.at(60, () => job.exit(85))
    }
    await third.play([saves])
    const fourth = under(batchOf({ restarts: 3 }), { path: first.run, limits })
    await fourth.play([exits(1)])
    expect(fourth.started).toHaveLength(2)
  })

  it('after its work was done has nothing to do, but --again', async () => {
    const first = under(batchOf())
    await first.play([exits(0)])
    const second = under(batchOf({ restarts: 1 }), { path: first.run })
    expect(await second.play([exits(1)])).toEqual({ status: 0, ending: 'done' })
    expect(second.started).toEqual([])
    const again = under(batchOf({ restarts: 1 }), { path: first.run, again: true })
    await again.play([exits(0)])
    expect(again.started).toHaveLength(1)
  })
})

describe('a job in a chain', () => {
  const chained = (path: string) => under(batchOf({ id: '4712', arrayTask: null, isChained: true }), { path })

  it('has nothing to do once the work is done', async () => {
    const first = under(batchOf())
    await first.play([exits(0)])
    const next = chained(first.run)
    expect(await next.play([exits(1)])).toEqual({ status: 0, ending: 'done' })
    expect(next.started).toEqual([])
    expect(next.told.at(-1)).toContain('--again')
  })

  it('goes on while it is not', async () => {
    const first = under(batchOf(), { limits: { ...scene().plan.limits, failed: 0, 'never-started': 0 } })
    await first.play([exits(1)])
    const next = chained(first.run)
    await next.play([exits(0)])
    expect(next.started).toHaveLength(1)
  })
})
