import { expect, it } from 'vitest'
import { LookPace } from '../../../src/cli/watching/look-pace.js'

it('pauses ten times as long as a look works, whatever that look waited for a save to settle', async () => {
  let now = 0
  const pass = (milliseconds: number) => Promise.resolve(void (now += milliseconds))
  const pace = new LookPace(pass, () => now)
  expect(pace.pause).toBe(0)
  const found = await pace.timed(async () => {
    await pass(30)
    await pace.wait(1000)
    await pass(10)
    return 'found'
  })
  expect([found, pace.pause]).toEqual(['found', 400])
  await pace.timed(() => pass(5))
  expect(pace.pause).toBe(50)
})

it('pauses after a look that failed too', async () => {
  let now = 0
  const pace = new LookPace(
    () => Promise.resolve(),
    () => now,
  )
  const failing = pace.timed(() => {
    now += 20
    return Promise.reject(new Error('no disk'))
  })
  await expect(failing).rejects.toThrow('no disk')
  expect(pace.pause).toBe(200)
})
