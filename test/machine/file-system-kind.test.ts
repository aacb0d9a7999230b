/** What a file system can do is tried among the files of others: nothing of anybody's is written or removed for it. */
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Storage } from '../../src/core/storage/storage.js'
import { fileSystemFacts } from '../../src/machine/file-system-kind.js'
import { userStorage } from '../../src/machine/user-storage.js'
import { temporaryDirectory } from '../core/changes/disposal/runs.js'

const stranger = 65_534

it('leaves nothing behind', async () => {
  const folder = temporaryDirectory()
  const facts = await fileSystemFacts(
    userStorage(() => undefined),
    folder,
  )
  expect(facts).toMatchObject({ syncs: true, locks: true })
  expect(fs.readdirSync(folder)).toEqual([])
})

describe.runIf(process.geteuid?.() === 0)("the owner of the folder puts another one in the trial's place", () => {
  const victims = (folder: string) => {
    for (const name of ['one', 'two', 'synced']) fs.writeFileSync(join(folder, name), 'precious')
    return folder
  }
  const planted: Readonly<Record<string, (trial: string, victim: string) => void>> = {
    'that holds links': (trial, victim) => {
      fs.mkdirSync(trial)
      for (const name of ['one', 'two', 'synced', 'lock']) fs.symlinkSync(join(victim, name), join(trial, name))
    },
    'that is a link': (trial, victim) => fs.symlinkSync(victim, trial),
  }

  it.each(Object.entries(planted))('%s: what they lead to stays as it was', async (_, plant) => {
    const folder = temporaryDirectory()
    fs.chownSync(folder, stranger, stranger)
    const victim = victims(temporaryDirectory())
    const plain = userStorage(() => undefined)
    const swapping: Storage = {
      ...plain,
      makeDirectory: async (path, mode) => {
        await plain.makeDirectory(path, mode)
        if (!path.includes('.ckpt-doctor-') || path.endsWith('lock')) return
        fs.renameSync(path, join(folder, 'away'))
        plant(path, victim)
        fs.lchownSync(path, stranger, stranger)
      },
    }
    await fileSystemFacts(swapping, folder)
    expect(fs.readdirSync(victim).sort()).toEqual(['one', 'synced', 'two'])
    for (const name of fs.readdirSync(victim)) expect(fs.readFileSync(join(victim, name), 'utf8')).toBe('precious')
  })
})
