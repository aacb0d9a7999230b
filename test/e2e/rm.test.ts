/** `ckpt rm`: exactly what was named, with what protects from a prune. */
import { mkdirSync, readdirSync, renameSync, rmdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dict, torchFile } from '../core/checkpoints/layouts/lightning-files.js'
import { ckpt, temporaryDirectory } from './ckpt.js'
import { hasScript, onTerminal } from './on-terminal.js'
import { epochs, makeRun, nameOf, snapshot } from './runs.js'

const left = (run: string) => readdirSync(run).sort()

describe('ckpt rm', () => {
  it('removes exactly the named checkpoints', async () => {
    const run = makeRun(epochs(4))
    const { status, stdout } = await ckpt(['rm', join(run, nameOf(1)), join(run, nameOf(3)), '--yes'])
    expect(status).toBe(0)
    expect(stdout).toContain('removed 2 checkpoints')
    expect(left(run)).toEqual([nameOf(2), nameOf(4)])
  })

  it('finds a name in the run of the working folder', async () => {
    const run = makeRun(epochs(2))
    expect((await ckpt(['rm', nameOf(1), '--yes'], { cwd: run })).status).toBe(0)
    expect(left(run)).toEqual([nameOf(2)])
  })

  it('removes a damaged one', async () => {
    const run = makeRun({ ...epochs(2), 'CKPT+cut': { 'CKPT.yaml': '' } })
    expect((await ckpt(['rm', join(run, 'CKPT+cut'), '--yes'])).status).toBe(0)
    expect(left(run)).toEqual([nameOf(1), nameOf(2)])
  })

  it('removes nothing where one of them is protected, and says why', async () => {
    const run = makeRun(epochs(3))
    await ckpt(['pin', join(run, nameOf(1)), '--note', 'the paper'])
    const before = snapshot(run)
    const names = [1, 2, 3].map((epoch) => join(run, nameOf(epoch)))
    const { status, stderr } = await ckpt(['rm', ...names, '--yes'])
    expect(status).toBe(5)
    expect(stderr).toContain(`${nameOf(1)}: pinned: the paper`)
    expect(stderr).toContain(`${nameOf(3)}: the newest whole one`)
    expect(stderr).toContain('--no-protect')
    expect(snapshot(run)).toEqual(before)
    expect((await ckpt(['rm', ...names, '--yes', '--no-protect'])).status).toBe(0)
    expect(left(run)).toEqual([])
  })

  it('asks, and without a terminal refuses', async () => {
    const run = makeRun(epochs(2))
    const { status, stdout, stderr } = await ckpt(['rm', join(run, nameOf(1))])
    expect([status, left(run)]).toEqual([5, [nameOf(1), nameOf(2)]])
    expect(stdout).toContain(nameOf(1))
    expect(stderr).toContain('--yes')
  })

  it('changes nothing with --dry-run', async () => {
    const run = makeRun(epochs(2))
    const before = snapshot(run)
    expect((await ckpt(['rm', join(run, nameOf(1)), '-n'])).stdout).toContain('to remove: 1 checkpoint,')
    expect(snapshot(run)).toEqual(before)
  })

  it('moves to the trash, from where it comes back', async () => {
    const run = makeRun(epochs(2))
    const path = join(run, nameOf(1))
    const before = snapshot(run)
    expect((await ckpt(['rm', path, '--trash', '--yes'])).status).toBe(0)
    expect(left(run)).toEqual([nameOf(2)])
    expect((await ckpt(['trash', 'restore', path])).status).toBe(0)
    expect(snapshot(run)).toEqual(before)
  })

  it('of several runs removes nothing before all allow it', async () => {
    const [first, second] = [makeRun(epochs(2)), makeRun(epochs(2))]
    const paths = [join(first, nameOf(1)), join(second, nameOf(2))]
    expect((await ckpt(['rm', ...paths, '--yes'])).status).toBe(5)
    expect(left(first)).toEqual([nameOf(1), nameOf(2)])
  })

  it('finds nothing under an unknown name', async () => {
    const run = makeRun(epochs(1))
    expect((await ckpt(['rm', join(run, 'CKPT+none'), '--yes'])).status).toBe(3)
  })

  it.runIf(hasScript)('goes on at a yes', async () => {
    const run = makeRun(epochs(2))
    let asked = false
    const { status } = await onTerminal(`cd ${run} && ckpt rm ${nameOf(1)}`, {
      answer: (screen, type) => {
        if (!asked && screen.includes('[y/N]')) type('y\r')
        asked ||= screen.includes('[y/N]')
      },
    })
    expect([status, left(run)]).toEqual([0, [nameOf(2)]])
  })
})

