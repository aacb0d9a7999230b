/** A large copy ends with a signal, and is otherwise the same file. */
import * as fs from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { copyInParts } from '../../../src/core/storage/copy-in-parts.js'
import { localStorage } from '../../../src/core/storage/local.js'
import { temporaryDirectory } from '../changes/disposal/runs.js'

function scene() {
  const folder = temporaryDirectory()
  const from = join(folder, 'from')
  const bytes = Buffer.alloc((8 << 20) + 123, 'weights')
  fs.writeFileSync(from, bytes)
  fs.chmodSync(from, 0o640)
  return { folder, from, to: join(folder, 'to'), bytes }
}

it('has all bytes and the permissions, and never those to run as somebody else', async () => {
  const { from, to, bytes } = scene()
  fs.chmodSync(from, 0o4640)
  const source = fs.openSync(from, 'r')
  await copyInParts(source, to, undefined)
  fs.closeSync(source)
  expect(fs.readFileSync(to).equals(bytes)).toBe(true)
  expect(fs.statSync(to).mode & 0o7777).toBe(0o640)
})

it('takes no name that is there', async () => {
  const { from, to } = scene()
  fs.writeFileSync(to, 'mine')
  const source = fs.openSync(from, 'r')
  await expect(copyInParts(source, to, undefined)).rejects.toThrow(/EEXIST/)
  fs.closeSync(source)
  expect(fs.readFileSync(to, 'utf8')).toBe('mine')
})

it('is left by a signal, and nothing of it stays', async () => {
  const { folder, from, to } = scene()
  fs.truncateSync(from, 80 << 20)
  const stop = new AbortController()
  const copying = localStorage().copyFile(from, to, stop.signal)
  stop.abort()
  await expect(copying).rejects.toMatchObject({ code: 'interrupted' })
  expect(fs.readdirSync(folder)).toEqual(['from'])
})
