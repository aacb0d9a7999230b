import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, temporaryDirectory } from '../e2e/ckpt.js'
import { document, epochs, makeRun, nameOf, names, snapshot } from '../e2e/runs.js'
import { floats, writeTensors } from '../core/tensors/transfer/files.js'
import { bind, ckptUnprivileged, fillUp, makeReadOnly, tmpfs } from './mounts.js'

const noStack = (stderr: string) => expect(stderr).not.toMatch(/^ {4}at |this is a bug/m)

describe('a full disk', () => {
  it('transfer: exit 1, nothing half there', async () => {
    const disk = tmpfs('size=256k')
    const zeros = Array.from({ length: 200_000 }, () => 0)
    const here = temporaryDirectory()
    const big = writeTensors(join(here, 'a.safetensors'), [floats('a', [200_000], zeros)])
    const got = await ckpt(['transfer', big, big, '--output', join(disk, 'out.safetensors')])
    expect(got).toMatchObject({ status: 1, stdout: '' })
    expect(got.stderr).toContain('no space left')
    expect(got.stderr).toContain('hint: nothing was left there; make space there')
    noStack(got.stderr)
    expect(readdirSync(disk)).toEqual([])
  })

  it('transfer --force: what was there stays as it was', async () => {
    const disk = tmpfs('size=256k')
    const out = join(disk, 'out.safetensors')
    writeFileSync(out, 'mine')
    const zeros = Array.from({ length: 200_000 }, () => 0)
    const big = writeTensors(join(temporaryDirectory(), 'a.safetensors'), [floats('a', [200_000], zeros)])
    expect((await ckpt(['transfer', big, big, '-o', out, '--force'])).status).toBe(1)
    expect(readFileSync(out, 'utf8')).toBe('mine')
    expect(readdirSync(disk)).toEqual(['out.safetensors'])
  })

  it('recover --into: exit 1, and nothing of the checkpoint is there', async () => {
    const disk = tmpfs('size=256k')
    const run = makeRun({ [nameOf(1)]: { 'CKPT.yaml': 'unixtime: 1.0\n', 'model.ckpt': Buffer.alloc(1 << 20, 7) } })
    const got = await ckpt(['recover', run, '--into', join(disk, 'save'), '--link', 'copy'])
    expect(got).toMatchObject({ status: 1, stdout: '' })
    noStack(got.stderr)
    expect(readdirSync(disk)).toEqual([])
    expect(statSync(join(run, nameOf(1), 'model.ckpt')).size).toBe(1 << 20)
  })

  it.each([
    ['for bytes', 'size=256k'],
    ['for names', 'size=1m,nr_inodes=24'],
  ])('prune frees space all the same where there is none %s', async (_, options) => {
    const disk = tmpfs(options)
    const run = makeRun(epochs(4), join(disk, 'exp', 'save'))
    useUp(disk)
    const got = await ckpt(['prune', run, '--keep', '1', '--yes'])
    expect(got.status).toBe(0)
    expect(readdirSync(run)).toEqual([nameOf(4)])
  })
})

describe('a full disk, where something is to be remembered', () => {
  it.each([
    ['demote', '--keep', '1', '--yes'],
    ['pin', '--best', '--min', 'WER'],
  ])('%s is refused, and changes nothing', async (command, ...flags) => {
    const disk = tmpfs('size=256k')
    const run = makeRun(epochs(3), join(disk, 'exp', 'save'))
    useUp(disk)
    const before = snapshot(run)
    const { status, stderr } = await ckpt([command, run, ...flags])
    expect(status).toBe(5)
    expect(stderr).toContain(`cannot ${command}: no space left to record it in ${join(disk, 'exp', '.ckpt', 'save')}\n`)
    expect(stderr).toContain('hint: make some room first')
    expect(snapshot(run)).toEqual(before)
  })
})

/** Either names or bytes run out first. */
function useUp(disk: string): void {
  try {
    fillUp(disk)
    for (let index = 0; index < 100; index += 1) writeFileSync(join(disk, `filler${index}`), '')
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' })
  }
}

describe('a read-only mount', () => {
  it('list, show, find, recover and a dry run work and change nothing', async () => {
    const disk = tmpfs('size=4m')
    const run = makeRun(epochs(4), join(disk, 'exp', 'save'))
    const before = snapshot(disk)
    makeReadOnly(disk)
    for (const args of [
      ['list', run],
      ['show', run],
      ['find', run, '--min', 'WER'],
      ['recover', run],
      ['prune', run, '--keep', '1', '-n'],
    ]) {
      const got = await ckpt(args)
      expect([args[0], got.status, got.stderr]).toEqual([args[0], 0, ''])
    }
    expect(snapshot(disk)).toEqual(before)
  })

  it('prune fails cleanly, says which stay, and all are whole', async () => {
    const disk = tmpfs('size=4m')
    const run = makeRun(epochs(4), join(disk, 'exp', 'save'))
    const before = snapshot(disk)
    makeReadOnly(disk)
    const got = await ckpt(['prune', run, '--keep', '1', '--yes'])
    expect(got.status).toBe(6)
    expect(got.stderr).toContain('read-only')
    for (const epoch of [1, 2, 3]) expect(got.stderr).toContain(nameOf(epoch))
    noStack(got.stderr)
    expect(snapshot(disk)).toEqual(before)
  })

  it('recover --into there fails cleanly', async () => {
    const disk = tmpfs('size=4m')
    makeReadOnly(disk)
    const got = await ckpt(['recover', makeRun(epochs(1)), '--into', join(disk, 'save')])
    expect(got).toMatchObject({ status: 1, stdout: '' })
    expect(got.stderr).toContain('read-only')
    noStack(got.stderr)
  })

  it('recover out of one works', async () => {
    const disk = tmpfs('size=4m')
    const run = makeRun(epochs(2), join(disk, 'exp', 'save'))
    makeReadOnly(disk)
    const into = join(temporaryDirectory(), 'save')
    expect((await ckpt(['recover', run, '--into', into])).status).toBe(0)
    expect(await names(['list', into])).toEqual([nameOf(2)])
  })
})

