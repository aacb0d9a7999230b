import { describe, expect, it } from 'vitest'
import { beganFromNothing, otherRanks, type JournalEntry } from '../../../../src/core/changes/journal/index.js'

const process = { command: ['python'], host: 'here', pid: null, started: null, job: null, attempt: 1, reason: 'first' }
const start = (time: number, checkpoint: string | null = null): JournalEntry => ({
  what: 'start',
  time,
  checkpoint,
  ...process,
})
const end = (time: number, ending: string): JournalEntry => ({
  what: 'end',
  time,
  ending,
  why: '',
  status: 1,
  seconds: 1,
  lost: 0,
  next: 'nothing',
})

describe('how a job began and ended', () => {
  it('is told by the rank that was killed, though the others failed by themselves after it', () => {
    const entries = [start(1), start(2), end(10, 'preempted'), end(11, 'failed')]

    expect(beganFromNothing(entries)).toEqual({ startedAt: 1, ending: 'preempted', endedAt: 10 })
    expect(beganFromNothing([...entries.slice(0, 2), end(9, 'failed'), end(10, 'preempted')])?.ending).toBe('preempted')
  })

  it('is not known while one of its ranks has no end', () => {
    expect(beganFromNothing([start(1), start(2), end(10, 'failed')])).toEqual({
      startedAt: 1,
      ending: null,
      endedAt: null,
    })
  })

  it('has nothing to do with the end of an earlier start', () => {
    const entries = [start(1), end(5, 'preempted'), start(6), end(9, 'failed')]

    expect(beganFromNothing(entries)).toEqual({ startedAt: 6, ending: 'failed', endedAt: 9 })
  })

  it('is nothing where the last start had a checkpoint', () => {
    expect(beganFromNothing([start(1), end(5, 'preempted'), start(6, 'a')])).toBeNull()
  })
})

describe('what one rank finds of the others at its own end', () => {
  it('is when one was killed, whose save it must not take for whole', () => {
    expect(otherRanks([start(1), start(2), end(10, 'preempted')])).toEqual({ killedAt: 10, areRunning: false })
  })

  it('is that some are running still', () => {
    expect(otherRanks([start(1), start(2), start(3), end(9, 'done')])).toEqual({ killedAt: null, areRunning: true })
    expect(otherRanks([start(1)])).toEqual({ killedAt: null, areRunning: false })
  })
})
