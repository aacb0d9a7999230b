/** A failing start blames the checkpoint that it was seen to read, and no other. */
import { describe, expect, it } from 'vitest'
import { scene, type Story } from './scene.js'

const model = (name: string) => `${name}/model.ckpt`

/** Reads these checkpoints a while, and fails after so many seconds. */
const readsAndFails =
  (names: readonly string[], seconds = 60): Story =>
  (job) => {
    job.at(1, () => {
      for (const name of names) job.open(model(name))
    })
    job.at(seconds, () => job.exit(1))
  }

async function play(story: Story, more: Parameters<typeof scene>[0] = {}, world: Parameters<typeof scene>[1] = {}) {
  const told = scene({ setAsideAfter: 2, backOff: { first: 1, cap: 1 }, ...more }, world)
  const [older, newer] = [told.save(1), told.save(2)]
  const aside: string[] = []
  await told.play([story], { setAside: async ({ name }) => void aside.push(name) })
  const ends = told.entries().flatMap((entry) => (entry.what === 'end' ? [entry] : []))
  return { ...told, older, newer, aside, ends }
}

it('a start that is seen to read another checkpoint alone sets the chosen one not aside', async () => {
  const { aside, ends, told, older, newer } = await play(readsAndFails(['CKPT+ep001']))
  expect(aside).toEqual([])
  expect(ends.length).toBeGreaterThan(2)
  expect(ends.map(({ ending, opened }) => [ending, opened])).toEqual(ends.map(() => ['failed', [older]]))
  expect(told).toContain(`it was seen to read ${older} and not ${newer}, which is not blamed for that`)
})

it.each([
  ['the chosen one', ['CKPT+ep002']],
  ['both', ['CKPT+ep001', 'CKPT+ep002']],
])('a start that is seen to read %s sets it aside', async (_, names) => {
  const { aside, ends, newer } = await play(readsAndFails(names))
  expect(aside[0]).toBe(newer)
  expect(ends[0]?.opened).toEqual(names)
})

it('a start that was not seen to read any blames the chosen one, as where nothing tells', async () => {
  const { aside, ends, newer } = await play(readsAndFails([]))
  expect(aside[0]).toBe(newer)
  expect(ends[0]?.opened).toBeUndefined()
})

it('a start that fails soon, but was seen to read its checkpoint, had started', async () => {
  const { aside, ends, newer } = await play(readsAndFails(['CKPT+ep002'], 5), { minUptime: 10 })
  expect(ends[0]?.ending).toBe('failed')
  expect(aside[0]).toBe(newer)
  const unseen = await play(readsAndFails([], 5), { minUptime: 10 })
  expect(unseen.ends[0]?.ending).toBe('never-started')
  expect(unseen.aside).toEqual([])
  const other = await play(readsAndFails(['CKPT+ep001'], 5), { minUptime: 10 })
  expect(other.ends[0]?.ending).toBe('never-started')
})

it('what stands beside the parameters is read by whoever chooses, and says nothing', async () => {
  const { aside, newer } = await play((job) => {
    job.at(1, () => job.open('CKPT+ep001/CKPT.yaml'))
    job.at(60, () => job.exit(1))
  })
  expect(aside[0]).toBe(newer)
})

describe('where the file system notes each read', () => {
  const noting = { notesAccess: true }

  it('a start that failed before it had read any never started, however late', async () => {
    const { aside, ends } = await play(readsAndFails([]), {}, noting)
    expect(aside).toEqual([])
    const why = 'exit status 1; it had not read its checkpoint'
    expect(ends.map((end) => [end.ending, end.why, end.unread])).toEqual(ends.map(() => ['never-started', why, true]))
  })

  it('one that read its own between two looks had started, and sets it aside', async () => {
    const story: Story = (job) => {
      job.at(1, () => job.read(model('CKPT+ep002')))
      job.at(5, () => job.exit(1))
    }
    const { aside, ends, newer } = await play(story, { minUptime: 10 }, noting)
    expect([ends[0]?.ending, ends[0]?.unread, aside[0]]).toEqual(['failed', undefined, newer])
  })

  it('one that ran out of memory or hung before it had read any blames none', async () => {
    const outOfMemory: Story = (job) => {
      job.at(60, () => {
        job.runOutOfMemory()
        job.kill('SIGKILL')
      })
    }
    const out = await play(outOfMemory, {}, noting)
    expect([out.ends[0]?.ending, out.aside]).toEqual(['out-of-memory', []])
    const hung = await play(() => undefined, { stall: 100 }, noting)
    expect([hung.ends[0]?.ending, hung.aside]).toEqual(['hung', []])
    expect((await play(outOfMemory)).aside).not.toEqual([])
  })

  it('with a --min-uptime of nothing each start counts', async () => {
    const { aside, ends, newer } = await play(readsAndFails([]), { minUptime: 0 }, noting)
    expect([ends[0]?.ending, ends[0]?.unread, aside[0]]).toEqual(['failed', undefined, newer])
  })

  it('one that was seen to read another alone had started', async () => {
    const { aside, ends } = await play(readsAndFails(['CKPT+ep001']), {}, noting)
    expect([ends[0]?.ending, aside]).toEqual(['failed', []])
  })
})
