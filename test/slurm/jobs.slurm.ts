/** A training script in bash that sleeps and saves through `ckpt save`, under `ckpt run`, in jobs of a real Slurm. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { attemptsOf, readJournal, type JournalEntry } from '../../src/core/changes/journal/index.js'
import { stateFolderOf } from '../../src/core/changes/state/index.js'
import { localStorage } from '../../src/core/storage/local.js'
import { ckpt, temporaryDirectory } from '../e2e/ckpt.js'
import { command, finished, output, running, submit, textOf, until, warn } from './slurm.js'

const train = fileURLToPath(new URL('train.sh', import.meta.url))

const policy = '--keep 2 --min loss --yes'

/** A job script whose run is FOLDER/save; the best and the newest two of it are kept. */
const underRun = (folder: string, flags = policy) =>
  `exec ckpt run "${folder}/save" ${flags} -- bash '${train}' "${folder}/save"\n`

function epochsOf(folder: string): number[] {
  const lines = textOf(join(folder, 'epochs')).split('\n')
  return lines.filter((line) => line !== '').map(Number)
}

const epochDone = (folder: string, epoch: number) =>
  until(`epoch ${epoch} in ${folder}`, () => epochsOf(folder).includes(epoch))

async function journalOf(folder: string): Promise<readonly JournalEntry[]> {
  const storage = localStorage()
  return (await readJournal(storage, await stateFolderOf(storage, join(folder, 'save')))).entries
}

/** A line for each start: `2: timed-out, from epoch-2, saw 3 4, timed-out -> requeue`. */
async function storyOf(folder: string): Promise<string[]> {
  return attemptsOf(await journalOf(folder)).map(({ start, checkpoints, end }) => {
    const saw = checkpoints.map(({ epoch }) => String(epoch)).join(' ')
    const from = start.checkpoint?.replace('CKPT+', '') ?? 'nothing'
    return `${start.attempt}: ${start.reason}, from ${from}, saw ${saw}; ${end?.ending ?? 'no end'} -> ${end?.next ?? ''}`
  })
}

async function requeuesOf(folder: string): Promise<string[]> {
  const entries = await journalOf(folder)
  return entries.flatMap((entry) => (entry.what === 'requeue' ? [`${entry.job.id}#${entry.job.restarts}`] : []))
}

/** The epochs of the checkpoints in the journal. */
async function seenIn(folder: string): Promise<(number | null)[]> {
  return (await journalOf(folder)).flatMap((entry) => (entry.what === 'checkpoint' ? [entry.epoch] : []))
}

async function bestOf(folder: string): Promise<string> {
  const { stdout } = await ckpt(['find', join(folder, 'save'), '--min', 'loss'])
  return stdout.trim()
}

const all = [1, 2, 3, 4, 5, 6]

