import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { attemptsOf, Journal, readJournal, type JournalEntry } from '../../../../src/core/changes/journal/index.js'
import { stateFolderOf, type StateFolder } from '../../../../src/core/changes/state/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'

const storage = localStorage()
let folder: string
let state: StateFolder

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ckpt-journal-'))
  mkdirSync(join(folder, 'save'))
  state = await stateFolderOf(storage, join(folder, 'save'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

const start: JournalEntry = {
  ...{ what: 'start', time: 1, attempt: 1, reason: 'first', checkpoint: null, command: ['train', '{path}'] },
  ...{ host: 'here', pid: 7, started: '100', job: { scheduler: 'slurm', id: '4_1', restarts: 2 } },
}
const checkpoint: JournalEntry = {
  ...{ what: 'checkpoint', time: 2, name: 'CKPT+1', saved: 2, epoch: 1, step: null },
  metrics: new Map([['WER', 5]]),
}
const end: JournalEntry = {
  ...{ what: 'end', time: 3, ending: 'failed', why: 'exit status 1', status: 1, seconds: 2, lost: 1, next: 'restart' },
}

const path = () => join(state.path, 'journal.jsonl')
const open = () =>
  Journal.open(storage, state, (error) => {
    throw error
  })

describe('a journal', () => {
  it('takes more entries at once than a call takes arguments', async () => {
    const entries = Array.from({ length: 200_000 }, (): JournalEntry => ({ what: 'stays', time: 1, name: 'CKPT+1' }))
    const journal = await Journal.open(storage, state, (error) => {
      throw error
    })
    await journal.addAll(entries)
    expect(journal.entries).toHaveLength(200_000)
    expect(readFileSync(path()).filter((byte) => byte === 0x0a)).toHaveLength(200_000)
  })

  it('gives back what was added, in its order', async () => {
    const entries = [start, checkpoint, end]
    await (await open()).add(start, checkpoint)
    await (await open()).add(end)
    expect(await readJournal(storage, state)).toEqual({ entries, unreadable: 0, isCut: false })
  })

  it('whose last line a kill has cut loses that line, and no later one', async () => {
    await (await open()).add(start)
    appendFileSync(path(), '{"what":"checkpo')
    await (await open()).add(end)
    const { entries, unreadable } = await readJournal(storage, state)
    expect([entries, unreadable]).toEqual([[start, end], 1])
    expect(readFileSync(path(), 'utf8').split('\n')).toHaveLength(4)
  })

  it('keeps NaN, which JSON has no number for', async () => {
    await (await open()).add({ ...checkpoint, metrics: new Map([['WER', NaN]]) })
    const { entries } = await readJournal(storage, state)
    expect(entries).toEqual([{ ...checkpoint, metrics: new Map([['WER', NaN]]) }])
  })

  it('counts a checkpoint once that two have written down, and for the attempt that saw it first', () => {
    const again = { ...start, attempt: 2 }
    const attempts = attemptsOf([start, checkpoint, checkpoint, end, again, checkpoint, end])
    expect(attempts.map(({ checkpoints }) => checkpoints.length)).toEqual([1, 0])
  })

  it('an attempt that nobody saw end has no end', () => {
    expect(attemptsOf([start, { ...start, attempt: 2 }, end]).map(({ end }) => end)).toEqual([null, end])
  })
})
