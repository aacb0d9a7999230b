import { linkSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { freedBy, freedTogether } from '../../../../src/core/changes/disposal/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeFolder } from '../../checkpoints/layouts/folders.js'

it('a file whose names lie in several runs is freed when the last of them goes', async () => {
  const root = makeFolder()
  for (const run of ['a', 'b', 'c']) mkdirSync(join(root, run))
  writeFileSync(join(root, 'a/model.ckpt'), 'x'.repeat(1000))
  for (const run of ['b', 'c']) linkSync(join(root, 'a/model.ckpt'), join(root, run, 'model.ckpt'))
  const [a, b, c] = await Promise.all(
    ['a', 'b', 'c'].map((run) => freedBy(localStorage(), [{ path: join(root, run) }])),
  )
  expect([a, b, c].map((one) => one?.bytes)).toEqual([0, 0, 0])
  expect(freedTogether([a?.shared ?? [], b?.shared ?? []])).toBe(0)
  expect(freedTogether([a?.shared ?? [], b?.shared ?? [], c?.shared ?? []])).toBe(1000)
})
