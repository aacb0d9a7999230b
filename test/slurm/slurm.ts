/** Jobs under the Slurm that scripts/test-slurm.mjs has started. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseJobs, type JobRecord } from '../../src/core/jobs/schedulers/slurm.js'
import { commandFolder } from '../e2e/ckpt.js'

/** In which `ckpt` is the built program. */
const env = { ...process.env, PATH: `${commandFolder()}:${process.env['PATH'] ?? ''}` }

export function command(name: string, ...args: readonly string[]): string {
  return execFileSync(name, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
}

/** Submits a bash script that runs in `folder` and writes to FOLDER/NAME.out; gives the job's id. */
export function submit(folder: string, name: string, script: string, ...options: readonly string[]): string {
  const path = join(folder, `${name}.sh`)
  writeFileSync(path, `#!/bin/bash\n${script}`)
  const output = join(folder, `${name}.out`)
  return command(
    'sbatch',
    '--parsable',
    `--chdir=${folder}`,
    `--output=${output}`,
    '--open-mode=append',
    ...options,
    path,
  )
}

/** One record for each task of a job array. */
function jobs(id: string): readonly JobRecord[] {
  return parseJobs(command('env', 'SLURM_TIME_FORMAT=%s', 'scontrol', 'show', 'job', id))
}

/** Waits until every task of the job has come to its end. */
export function finished(id: string): Promise<readonly JobRecord[]> {
  return untilAll(id, 'end', ({ state }) => ended.has(state))
}

/** Waits until the job runs, and has been put back into the queue so many times before. */
export function running(id: string, times: number): Promise<readonly JobRecord[]> {
  return untilAll(id, `start ${times + 1}`, ({ state, restarts }) => state === 'RUNNING' && restarts === times)
}

/** Sends the tasks that were requeued off without delay. */
function untilAll(id: string, what: string, holds: (record: JobRecord) => boolean): Promise<readonly JobRecord[]> {
  const hurry = inAHurry()
  return until(`job ${id}: ${what}`, () => {
    const records = jobs(id)
    for (const record of records) hurry(record)
    return records.length > 0 && records.every(holds) ? records : null
  })
}

const ended: ReadonlySet<string> = new Set(['COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT', 'NODE_FAIL'])

/**
 * Slurm lets a requeued job wait until its credential has expired (AuthInfo, cred_expire); one that starts within the
 * second in which it was requeued fails, for the credential bears the time.
 */
function inAHurry(): (record: JobRecord) => void {
  const seen = new Map<string, number>()
  return ({ name, state, restarts }) => {
    if (state !== 'PENDING' || restarts === 0) return
    const key = `${name} ${restarts}`
    const since = seen.get(key) ?? Date.now()
    seen.set(key, since)
    if (Date.now() - since > 1100) spawnSync('scontrol', ['update', `JobId=${name}`, 'StartTime=now'], { env })
  }
}

/** The warning that `--signal=B:USR1@120` gives shortly before the time limit. */
export function warn(id: string): void {
  command('scancel', '--batch', '--signal=USR1', id)
}

export function output(folder: string, name: string): string {
  return textOf(join(folder, `${name}.out`))
}

/** Empty while it is not there. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Asks again and again until the answer is neither null nor false. */
export async function until<T>(what: string, ask: () => T | null | false, seconds = 60): Promise<T> {
  const end = Date.now() + seconds * 1000
  while (Date.now() < end) {
    const answer = ask()
    if (answer !== null && answer !== false) return answer
    await pause(200)
  }
  throw new Error(`waited ${seconds} s for ${what}`)
}
