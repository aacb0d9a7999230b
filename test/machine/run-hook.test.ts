import { expect, it } from 'vitest'
import { runHookProcess } from '../../src/machine/run-hook.js'

it('tells that a command could not be started for what it was to be given', async () => {
  const environment = Object.fromEntries(Array.from({ length: 80 }, (_, index) => [`K${index}`, 'x'.repeat(120_000)]))
  const wanted = { command: '/bin/sh', args: ['-c', ':'], folder: '/', timeout: null } as const
  expect((await runHookProcess({ ...wanted, environment })).reason).toEqual({ kind: 'unstarted', errno: 'E2BIG' })
})