describe('ckpt alone', () => {
  it('in a run sums it up and names three commands that run as they stand', async () => {
    const run = makeRun(epochs(3))
    const { status, stdout } = await ckpt([], { cwd: run })
    expect(status).toBe(0)
    expect(stdout).toContain(run)
    expect(stdout).toMatch(/best loss +CKPT\+ep002/)
    const commands = [...stdout.matchAll(/^ {2}ckpt (.*?) {2,}/gm)].map(([, line = '']) => line.split(' '))
    expect(commands).toHaveLength(3)
    for (const words of commands) expect((await ckpt(words, { cwd: run })).status).toBe(0)
  })

  it('points to verify where something is damaged', async () => {
    const run = makeRun({ ...epochs(2), 'CKPT+cut': { 'CKPT.yaml': '' } })
    expect((await ckpt([], { cwd: run })).stdout).toContain('ckpt verify')
  })

  it('above several runs names the command that lists them', async () => {
    const above = temporaryDirectory()
    for (const name of ['a', 'b']) renameSync(makeRun(epochs(2)), join(above, name))
    const { status, stdout, stderr } = await ckpt([], { cwd: above })
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: 'several runs are below this folder; for a row of each: ckpt runs\n',
    })
    expect(stdout).toContain('USAGE')
  })

  it('elsewhere shows the help', async () => {
    const folder = join(makeRun(epochs(1)), nameOf(1))
    expect(basename(folder)).toBe(nameOf(1))
    expect((await ckpt([], { cwd: folder })).stdout).toContain('USAGE')
  })
})

