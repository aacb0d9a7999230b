import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { scene, type Story } from './scene.js'

const exits =
  (status: number, seconds = 60): Story =>
  (job) =>
    job.at(seconds, () => job.exit(status))

const dies =
  (signal: NodeJS.Signals, seconds = 60): Story =>
  (job) =>
    job.at(seconds, () => job.kill(signal))

/** What the journal says of each end. */
function endings(entries: ReturnType<ReturnType<typeof scene>['entries']>): string[] {
  return entries.flatMap((entry) => (entry.what === 'end' ? [entry.ending] : []))
}

describe('an end is', () => {
  it.each<[string, Story]>([
    ['failed', exits(1)],
    ['failed', dies('SIGSEGV')],
    ['never-started', exits(1, 3)],
    ['preempted', dies('SIGKILL')],
    ['preempted', exits(143)],
    ['timed-out', exits(124)],
    ['timed-out', dies('SIGXCPU')],
    ['requeue', exits(85)],
    [
      'failed',
      (job) => {
        job.at(1, () => job.save(1))
        job.at(3, () => job.exit(1))
      },
    ],
    [
      'out-of-memory',
      (job) =>
        job.at(60, () => {
          job.runOutOfMemory()
          job.kill('SIGKILL')
        }),
    ],
    [
      'out-of-memory',
      (job) =>
        job.at(60, () => {
          job.runOutOfMemory()
          job.exit(1)
        }),
    ],
  ])('%s', async (ending, story) => {
    const { play, entries } = scene()
    expect(await play([story, exits(0)])).toEqual({ status: 0, ending: 'done' })
    expect(endings(entries())).toEqual([ending, 'done'])
  })

  it('stopped by a SIGINT for the command alone, and not tried again', async () => {
    const { play, started } = scene()
    expect(await play([dies('SIGINT')])).toEqual({ status: 130, ending: 'stopped' })
    expect(started).toHaveLength(1)
  })

  it('final for a status that is not retried', async () => {
    const { play, started, told } = scene({ noRetryOn: new Set([2, 64]) })
    expect(await play([exits(64)])).toEqual({ status: 64, ending: 'failed' })
    expect(started).toHaveLength(1)
    expect(told.at(-1)).toBe('failed with exit status 64 after 60 s; exit status 64 is not retried')
  })

  it('a wish to be started again for a status that is reported so, without a batch system too', async () => {
    const { play, entries, environments } = scene({ requeueOn: new Set([99]) })
    expect(await play([exits(99), exits(0)])).toMatchObject({ status: 0 })
    expect(endings(entries())).toEqual(['requeue', 'done'])
    expect(environments[1]).toMatchObject({ CKPT_REASON: 'requeue', CKPT_PREVIOUS_EXIT: '99' })
  })

  it('followed at once where there is nothing to wait for, and told how many retries are left', async () => {
    const { play, told } = scene({ backOff: { first: 0.001, cap: 1 }, limits: { ...scene().plan.limits, failed: 1 } })
    await play([exits(1)])
    expect(told.filter((line) => line.startsWith('failed'))).toEqual([
      'failed with exit status 1 after 60 s; starting again at once (attempt 2, 0 of 1 retries left)',
      'failed with exit status 1 after 60 s; failed: its one retry is used up',
    ])
  })

  it('told with the seconds that it took, also where those are few', async () => {
    const { play, told } = scene({ noRetryOn: new Set([1]) })
    await play([exits(1, 0.5)])
    expect(told.at(-1)).toContain('after 0.5 s;')
  })
})

describe('a stall', () => {
  it('ends a job that has brought nothing for so long, and it starts again', async () => {
    const { play, sent, entries, told } = scene({ stall: 600 })
    await play([() => undefined, exits(0)])
    expect(sent[0]).toEqual(['SIGTERM'])
    expect(endings(entries())).toEqual(['hung', 'done'])
    expect(told).toContainEqual(expect.stringMatching(/^asking it to end: no activity for 60\d s$/))
  })

  it('is none while checkpoints appear, or stdout grows into a file', async () => {
    for (const live of [
      (job: Parameters<Story>[0], minute: number) => {
        job.save(minute)
      },
      (job: Parameters<Story>[0]) => {
        job.print(1)
      },
    ]) {
      const { play } = scene({ stall: 600 }, { outputIsFile: true })
      const story: Story = (job) => {
        for (let minute = 5; minute <= 60; minute += 5) {
          job.at(minute * 60, () => {
            live(job, minute)
          })
        }
        job.at(3601, () => job.exit(0))
      }
      expect(await play([story])).toMatchObject({ ending: 'done' })
    }
  })

  it('that outlives the grace is killed', async () => {
    const { play, sent } = scene({ stall: 600, grace: 30 })
    await play([(job) => job.on('SIGTERM', () => undefined), exits(0)])
    expect(sent[0]).toEqual(['SIGTERM', 'SIGKILL'])
  })
})

