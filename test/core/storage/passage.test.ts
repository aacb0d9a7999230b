import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { localStorage } from '../../../src/core/storage/local.js'
import type { Identity, Passage, Storage } from '../../../src/core/storage/storage.js'

let root = ''
let storage: Storage
let passage: Passage
const at = (...names: readonly string[]) => join(root, ...names)

beforeEach(() => {
  root = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'ckpt-passage-')))
  for (const folder of ['run', 'away']) fs.mkdirSync(at(folder))
  for (const name of ['a', 'b']) fs.writeFileSync(at('run', name), name)
  storage = localStorage()
  storage.guard({ kind: 'run', path: at('run') })
  passage = storage.passage(at('run'), at('away'))
})
afterEach(async () => {
  await passage.close()
  fs.rmSync(root, { recursive: true })
})

function identityOf(path: string): Identity {
  const { dev, ino } = fs.lstatSync(path, { bigint: true })
  return { device: dev, inode: ino }
}

describe('a passage', () => {
  it('moves what is expected, and gives anything else its name back', async () => {
    const [a, b] = [identityOf(at('run', 'a')), identityOf(at('run', 'b'))]
    expect(await passage.move('a', '1', b)).toBe(false)
    expect(await passage.move('a', '1', a)).toBe(true)
    expect(fs.readdirSync(at('run'))).toEqual(['b'])
    expect(fs.readdirSync(at('away'))).toEqual(['1'])
  })

  it('takes nothing from another folder that got the name meanwhile', async () => {
    const [a, b] = [identityOf(at('run', 'a')), identityOf(at('run', 'b'))]
    await passage.move('a', '1', a)
    fs.renameSync(at('run'), at('before'))
    fs.cpSync(at('before'), at('run'), { recursive: true })
    await passage.move('b', '2', b).catch(() => false)
    expect(fs.readFileSync(at('run', 'b'), 'utf8')).toBe('b')
  })

  it('opens its folders anew after a failure', async () => {
    const [a, b] = [identityOf(at('run', 'a')), identityOf(at('run', 'b'))]
    await passage.move('a', '1', a)
    fs.rmSync(at('away'), { recursive: true })
    await expect(passage.move('b', '2', b)).rejects.toMatchObject({ errno: 'ENOENT' })
    fs.mkdirSync(at('away'))
    expect(await passage.move('b', '2', b)).toBe(true)
    expect(fs.readdirSync(at('away'))).toEqual(['2'])
  })
})
