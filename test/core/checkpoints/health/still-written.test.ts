import { appendFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { lookInterval, markStillWritten, mayBeWritten } from '../../../../src/core/checkpoints/health/index.js'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeFolder, write } from '../layouts/folders.js'

const storage = localStorage()

/** A run of two whose files were all modified at `time`, Unix seconds. */
function makeRun(time: number): string {
  const root = makeFolder()
  for (const name of ['CKPT+a', 'CKPT+b']) {
    for (const [file, text] of Object.entries({ 'CKPT.yaml': 'unixtime: 1.0\n', 'model.ckpt': 'x' })) {
      write(root, { [`${name}/${file}`]: text })
      utimesSync(join(root, name, file), time, time)
    }
  }
  return root
}

/** Settles the run while `during` happens between the two looks; gives the findings and the waits taken. */
async function settleWhile(root: string, now: number, during: () => void) {
  const waits: number[] = []
  const { checkpoints } = await loadRun(storage, root)
  const wait = async (milliseconds: number): Promise<void> => {
    waits.push(milliseconds)
    during()
  }
  const settled = await markStillWritten(storage, checkpoints, { now, wait })
  return { waits, findings: settled.map((checkpoint) => checkpoint.health.findings.map((finding) => finding.reason)) }
}

describe('settle', () => {
  const now = 1_800_000_000

  it('waits once for all, and finds nothing in what keeps still', async () => {
    const { waits, findings } = await settleWhile(makeRun(now - 10), now, () => undefined)
    expect(waits).toEqual([lookInterval])
    expect(findings).toEqual([[], []])
  })

  it('does not wait when nothing was modified within the hour', async () => {
    const { waits } = await settleWhile(makeRun(now - 3601), now, () => undefined)
    expect(waits).toEqual([])
  })

  it('waits when a time lies in the future: one of the clocks is wrong', async () => {
    expect((await settleWhile(makeRun(now + 86_400), now, () => undefined)).waits).toEqual([lookInterval])
  })

  it.each<[string, (root: string) => void, RegExp]>([
    ['grows', (root) => appendFileSync(join(root, 'CKPT+b/model.ckpt'), 'more'), /1 bytes, and 5 a second later/],
    ['is written in place', (root) => utimesSync(join(root, 'CKPT+b/model.ckpt'), now, now), /modified again/],
    ['appears', (root) => writeFileSync(join(root, 'CKPT+b/optimizer.ckpt'), ''), /appeared/],
    ['goes away', (root) => rmSync(join(root, 'CKPT+b/model.ckpt')), /went away/],
  ])('finds the checkpoint unfinished where a file %s', async (_, change, reason) => {
    const root = makeRun(now - 10)
    const { findings } = await settleWhile(root, now, () => change(root))
    expect(findings[0]).toEqual([])
    expect(findings[1]?.join()).toMatch(reason)
  })
})

describe('those that may still be written', () => {
  const now = 1_800_000_000
  const young = (count: number) => Array.from({ length: count }, (_, index) => ({ modified: now - 3000 + index / 10 }))

  it('are all that were written within the hour', () => {
    const all = [{ modified: now - 3601 }, ...young(1000), { modified: now + 86_400 }, { modified: null }]
    expect(mayBeWritten(all.slice(0, 1001), now, false)).toEqual(all.slice(1, 1001))
    expect(mayBeWritten([...all.slice(0, 1), ...all.slice(-2)], now, false)).toEqual(all.slice(-2))
  })

  it('are the newest of very many, and those whose time is unknown: a copy or an archive brought the others', () => {
    const [unknown, last] = [{ modified: null }, { modified: now }]
    const all = [last, ...young(5000), unknown]
    expect(mayBeWritten(all, now, false)).toEqual([last, ...all.slice(-999)])
    expect(mayBeWritten(all, now, true)).toEqual([last, unknown])
    expect(mayBeWritten(all, now - 2600, true)).toEqual([])
  })
})
