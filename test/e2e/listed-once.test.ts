/** Each folder of a run is listed once, whatever a command asks of it. */
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, isOneFile, temporaryDirectory } from './ckpt.js'
import { noteListed } from './in-process.js'
import { epochs, makeRun, nameOf } from './runs.js'

const count = 9

/** How often each folder of the run and of its checkpoints was listed, where that is not once. */
async function listedAnew(run: string, args: readonly string[]): Promise<Record<string, number>> {
  let status: number | undefined
  const listed = await noteListed(async () => {
    status = (await ckpt(args)).status
  })
  expect(status).toBe(0)
  const counts = new Map<string, number>()
  for (const path of listed) if (path.startsWith(run)) counts.set(path, (counts.get(path) ?? 0) + 1)
  // What was not noted at all proves nothing.
  expect(counts.size).toBeGreaterThan(count)
  return Object.fromEntries([...counts].flatMap(([path, times]) => (times > 1 ? [[basename(path), times]] : [])))
}

/** By command line, without the run: by name what is looked at a second time, and for a reason. */
const questions: readonly (readonly [args: readonly string[], again: Readonly<Record<string, number>>])[] = [
  [['find'], {}],
  [['find', '--min', 'WER', '--num', '3'], {}],
  [['list'], {}],
  [['show'], {}],
  [['verify'], {}],
  // Whether what a job goes on from is still being written takes a look of its own.
  [['recover'], { [nameOf(count)]: 2 }],
  [['report', '--output', 'FILE'], {}],
  [['prune', '--keep', '1', '--verify', 'quick', '--dry-run'], {}],
  [['demote', '--keep', '1', '--verify', 'quick', '--dry-run'], {}],
]

describe.skipIf(isOneFile)('each folder of a run is listed once by', () => {
  it.each(questions)('ckpt %j', async ([command, ...flags], again) => {
    const run = makeRun(epochs(count))
    const typed = flags.map((flag) => (flag === 'FILE' ? join(temporaryDirectory(), 'report.html') : flag))
    expect(await listedAnew(run, [command ?? '', run, ...typed])).toEqual(again)
  })

  it.each([['show'], ['rm', '--dry-run']])('ckpt %s of one checkpoint %s', async (command, ...flags) => {
    const run = makeRun(epochs(count))
    expect(await listedAnew(run, [command, join(run, nameOf(2)), ...flags])).toEqual({})
  })
})
