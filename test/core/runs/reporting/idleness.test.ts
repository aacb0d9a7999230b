import { utimesSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { StorageError } from '../../../../src/core/errors.js'
import { idlenessOf, openRun } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { ReadStorage } from '../../../../src/core/storage/storage.js'
import { makeRun } from '../../changes/disposal/runs.js'

/** To whom the system shows these folders and nothing that lies in them. */
function refusedIn(names: readonly string[]): ReadStorage {
  const local = localStorage()
  const list: ReadStorage['list'] = async (folders) =>
    (await local.list(folders)).map((listing, index) => {
      const path = folders[index] ?? ''
      if (!names.includes(basename(path))) return listing
      return { ok: false, error: new StorageError(path, 'EACCES', `${path}: permission denied`) }
    })
  return { ...local, list }
}

/** A run of two, whose files were written at 1000 s. */
function oldRun(): string {
  const run = makeRun(['CKPT+a', 'CKPT+b'], { 'CKPT.yaml': 'unixtime: 1.0\n', 'model.ckpt': 'x' })
  for (const name of ['CKPT+a', 'CKPT+b']) {
    for (const file of ['CKPT.yaml', 'model.ckpt']) utimesSync(join(run, name, file), 1000, 1000)
  }
  return run
}

describe('when a run was written to last', () => {
  it('is unknown where the system shows no file of it, which is no sign of a touch', async () => {
    const run = oldRun()
    const checkpoints = (await openRun(localStorage(), run)).checkpoints.map((one) => ({ ...one, unixtime: null }))
    const opened = { ...(await openRun(localStorage(), run)), checkpoints }
    await expect(idlenessOf(refusedIn(['CKPT+a', 'CKPT+b']), opened, {})).rejects.toMatchObject({
      code: 'system',
      message: 'when it was written to last is unknown: permission denied',
    })
  })

  it('is told by the files that can be seen', async () => {
    const opened = await openRun(localStorage(), oldRun())
    expect((await idlenessOf(refusedIn(['CKPT+a']), opened, {})).lastWrite).toBe(1000)
  })
})