describe('a checkpoint from which starts bring nothing', () => {
  const marks = () => {
    const aside: string[] = []
    const back: string[] = []
    const chores = {
      setAside: async ({ name }: { name: string }) => void aside.push(name),
      takeBack: async (all: readonly { name: string }[]) => void back.push(...all.map(({ name }) => name)),
    }
    return { aside, back, chores }
  }

  it('is set aside, and the one before is tried, which goes on', async () => {
    const { play, save, started, told, entries } = scene({ resumeArgs: ['{name}'] })
    const { aside, back, chores } = marks()
    save(1)
    save(2)
    const recovers: Story = (job) => {
      job.at(30, () => job.save(3))
      job.at(60, () => job.exit(0))
    }
    await play([exits(1), exits(1), exits(1), recovers], chores)
    expect(started.map(([, name]) => name)).toEqual(['CKPT+ep002', 'CKPT+ep002', 'CKPT+ep002', 'CKPT+ep001'])
    expect([aside, back]).toEqual([['CKPT+ep002'], []])
    expect(told).toContain('CKPT+ep002 is set aside: 3 starts from it saved no new checkpoint')
    expect(entries().filter(({ what }) => what === 'set-aside')).toHaveLength(1)
  })

  it('is no longer, where the one before brought nothing either', async () => {
    const { play, save } = scene()
    const { aside, back, chores } = marks()
    save(1)
    save(2)
    expect(await play([exits(1)], chores)).toMatchObject({ ending: 'failed' })
    expect([aside, back]).toEqual([['CKPT+ep002'], ['CKPT+ep002']])
  })

  it('is not for preemptions, nor where there is none before it', async () => {
    const preempted = scene()
    preempted.save(1)
    preempted.save(2)
    const first = marks()
    await preempted.play([...Array.from({ length: 6 }, () => dies('SIGTERM')), exits(0)], first.chores)
    const only = scene()
    only.save(1)
    const second = marks()
    await only.play([exits(1)], second.chores)
    expect([first.aside, second.aside]).toEqual([[], []])
  })
})

describe('early stopping', () => {
  const patience = { order: { kind: 'min' as const, key: 'WER' }, checkpoints: 2, minDelta: 0, warmup: 0 }
  /** A checkpoint a minute, of these WERs. */
  const scores =
    (...values: number[]): Story =>
    (job) =>
      values.forEach((WER, index) => job.at(60 * (index + 1), () => job.save(index + 1, { WER })))

  it('asks the job to end once so many checkpoints brought nothing, and that is success', async () => {
    const { play, sent, entries, told } = scene({ enough: { patience, when: [] } })
    expect(await play([scores(9, 5, 6, 7, 1)])).toEqual({ status: 0, ending: 'done' })
    expect(sent).toEqual([['SIGTERM']])
    expect(entries().filter(({ what }) => what === 'checkpoint')).toHaveLength(4)
    expect(told).toContain(
      'asking it to end: nothing more to gain: no improvement in the last 2 checkpoints since WER 5 of CKPT+ep002',
    )
  })

  it('does not start what has nothing to gain', async () => {
    const first = scene({ enough: { patience, when: [] } })
    await first.play([scores(9, 5, 6, 7)])
    const second = scene({ path: first.run, enough: { patience, when: [] } })
    expect(await second.play([exits(1)])).toEqual({ status: 0, ending: 'done' })
    expect(second.started).toEqual([])
  })

  it('counts what was there before, though it is pruned after the first end', async () => {
    const { play, save, run } = scene({ enough: { patience: { ...patience, checkpoints: 3 }, when: [] } })
    save(1, { WER: 1 })
    save(2, { WER: 5 })
    const chores = { onEnd: async () => rmSync(join(run, 'CKPT+ep001'), { recursive: true, force: true }) }
    const crash: Story = (job) => {
      job.at(30, () => job.save(3, { WER: 4 }))
      job.at(60, () => job.exit(1))
    }
    const last: Story = (job) => job.at(30, () => job.save(4, { WER: 3 }))
    expect(await play([crash, last], chores)).toEqual({ status: 0, ending: 'done' })
  })

  it('by a stop file, which is taken away, lets the job end when it likes', async () => {
    const stage = scene()
    const file = `${stage.run}-stop`
    const { play, sent } = scene({ enough: { patience, when: [] }, stop: { signal: 'SIGTERM', file }, path: stage.run })
    const story: Story = (job) => {
      scores(5, 6, 7)(job)
      job.at(300, () => job.exit(existsSync(file) ? 0 : 9))
    }
    expect(await play([story])).toEqual({ status: 0, ending: 'done' })
    expect([sent, existsSync(file)]).toEqual([[[]], false])
  })

  it('that the job answers with a failure is one', async () => {
    const { play } = scene({ enough: { patience, when: [] } })
    const story: Story = (job) => {
      job.on('SIGTERM', () => job.exit(3))
      scores(5, 6, 7)(job)
    }
    expect(await play([story])).toEqual({ status: 3, ending: 'failed' })
  })
})