describe('a job that is warned of its time limit', () => {
  it('saves, is requeued twice, and ends with every epoch done once and the best kept', async () => {
    const folder = temporaryDirectory()
    const id = submit(folder, 'train', underRun(folder), '--time=10', '--requeue')
    await epochDone(folder, 1)
    warn(id)
    await running(id, 1)
    await epochDone(folder, 3)
    warn(id)
    const [record] = await finished(id)
    expect([record?.state, record?.restarts], output(folder, 'train')).toEqual(['COMPLETED', 2])
    expect(epochsOf(folder)).toEqual(all)
    expect(await bestOf(folder)).toBe(join(folder, 'save', 'CKPT+epoch-3'))
    expect(output(folder, 'train')).toContain('ckpt: removing CKPT+epoch-1: ')
    expect(await seenIn(folder)).toEqual(all)
    expect(await requeuesOf(folder)).toEqual([`${id}#0`, `${id}#1`])
    const story = await storyOf(folder)
    expect(story).toHaveLength(3)
    expect(story[0]).toMatch(/^1: first, from nothing, saw 1 2; timed-out -> requeue$/)
    expect(story[1]).toMatch(/^2: timed-out, from epoch-\d, saw [\d ]+; timed-out -> requeue$/)
    expect(story[2]).toMatch(/^3: timed-out, from epoch-\d, saw [\d ]+; done -> nothing$/)
  })

  it('in a job array each task is requeued alone, with a run of its own', async () => {
    const folder = temporaryDirectory()
    const own = (task: number) => join(folder, `task-${task}`)
    // The second task is to be at work still when the first one runs again.
    const slow = '[ -n "$SLURM_RESTART_COUNT" ] || export EPOCH_SECONDS=1.5\n'
    const script = slow + underRun(`${folder}/task-$SLURM_ARRAY_TASK_ID`)
    const id = submit(folder, 'train', script, '--time=10', '--requeue', '--array=1-2')
    await Promise.all([epochDone(own(1), 1), epochDone(own(2), 1)])
    warn(`${id}_1`)
    await running(`${id}_1`, 1)
    const before = epochsOf(own(2)).length
    warn(`${id}_2`)
    const records = await finished(id)
    expect(before).toBeGreaterThan(1)
    expect(records.map(({ state, restarts }) => [state, restarts])).toEqual([
      ['COMPLETED', 1],
      ['COMPLETED', 1],
    ])
    for (const task of [1, 2]) {
      expect(epochsOf(own(task))).toEqual(all)
      expect(await requeuesOf(own(task))).toEqual([`${id}_${task}#0`])
      expect(await storyOf(own(task))).toHaveLength(2)
    }
  })

  it('behind a shell that waits for ckpt hears of it too', async () => {
    const folder = temporaryDirectory()
    const id = submit(
      folder,
      'train',
      underRun(folder, `${policy} --hold-batch-shell`).replace('exec ', ''),
      '--time=10',
      '--requeue',
    )
    await epochDone(folder, 1)
    warn(id)
    await running(id, 1)
    const [record] = await finished(id)
    expect([record?.state, record?.restarts], output(folder, 'train')).toEqual(['COMPLETED', 1])
    expect(epochsOf(folder)).toEqual(all)
    expect(await requeuesOf(folder)).toEqual([`${id}#0`])
  })

  it('in a chain leaves the rest to the next one, and the one after the end has nothing to do', async () => {
    const folder = temporaryDirectory()
    const script = join(folder, 'job.sh')
    writeFileSync(script, `#!/bin/bash\n#SBATCH --time=10 --output=${folder}/%j.out\nbash '${train}' "$1"\n`)
    const run = join(folder, 'save')
    const ids = command('ckpt', 'submit', script, run, '--chain', '3', '--', run).split('\n')
    const [first = '', , third = ''] = ids
    await epochDone(folder, 2)
    warn(first)
    const [last] = await finished(third)
    expect(ids).toHaveLength(3)
    expect(last?.state, output(folder, first)).toBe('COMPLETED')
    expect(epochsOf(folder)).toEqual(all)
    expect(output(folder, third)).toContain('the work is done already')
    const story = await storyOf(folder)
    expect(story).toHaveLength(2)
    expect(story[0]).toMatch(/^1: first, from nothing, saw [\d ]+; timed-out -> nothing$/)
    expect(story[1]).toMatch(/^1: first, from epoch-\d, saw [\d ]+; done -> nothing$/)
    expect(await requeuesOf(folder)).toEqual([])
  })
})

