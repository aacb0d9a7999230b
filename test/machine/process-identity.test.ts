import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import { processes } from '../../src/machine/process-identity.js'

it.runIf(existsSync('/proc/self/environ'))('a job is known by its mark, and other processes are none', async () => {
  const { isOwnJob } = processes('ckpt test')
  const isJob = async (environment: Record<string, string>) => {
    const child = spawn('sleep', ['60'], { env: { PATH: process.env['PATH'], ...environment }, stdio: 'ignore' })
    await new Promise((resolve) => child.once('spawn', resolve))
    try {
      return isOwnJob(child.pid ?? 0)
    } finally {
      child.kill()
    }
  }
  expect(await isJob({ CKPT_JOB: 'x' })).toBe(true)
  expect(await isJob({ A: 'CKPT_JOB=' })).toBe(false)
  expect(isOwnJob(1)).toBe(false)
})
