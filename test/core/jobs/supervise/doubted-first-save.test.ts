/** Accelerate's `save_state` has ended with its own files when what a script registered is still to be written. */
import { cpSync, existsSync, mkdirSync, readdirSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { JobPlan } from '../../../../src/core/jobs/supervise/index.js'
import { dawn, scene, type Scene, type Story } from './scene.js'

const fixtures = join(import.meta.dirname, '../../../fixtures/runs/frameworks')

/** As far as the fixture's first one was written without the script's own objects. */
function saveAt(run: string, seconds: number, name = 'checkpoint_0'): void {
  copyAt(join(fixtures, 'accelerate/run/checkpoints/checkpoint_0'), join(run, name), seconds, /^custom_checkpoint_0/)
}

function copyAt(from: string, path: string, seconds: number, left: RegExp): void {
  mkdirSync(path, { recursive: true })
  for (const name of readdirSync(from).filter((one) => !left.test(one))) {
    cpSync(join(from, name), join(path, name), { recursive: true })
    utimesSync(join(path, name), dawn + seconds, dawn + seconds)
  }
  utimesSync(path, dawn + seconds, dawn + seconds)
}

/** Killed so many seconds after the last byte of its save. */
const saves =
  (end: (job: Parameters<Story>[0]) => void, after: number, names = ['checkpoint_0']) =>
  ({ run }: Scene): Story =>
  (job) => {
    job.at(100, () => names.forEach((name, index) => saveAt(run, 100 - index, name)))
    job.at(100 + after, () => end(job))
  }

const killed = (job: Parameters<Story>[0]) => job.kill('SIGKILL')

/** Reads all that is there, and fails. */
const reads: Story = (job) => {
  for (const number of [0, 1, 7]) job.at(1, () => job.read(`checkpoint_${number}/optimizer.bin`))
  job.at(20, () => job.exit(1))
}

async function startsOf(
  first: (scene: Scene) => Story,
  then: readonly Story[],
  more: Partial<JobPlan> = {},
): Promise<(string | null)[]> {
  const told = scene(more, { notesAccess: true })
  await told.play([first(told), ...then])
  return told.entries().flatMap((entry) => (entry.what === 'start' ? [entry.checkpoint] : []))
}

const ends: Story = (job) => job.at(60, () => job.exit(0))
const again = 'checkpoint_0'

describe('the first save of a job that was killed right behind it, and that no start gets past', () => {
  it('counts as never finished after three starts that read it and failed', async () => {
    const starts = await startsOf(saves(killed, 0.2), [reads, reads, reads, ends])
    expect(starts).toEqual([null, again, again, again, null])
  })

  it('does so after as many as were asked for', async () => {
    const starts = await startsOf(saves(killed, 0.2), [reads, ends], { setAsideAfter: 1 })
    expect(starts).toEqual([null, again, null])
  })

  it.each<[string, (scene: Scene) => Story]>([
    ['the job lived on for a minute after it', saves(killed, 60)],
    ['the job was asked to end, and may have saved for that', saves((job) => job.kill('SIGTERM'), 0.2)],
    ['the job ended by itself', saves((job) => job.exit(1), 0.2)],
    ['it is not the only one', saves(killed, 0.2, ['checkpoint_0', 'checkpoint_1'])],
    ['its number tells of others before it', saves(killed, 0.2, ['checkpoint_7'])],
  ])('is left where %s', async (_, first) => {
    const starts = await startsOf(first, [reads, reads, reads, ends])
    expect(starts.slice(1)).not.toContain(null)
  })

  it('is left by starts that had read nothing, or were killed', async () => {
    const fails: Story = (job) => job.at(20, () => job.exit(1))
    expect((await startsOf(saves(killed, 0.2), [fails])).slice(1)).not.toContain(null)
    const dies: Story = (job) => {
      job.at(1, () => job.read('checkpoint_0/optimizer.bin'))
      job.at(20, () => job.kill('SIGKILL'))
    }
    const starts = await startsOf(saves(killed, 0.2), [...Array.from({ length: 5 }, () => dies), ends])
    expect(starts.slice(1)).not.toContain(null)
  })

  it('is left where a start from it came to another one', async () => {
    const goesOn =
      ({ run }: Scene): Story =>
      (job) => {
        job.at(50, () => saveAt(run, 300, 'checkpoint_1'))
        job.at(52, () => job.exit(1))
      }
    const told = scene({}, { notesAccess: true })
    await told.play([saves(killed, 0.2)(told), goesOn(told), reads, reads, reads])
    expect(existsSync(join(told.run, 'checkpoint_1'))).toBe(true)
    expect(told.entries().filter((entry) => entry.what === 'start' && entry.checkpoint === null)).toHaveLength(1)
  })

  it('is left where its framework writes the file that tells of its end last of all', async () => {
    const trainer =
      ({ run }: Scene): Story =>
      (job) => {
        job.at(100, () => copyAt(join(fixtures, 'hf_trainer/run/checkpoint-6'), join(run, 'checkpoint-6'), 100, /^$/))
        job.at(100.2, () => job.kill('SIGKILL'))
      }
    const readsIt: Story = (job) => {
      job.at(1, () => job.read('checkpoint-6/optimizer.pt'))
      job.at(20, () => job.exit(1))
    }
    const starts = await startsOf(trainer, [readsIt, readsIt, readsIt, ends])
    expect(starts.slice(1)).not.toContain(null)
  })
})
