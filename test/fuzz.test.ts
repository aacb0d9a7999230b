/** A short run of what `npm run fuzz` does at length. */
import * as fs from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { attempt, folderSpecimens, randomFrom, runSpecimens, specimensOf, writtenSpecimens } from './fuzz.js'

const fixtures = new URL('./fixtures/', import.meta.url).pathname

function* filesIn(folder: string): Generator<[string, Uint8Array]> {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesIn(path)
    else if (entry.isFile()) yield [path, fs.readFileSync(path)]
  }
}

it.each([1, 2, 3])('changed files are read or refused, never a crash (seed %i)', async (seed) => {
  const random = randomFrom(seed)
  const specimens = await specimensOf(filesIn(fixtures))
  const outcomes = { read: 0, refused: 0 }
  for (let trial = 0; trial < 1000; trial += 1) {
    const specimen = specimens[random(specimens.length)]
    if (specimen === undefined) throw new Error('no fixtures')
    const { read } = await attempt(specimen.reader, specimen.mutant(random))
    outcomes[read ? 'read' : 'refused'] += 1
  }
  // Which fixtures there are decides how many; that both are met is what makes the run one.
  expect(outcomes.read).toBeGreaterThan(20)
  expect(outcomes.refused).toBeGreaterThan(20)
})

it.each(['settings', 'answer', 'record'] as const)('so are changed texts that no fixture is: %s', async (reader) => {
  const random = randomFrom(4)
  const specimens = writtenSpecimens().filter((one) => one.reader === reader)
  const outcomes = { read: 0, refused: 0 }
  for (let trial = 0; trial < 500; trial += 1) {
    const specimen = specimens[random(specimens.length)]
    if (specimen === undefined) throw new Error('no texts')
    const { read } = await attempt(reader, specimen.mutant(random))
    outcomes[read ? 'read' : 'refused'] += 1
  }
  expect(outcomes.read).toBeGreaterThan(5)
  expect(outcomes.refused).toBeGreaterThan(50)
})

it('so are metas, indexes and pointers in runs of real frameworks: no run is lost for one file', async () => {
  const random = randomFrom(5)
  const specimens = runSpecimens(join(fixtures, 'runs', 'frameworks'))
  for (const kind of ['meta', 'index', 'pointer'] as const) {
    const ofKind = specimens.filter(({ reader }) => reader === kind)
    for (let trial = 0; trial < 60; trial += 1) {
      const specimen = ofKind[random(ofKind.length)]
      if (specimen === undefined) throw new Error(`no fixture has a file that is: ${kind}`)
      expect(await attempt(kind, specimen.mutant(random))).toMatchObject({ read: true })
    }
  }
})

it('so are folders of several processes of which one file is changed, and files by themselves', async () => {
  const random = randomFrom(5)
  const specimens = await folderSpecimens(fixtures)
  const outcomes = { read: 0, refused: 0 }
  for (let trial = 0; trial < 200; trial += 1) {
    const specimen = specimens[random(specimens.length)]
    if (specimen === undefined) throw new Error('no folders')
    const { read } = await attempt(specimen.reader, specimen.mutant(random))
    outcomes[read ? 'read' : 'refused'] += 1
  }
  expect(outcomes.read).toBeGreaterThan(20)
  expect(outcomes.refused).toBeGreaterThan(20)
})
