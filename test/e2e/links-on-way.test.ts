/** A link of somebody else on the way to a run: no command changes, shows or keeps anything over it. */
import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeRun } from '../core/changes/disposal/runs.js'
import { ckpt, temporaryDirectory } from './ckpt.js'

const nobody = 65_534

/** A path to the run over a link of that user's. */
function linkTo(run: string): string {
  const link = join(temporaryDirectory(), 'link')
  fs.symlinkSync(dirname(run), link)
  fs.lchownSync(link, nobody, nobody)
  return join(link, 'save')
}

/** Whoever's link leads there may read it. */
function openToAll(run: string): string {
  fs.chmodSync(dirname(run), 0o755)
  return run
}

describe.runIf(process.geteuid?.() === 0)('a link of somebody else', () => {
  it.each([
    ['pin'],
    ['pin', '--state', 'DIR'],
    ['rm', '--yes'],
    ['rm', '--dry-run'],
    ['rm', '--yes', '--state', 'DIR'],
  ])(
    'by which a checkpoint is named for %s %s %s is refused before anything is shown or kept',
    async (command, ...flags) => {
      const run = makeRun(['CKPT+a', 'CKPT+b'])
      const theirs = temporaryDirectory()
      const state = join(theirs, 'state')
      fs.symlinkSync(join(run, 'CKPT+a'), join(theirs, 'latest'))
      fs.lchownSync(join(theirs, 'latest'), nobody, nobody)
      const typed = flags.map((flag) => (flag === 'DIR' ? state : flag))
      const { status, stdout, stderr } = await ckpt([command, join(theirs, 'latest'), ...typed])
      expect(stderr).toMatch(/^error: .*latest is reached by a link of user 65534, and belongs to user 0/)
      expect([status, stdout, fs.existsSync(state)]).toEqual([5, '', false])
      expect(fs.readdirSync(dirname(run))).toEqual(['save'])
      expect(fs.readdirSync(run)).toEqual(['CKPT+a', 'CKPT+b'])
    },
  )

  it('on the way to a run is refused with the plan of a prune or a demotion', async () => {
    const run = openToAll(makeRun(['CKPT+a', 'CKPT+b']))
    const named = linkTo(run)
    fs.chmodSync(dirname(dirname(named)), 0o755)
    for (const command of ['prune', 'demote']) {
      for (const flag of ['--dry-run', '--yes']) {
        const { status, stdout, stderr } = await ckpt([command, named, '--keep', '1', flag])
        expect(stderr).toMatch(/by a link of user 65534/)
        expect([status, stdout]).toEqual([5, ''])
      }
    }
    expect(fs.readdirSync(dirname(run))).toEqual(['save'])
  })
})
