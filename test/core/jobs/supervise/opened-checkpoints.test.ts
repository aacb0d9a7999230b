/** A failing start blames the checkpoint that it was seen to read, and no other. */
import { expect, it } from 'vitest'
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

async function play(story: Story, more: Parameters<typeof scene>[0] = {}) {
  const told = scene({ setAsideAfter: 2, backOff: { first: 1, cap: 1 }, ...more })
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
