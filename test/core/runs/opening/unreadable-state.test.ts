/** What ckpt remembers of a run may be unreadable: it is reported, and no pin is void for that. */
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openRun, planPrune } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { Storage } from '../../../../src/core/storage/storage.js'
import { refusingStorage } from '../../../refusing-storage.js'
import { makeFolder, write } from '../../checkpoints/layouts/folders.js'

const context = { now: 1e9, wait: async () => undefined, utcOffset: () => 0 }

/** A storage on which the system refuses all that lies below `folder`; `told` takes up the warnings. */
function refusing(folder: string, told: string[]): Storage {
  const local = localStorage({
    custody: { user: process.getuid?.() ?? null, stateHome: null, warn: (text) => void told.push(text) },
  })
  return refusingStorage(local, 'EACCES', (path) => path.startsWith(`${folder}/`))
}

describe('a state folder that cannot be read', () => {
  it('is told where a run is looked at, and lets nothing be removed', async () => {
    const root = join(makeFolder(), 'save')
    for (const number of [1, 2, 3]) write(root, { [`CKPT+${number}/CKPT.yaml`]: `unixtime: ${number}.0\n` })
    write(dirname(root), { '.ckpt/save/pins.json': '{"version": 1, "pins": [{"name": "CKPT+1"}]}' })
    const told: string[] = []
    const storage = refusing(join(dirname(root), '.ckpt/save'), told)
    const run = await openRun(storage, root)
    expect(run.checkpoints).toHaveLength(3)
    expect(told.join()).toContain('pins, marks and demotions are not known')
    const planned = planPrune(storage, run, { query: { orders: [], where: [] }, keep: 1, verify: 'none' }, context)
    await expect(planned).rejects.toMatchObject({ code: 'refused' })
  })
})