describe('the sizes of a plan', () => {
  it('add up, in words and as JSON', async () => {
    const run = makeRun(epochs(4))
    const { stdout } = await ckpt(['prune', run, '--keep', '1', '--dry-run', '--json'])
    const { remove, freedBytes } = JSON.parse(stdout) as { remove: { bytes: number }[]; freedBytes: number }
    expect(remove.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(freedBytes)
    expect(freedBytes).toBeGreaterThan(0)
  })

  it('takes what belongs to a checkpoint beside it along, and gives it back', async () => {
    const run = makeRun({})
    for (const step of [1, 2, 3]) {
      const facts = { epoch: step, global_step: step, 'pytorch-lightning_version': '2.4.0', loops: dict({}) }
      const bytes = torchFile(dict({ ...facts, state_dict: dict({}), optimizer_states: [], lr_schedulers: [] }))
      for (const twin of ['', '-EMA']) writeFileSync(join(run, `x-step=${step}${twin}.ckpt`), bytes)
    }
    writeFileSync(join(run, 'x-step=1-unfinished'), '')
    const before = snapshot(run)
    expect((await ckpt(['rm', join(run, 'x-step=1.ckpt'), '--trash', '--yes'])).stderr).toBe('')
    expect(left(run)).toEqual(['x-step=2-EMA.ckpt', 'x-step=2.ckpt', 'x-step=3-EMA.ckpt', 'x-step=3.ckpt'])
    expect((await ckpt(['trash', 'restore', 'x-step=1.ckpt'], { cwd: run })).status).toBe(0)
    expect(snapshot(run)).toEqual(before)
    const twin = await ckpt(['rm', join(run, 'x-step=2-EMA.ckpt'), '--yes'])
    expect(twin.stderr).toContain(`It is a part of the checkpoint ${join(run, 'x-step=2.ckpt')}`)
    expect((await ckpt(['prune', run, '--keep', '1', '--remove-damaged', '--yes'])).status).toBe(0)
    expect(left(run)).toEqual(['x-step=3-EMA.ckpt', 'x-step=3.ckpt'])
  })

  describe("with NeMo's ranks in a folder of each", () => {
    const ranks = ['mp_rank_00', 'mp_rank_01']
    const makeRanks = () => {
      const run = join(makeRun({}), 'checkpoints')
      for (const [rank, step] of ranks.flatMap((one) => [1, 2, 3].map((step) => [one, step] as const))) {
        mkdirSync(join(run, rank), { recursive: true })
        const facts = { epoch: step, global_step: step, 'pytorch-lightning_version': '2.4.0', loops: dict({}) }
        const bytes = torchFile(dict({ ...facts, state_dict: dict({}), optimizer_states: [], lr_schedulers: [] }))
        writeFileSync(join(run, rank, `x-step=${step}.ckpt`), bytes)
      }
      return run
    }
    const leftIn = (run: string) => ranks.map((rank) => left(join(run, rank)))
    const filesIn = (run: string) => snapshot(run).filter((line) => line.includes('.ckpt '))

    it('removes all ranks of one together, and no rank without the others', async () => {
      const run = makeRanks()
      const part = await ckpt(['rm', join(run, 'mp_rank_01/x-step=1.ckpt'), '--yes'])
      expect(part.stderr).toContain(`It is a part of the checkpoint ${join(run, 'x-step=1.ckpt')}`)
      expect((await ckpt(['rm', 'x-step=2.ckpt', '--yes'], { cwd: run })).stderr).toBe('')
      expect(leftIn(run)).toEqual(ranks.map(() => ['x-step=1.ckpt', 'x-step=3.ckpt']))
      const pruned = await ckpt(['prune', run, '--keep', '1', '--yes', '--json'])
      expect(pruned.status).toBe(0)
      expect((JSON.parse(pruned.stdout) as { freedBytes: number }).freedBytes).toBeGreaterThan(0)
      expect(leftIn(run)).toEqual(ranks.map(() => ['x-step=3.ckpt']))
      expect(left(run)).toEqual(ranks)
    })

    it('gives them back from the trash, be the folder of a rank gone or not', async () => {
      const run = makeRanks()
      const before = filesIn(run)
      expect((await ckpt(['rm', 'x-step=1.ckpt', '--trash', '--yes'], { cwd: run })).stderr).toBe('')
      expect(leftIn(run)).toEqual(ranks.map(() => ['x-step=2.ckpt', 'x-step=3.ckpt']))
      expect((await ckpt(['trash', 'restore', 'x-step=1.ckpt'], { cwd: run })).status).toBe(0)
      expect(filesIn(run)).toEqual(before)
      const all = [1, 2, 3].map((step) => `x-step=${step}.ckpt`)
      expect((await ckpt(['rm', ...all, '--trash', '--no-protect', '--yes'], { cwd: run })).stderr).toBe('')
      for (const rank of ranks) rmdirSync(join(run, rank))
      expect((await ckpt(['trash', 'restore', ...all], { cwd: run })).stderr).toBe('')
      expect(filesIn(run)).toEqual(before)
      expect((await ckpt(['rm', ...all, '--trash', '--no-protect', '--yes'], { cwd: run })).status).toBe(0)
      expect((await ckpt(['trash', 'empty', run, '--yes'])).stderr).toBe('')
      expect((await ckpt(['trash', 'list', run])).stdout).not.toContain('x-step')
    })
  })
})