describe('several file systems', () => {
  it('--link hard across them is exit 2 with the way out; symbolic and copy work', async () => {
    const disk = tmpfs('size=4m')
    const run = makeRun(epochs(2))
    const hard = await ckpt(['recover', run, '--into', join(disk, 'hard'), '--link', 'hard'])
    expect(hard).toMatchObject({ status: 2, stdout: '' })
    expect(hard.stderr).toMatch(/symbolic|copy/)
    expect(readdirSync(disk)).toEqual([])
    for (const link of ['symbolic', 'copy']) {
      expect((await ckpt(['recover', run, '--into', join(disk, link), '--link', link])).status).toBe(0)
      expect(await names(['list', join(disk, link)])).toEqual([nameOf(2)])
    }
  })

  it('a run that is a mount point itself is pruned, its state beside it or in it', async () => {
    const run = tmpfs('size=4m')
    makeRun(epochs(3), run)
    expect((await ckpt(['prune', run, '--keep', '1', '--yes'])).status).toBe(0)
    expect(readdirSync(run)).toEqual([nameOf(3)])
  })

  it('the search for the only run enters no other disk, and names it', async () => {
    const above = temporaryDirectory()
    const other = tmpfs('size=4m', join(above, 'other disk'))
    makeRun(epochs(2), join(other, 'run'))
    const missed = await ckpt(['find', above])
    expect([missed.status, missed.stderr]).toEqual([
      3,
      expect.stringContaining(`name the one that is meant: '${other}'`),
    ])
    expect((await ckpt(['find', other])).status).toBe(0)
    makeRun(epochs(3), join(above, 'here'))
    expect((await ckpt(['find', above])).stdout).toBe(`${join(above, 'here', nameOf(3))}\n`)
  })

  it.each([['a disk'], ['a folder of the same disk']])(
    '%s mounted inside of a checkpoint is not emptied',
    async (what) => {
      const run = makeRun(epochs(3))
      const point = join(run, nameOf(1), 'mounted here')
      const precious = what === 'a disk' ? tmpfs('size=1m', point) : temporaryDirectory()
      writeFileSync(join(precious, 'data'), 'x')
      if (what !== 'a disk') {
        mkdirSync(point)
        bind(precious, point)
      }
      const got = await ckpt(['prune', run, '--keep', '1', '--yes'])
      noStack(got.stderr)
      expect(got.status).toBe(6)
      expect(readFileSync(join(precious, 'data'), 'utf8')).toBe('x')
      expect(got.stderr).toContain('mounted here')
      expect(readdirSync(run).sort()).toEqual([1, 3].map(nameOf))
    },
  )
})

describe('a folder that may not be read', () => {
  it('is exit 1 with its path, and never a first start', () => {
    const run = makeRun(epochs(2))
    chmodSync(run, 0)
    for (const args of [
      ['list', run],
      ['find', run],
      ['recover', run, '--', 'echo', 'started'],
      ['prune', run, '--keep', '1', '--yes'],
    ]) {
      const got = ckptUnprivileged(args)
      expect([args[0], got.status, got.stdout]).toEqual([args[0], 1, ''])
      expect(got.stderr).toContain(run)
      expect(got.stderr).toContain('permission denied')
      noStack(got.stderr)
    }
    const json = ckptUnprivileged(['list', run, '--json'])
    expect(json.status).toBe(1)
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: 'system' } })
    chmodSync(run, 0o755)
  })

  it('below the one named is not a first start either', () => {
    const run = makeRun(epochs(2))
    const above = join(run, '..')
    chmodSync(run, 0)
    expect(ckptUnprivileged(['recover', above, '--', 'echo', 'started'])).toMatchObject({ status: 1, stdout: '' })
    chmodSync(above, 0)
    expect(ckptUnprivileged(['recover', run, '--', 'echo', 'started'])).toMatchObject({ status: 1, stdout: '' })
    chmodSync(above, 0o755)
    chmodSync(run, 0o755)
  })

  it('as one of many checkpoints damages that one alone, and stays', async () => {
    const run = makeRun(epochs(3))
    chmodSync(join(run, nameOf(2)), 0)
    const got = ckptUnprivileged(['list', run])
    expect(got.status).toBe(6)
    expect(got.stdout).toMatch(/CKPT\+ep002.*/)
    expect(got.stdout + got.stderr).toContain('permission denied')
    const pruned = ckptUnprivileged(['prune', run, '--keep', '1', '--yes'])
    // What cannot be read is neither removed nor counted, and the status says so.
    expect(pruned.status).toBe(6)
    chmodSync(join(run, nameOf(2)), 0o755)
    expect(readdirSync(run).sort()).toEqual([2, 3].map(nameOf))
    expect((await document(['list', run])).checkpoints).toHaveLength(2)
  })

  it('that may not be written: nothing goes, and each is told', () => {
    const run = makeRun(epochs(3))
    const before = snapshot(run)
    chmodSync(run, 0o555)
    const got = ckptUnprivileged(['prune', run, '--keep', '1', '--yes'])
    expect(got.status).toBe(6)
    expect(got.stderr).toContain('permission denied')
    noStack(got.stderr)
    chmodSync(run, 0o755)
    expect(snapshot(run)).toEqual(before)
  })
})
