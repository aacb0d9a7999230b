/** A state folder with one record in it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readProven, stateFolderOf } from '../../../../src/core/changes/state/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeRun } from '../disposal/runs.js'

export async function readProvenText(record: unknown) {
  const run = makeRun(['CKPT+a'])
  const state = join(dirname(run), '.ckpt', 'save')
  mkdirSync(state, { recursive: true })
  writeFileSync(join(state, 'proven.json'), JSON.stringify(record))
  const warnings: string[] = []
  const storage = localStorage({ custody: { warn: (text) => warnings.push(text) } })
  return { proven: await readProven(storage, await stateFolderOf(storage, run)), warnings }
}
