/** The recipe for cron in docs/many-runs.md, run as cron would run it. */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { commandFolder, shell, temporaryDirectory } from './ckpt.js'
import { epochs, makeRun } from './runs.js'

const docs = fileURLToPath(new URL('../../docs/many-runs.md', import.meta.url))

it('clears up, mails what went, and empties of the trash what is old', async () => {
  const root = temporaryDirectory()
  for (const name of ['a', 'b c']) makeRun(epochs(5), join(root, name, 'save'))
  const script = /```bash cron\n(.*?)```/s.exec(readFileSync(docs, 'utf8'))?.[1] ?? ''
  const bin = temporaryDirectory()
  writeFileSync(join(bin, 'nightly.sh'), script)
  writeFileSync(join(bin, 'mail'), '#!/bin/sh\necho "$@" > "$MAILBOX/to"\ncat > "$MAILBOX/mail"\n', { mode: 0o755 })
  const box = temporaryDirectory()
  mkdirSync(join(box, 'x'))
  const env = { PATH: `${bin}:${commandFolder()}:${process.env['PATH'] ?? ''}`, MAILBOX: box, MAILTO: 'lab' }
  const night = `bash '${join(bin, 'nightly.sh')}' '${root}'`
  const { status, stderr } = await shell(night, { env })
  expect([status, stderr]).toEqual([0, ''])
  expect(readdirSync(join(root, 'a/save'))).toEqual(['CKPT+ep005'])
  const mail = readFileSync(join(box, 'mail'), 'utf8')
  expect(mail).toMatch(/moved 8 checkpoints of 2 runs to the trash/)
  expect(readFileSync(join(box, 'to'), 'utf8')).toContain('lab')
  // Nothing in the trash is 14 days old yet; the second night finds no more to do.
  expect((await shell(night, { env })).status).toBe(0)
  expect(readdirSync(join(root, 'b c/.ckpt/save/trash')).length).toBeGreaterThanOrEqual(4)
}, 60_000)
