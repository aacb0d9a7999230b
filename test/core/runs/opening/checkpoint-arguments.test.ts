import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findRemembered } from '../../../../src/core/runs/opening/checkpoint-arguments.js'
import { localStorage } from '../../../../src/core/storage/local.js'

let root: string
let asked: string[]
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ckpt-arguments-'))
  asked = []
  mkdirSync(join(root, 'exp/save/CKPT+1'), { recursive: true })
  writeFileSync(join(root, 'exp/save/CKPT+1/CKPT.yaml'), 'unixtime: 1700000000\n')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function find(argument: string, known: string) {
  return findRemembered(localStorage(), argument, root, (run, name) => {
    asked.push(`${run.slice(root.length)}: ${name}`)
    return Promise.resolve(`${run}/${name}` === `${root}/${known}` ? name : undefined)
  })
}

describe('a checkpoint that is no longer there', () => {
  it('is found by its path, and by its name in the only run below the working folder', async () => {
    expect(await find('exp/save/CKPT+0', 'exp/save/CKPT+0')).toEqual({ run: join(root, 'exp/save'), found: 'CKPT+0' })
    expect(await find('CKPT+0', 'exp/save/CKPT+0')).toEqual({ run: join(root, 'exp/save'), found: 'CKPT+0' })
    expect(await find('CKPT+2', 'exp/save/CKPT+0')).toBeNull()
  })

  it('is not looked for in the run below the working folder where its whole path was given', async () => {
    expect(await find(join(root, 'other/CKPT+0'), 'exp/save/CKPT+0')).toBeNull()
    expect(asked.filter((one) => one.startsWith('/exp'))).toEqual([])
  })
})