describe('a job that ends otherwise', () => {
  it('at its time limit, unwarned, is requeued all the same', async () => {
    const folder = temporaryDirectory()
    // Slurm looks for jobs whose time is over every half a minute.
    const slow = '[ -n "$SLURM_RESTART_COUNT" ] || export EPOCH_SECONDS=60\n'
    const id = submit(folder, 'train', slow + underRun(folder), '--time=10', '--requeue')
    await running(id, 0)
    command('scontrol', 'update', `JobId=${id}`, 'EndTime=now')
    const [record] = await finished(id)
    expect([record?.state, record?.restarts], output(folder, 'train')).toEqual(['COMPLETED', 1])
    expect(epochsOf(folder)).toEqual(all)
    expect(await requeuesOf(folder)).toEqual([`${id}#0`])
    expect((await storyOf(folder))[0]).toMatch(/timed-out -> requeue$/)
  })

  it('in place of another is put back by Slurm alone', async () => {
    const folder = temporaryDirectory()
    const id = submit(folder, 'train', underRun(folder), '--time=10', '--requeue', '--partition=low')
    await epochDone(folder, 2)
    await finished(submit(folder, 'urgent', 'sleep 1', '--partition=urgent'))
    const [record] = await finished(id)
    expect([record?.state, record?.restarts], output(folder, 'train')).toEqual(['COMPLETED', 1])
    expect(epochsOf(folder).at(-1)).toBe(6)
    const story = await storyOf(folder)
    expect(story[0]).toMatch(/preempted -> requeue$/)
    expect(story[1]).toMatch(/^2: preempted, from epoch-\d/)
  })

  it.each([
    [
      'has a grace time, of which nobody tells the batch script, is requeued',
      'graceful',
      (folder: string) => submit(folder, 'hasty', 'sleep 1', '--partition=hasty'),
    ],
    [
      'is on a node that fails is put back by Slurm alone',
      'failing',
      () => command('scontrol', 'update', 'NodeName=failing', 'State=DOWN', 'Reason=test'),
    ],
  ])('and %s', async (_, partition, trouble) => {
    const folder = temporaryDirectory()
    const slow = '[ -n "$SLURM_RESTART_COUNT" ] || export EPOCH_SECONDS=4\n'
    const id = submit(folder, 'train', slow + underRun(folder), '--time=10', '--requeue', `--partition=${partition}`)
    await epochDone(folder, 1)
    trouble(folder)
    await running(id, 1)
    const [record] = await finished(id)
    expect([record?.state, record?.restarts], output(folder, 'train')).toEqual(['COMPLETED', 1])
    expect(epochsOf(folder).at(-1)).toBe(6)
    const story = await storyOf(folder)
    expect(story).toHaveLength(2)
    expect(story[0]).toMatch(/preempted -> requeue$/)
    expect(story[1]).toMatch(/^2: preempted, from epoch-\d/)
  })

  it('with exit status 85 is requeued', async () => {
    const folder = temporaryDirectory()
    const script = `exec ckpt run '${folder}/save' -- bash -c '[ "$CKPT_ATTEMPT" = 2 ] || exit 85'\n`
    const id = submit(folder, 'train', script, '--requeue')
    const [record] = await finished(id)
    expect([record?.state, record?.restarts], output(folder, 'train')).toEqual(['COMPLETED', 1])
    expect(await storyOf(folder)).toEqual([
      '1: first, from nothing, saw ; requeue -> requeue',
      '2: requeue, from nothing, saw ; done -> nothing',
    ])
  })

  it('where a requeue is not allowed starts again in its place, and says what to add', async () => {
    const folder = temporaryDirectory()
    const script = `exec ckpt run '${folder}/save' --back-off 1s -- bash -c '[ "$CKPT_ATTEMPT" = 2 ] || exit 85'\n`
    const id = submit(folder, 'train', script, '--no-requeue')
    const [record] = await finished(id)
    expect([record?.state, record?.restarts]).toEqual(['COMPLETED', 0])
    expect(output(folder, 'train')).toContain('sbatch --requeue')
  })

  it.each(['exec ', ''])('cancelled stays so, and nothing of it goes on: %sckpt run', async (exec) => {
    const folder = temporaryDirectory()
    const id = submit(folder, 'train', underRun(folder).replace('exec ', exec), '--time=10', '--requeue')
    await epochDone(folder, 1)
    command('scancel', id)
    const [record] = await finished(id)
    expect([record?.state, record?.restarts]).toEqual(['CANCELLED', 0])
    await until('the end of the command', () => spawnSync('pgrep', ['-f', `train.sh ${folder}/save`]).status === 1)
    expect(await storyOf(folder)).toEqual([expect.stringMatching(/stopped -> nothing$/)])
    expect(await requeuesOf(folder)).toEqual([])
  })
})
