/** A folder is passed over by the names in it only where no layout would find a candidate there. */
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fitsNothing } from '../../../../../src/core/checkpoints/layouts/engine/fits-nothing.js'
import { scanSpecs } from '../../../../../src/core/checkpoints/layouts/engine/scan-specs.js'
import { walkFrom } from '../../../../../src/core/checkpoints/layouts/index.js'
import { knownSpecs } from '../../../../../src/core/checkpoints/layouts/registry.js'
import { localStorage } from '../../../../../src/core/storage/local.js'
import type { DirectoryEntry } from '../../../../../src/core/storage/storage.js'
import { fixtures, makeFolder, write } from '../folders.js'

const specs = knownSpecs()
const isFruitless = (names: readonly string[]) => fitsNothing({ path: '/nowhere', entries: filesOf(names) }, specs)
/** The paths of files that are looked into there. */
async function lookedInto(names: readonly string[]): Promise<string[]> {
  const looked: string[] = []
  const local = localStorage()
  const open = (path: string) => (looked.push(path), local.open(path))
  const read = (paths: readonly string[], limit: number) => (looked.push(...paths), local.read(paths, limit))
  const storage = { ...local, open, read }
  const found = await scanSpecs(storage, { path: '/nowhere', entries: filesOf(names) }, specs)
  return [...looked, ...found.map(({ path }) => path)]
}

function filesOf(names: readonly string[]): DirectoryEntry[] {
  return names.map((name) => ({ name, kind: 'file' }))
}

/** The files of each folder of the fixtures that has no others below it. */
function foldersOfFixtures(): string[][] {
  const byFolder = new Map<string, string[]>()
  for (const entry of readdirSync(fixtures, { recursive: true, encoding: 'utf8' })) {
    byFolder.set(dirname(entry), [...(byFolder.get(dirname(entry)) ?? []), entry.slice(entry.lastIndexOf('/') + 1)])
  }
  return [...byFolder]
    .filter(([folder]) => [...byFolder.keys()].every((one) => dirname(one) !== folder))
    .map(([, names]) => names)
}

describe('a folder whose names fit nothing', () => {
  it('is told from all folders of the fixtures that have a candidate', async () => {
    let passed = 0
    for (const names of foldersOfFixtures()) {
      const isEmpty = (await lookedInto(names)).length === 0
      if (!isEmpty) passed += 1
      expect([names, isFruitless(names)]).toEqual([names, isEmpty])
    }
    expect(passed).toBeGreaterThan(20)
  })

  it('has no candidate, whatever the names are', async () => {
    const words = foldersOfFixtures().flat()
    const name = fc.oneof(
      fc.constantFrom(...words),
      fc.tuple(fc.constantFrom(...words), fc.string({ maxLength: 2 })).map(([word, more]) => word + more),
      fc.tuple(fc.nat(), fc.constantFrom('.pt', '.npy', '.json', '.h5', '', '.index')).map(([n, end]) => `${n}${end}`),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(name, { maxLength: 4 }), async (names) => {
        if (isFruitless(names)) expect(await lookedInto(names)).toEqual([])
      }),
      { numRuns: 500 },
    )
  })

  it('is none that has folders or links, of which names do not tell', () => {
    for (const kind of ['directory', 'link'] as const)
      expect(fitsNothing({ path: '/nowhere', entries: [{ name: 'x.jpg', kind }] }, specs)).toBe(false)
    expect(isFruitless(['x.jpg'])).toBe(true)
  })

  it('is one with a name that counts beside another alone', () => {
    expect(isFruitless(['a.dat'])).toBe(true)
    expect(isFruitless(['a.dat', 'a.dat.snapshot_iter_10'])).toBe(false)
  })

  it('costs no question about what was remembered of it', async () => {
    const root = write(makeFolder(), {
      'photos/a.jpg': 'x',
      'src/model.py': 'x',
      'run/CKPT+1/CKPT.yaml': 'unixtime: 1\n',
    })
    const recalled: string[] = []
    const answers = {
      recall: (_: unknown, { path }: { readonly path: string }) => (recalled.push(path), Promise.resolve(null)),
      keepNone: () => Promise.resolve(),
    }
    for await (const { run } of walkFrom(localStorage(), root, { answers })) expect(run.path).toBe(join(root, 'run'))
    expect(recalled).toEqual([root, join(root, 'run')])
  })
})

it("a folder under a checkpoint's name with tens of thousands of folders in it is gone through once", async () => {
  const folders = Array.from({ length: 50_000 }, (_, index): DirectoryEntry => ({
    name: `s${index}`,
    kind: 'directory',
  }))
  const list = (paths: readonly string[]) =>
    Promise.resolve(
      paths.map((path) => ({ ok: true as const, value: path === '/exp/100' ? folders : filesOf(['a.jpg', 'b.jpg']) })),
    )
  const storage = { ...localStorage(), list }
  // Each time that all names found so far were copied again, a billion of them would be.
  expect(await scanSpecs(storage, { path: '/exp', entries: [{ name: '100', kind: 'directory' }] }, specs)).toEqual([])
})