describe('ckpt stop', () => {
  it('ends the job now, and it is not started again', async () => {
    const { play, sent, started } = scene()
    expect(await play([() => undefined], { stopAsked: async () => 'now' })).toMatchObject({ ending: 'stopped' })
    expect([sent, started.length]).toEqual([[['SIGTERM']], 1])
  })

  it('waits for the next checkpoint where that was asked', async () => {
    const { play, entries } = scene()
    const story: Story = (job) => job.at(500, () => job.save(1))
    await play([story], { stopAsked: async () => 'after-next-checkpoint' })
    expect(entries().map(({ what }) => what)).toEqual(['start', 'checkpoint', 'end'])
  })

  it('that came while nothing ran starts nothing', async () => {
    let asked: 'now' | null = null
    const { play, started } = scene()
    const chores = { onEnd: async () => void (asked = 'now'), stopAsked: async () => asked }
    expect(await play([exits(1)], chores)).toMatchObject({ status: 1 })
    expect(started).toHaveLength(1)
  })
})

describe('a signal for ckpt', () => {
  it('reaches the job, which has its grace, and ends it all', async () => {
    const { play, raise, sent, started } = scene()
    raise(10, 'SIGTERM')
    expect(await play([(job) => job.on('SIGTERM', () => job.at(5, () => job.exit(7)))])).toEqual({
      status: 7,
      ending: 'stopped',
    })
    expect([sent, started.length]).toEqual([[['SIGTERM']], 1])
  })

  it('a second Ctrl-C kills', async () => {
    const { play, raise, sent, now } = scene({}, { isForeground: true })
    raise(10, 'SIGINT')
    raise(12, 'SIGINT')
    await play([(job) => job.on('SIGINT', () => undefined)])
    expect(sent).toEqual([['SIGKILL']])
    expect(now()).toBeLessThan(20)
  })

  it('that the terminal did not send to a job in a session of its own is passed on', async () => {
    const { play, raise, sent } = scene({}, { isForeground: true, isApart: true })
    raise(10, 'SIGINT')
    expect((await play([(job) => job.on('SIGINT', () => job.exit(7))])).status).toBe(7)
    expect(sent).toEqual([['SIGINT']])
  })

  it('while it waits to start again ends it', async () => {
    const { play, raise, started } = scene({ backOff: { first: 100, cap: 100 } })
    raise(70, 'SIGINT')
    expect(await play([exits(1)])).toEqual({ status: 1, ending: 'failed' })
    expect(started).toHaveLength(1)
  })
})

it('a signal that only passes through reaches a job that catches it, and none that would die of it', async () => {
  const caught = scene()
  caught.raise(1030, 'SIGUSR2')
  await caught.play([(job) => job.on('SIGUSR2', () => job.exit(0))])
  expect(caught.sent).toEqual([['SIGUSR2']])
  const spared = scene()
  spared.raise(1030, 'SIGUSR1')
  expect(await spared.play([exits(0, 2000)])).toMatchObject({ status: 0 })
  expect(spared.sent).toEqual([[]])
  expect(spared.told.some((text) => text.startsWith('no process of the command catches SIGUSR1'))).toBe(true)
})
