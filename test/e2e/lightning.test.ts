/** Checkpoints that are files, with the meta in them: what every command makes of a run of Lightning. */
import {
  existsSync,
  linkSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, copyFixture, temporaryDirectory } from './ckpt.js'
import { document, parse } from './runs.js'

const inside = 'lightning_logs/version_0/checkpoints'
const makeRun = (name = 'lightning') => join(copyFixture(`runs/frameworks/${name}/run`), inside)
const [first, second, third] = [
  'epoch=1-step=8-val_loss=1.0078.ckpt',
  'epoch=2-step=12-val_loss=1.0105.ckpt',
  'epoch=3-step=16-val_loss=1.0207.ckpt',
] as const

describe('a run of Lightning', () => {
  it('has its best by what ModelCheckpoint judges by, and its copy is reported as one', async () => {
    const run = makeRun()
    expect((await ckpt(['find', 'best', run])).stdout).toBe(`${join(run, first)}\n`)
    const { stdout } = await ckpt(['list', run, '--columns', 'name,marks'])
    expect(stdout.split('\n').map((line) => line.trim().replace(/ {2,}/, ': '))).toEqual([
      'NAME: MARKS',
      `${third}: latest`,
      `last.ckpt: same as ${third}`,
      `${second}: `.trim().replace(/:$/, ''),
      `${first}: best val_acc val_loss, named best`,
      '',
    ])
    const found = await document(['find', run, '--num', '9'])
    expect(found.checkpoints.map(({ name }) => name)).toEqual([third, second, first])
    expect((await ckpt(['find', run, '--max', 'val_loss', '--key', 'model'])).stdout).toBe(`${join(run, third)}\n`)
  })

  it('is pruned but for the best, the newest and what training resumes from, and restored as it was', async () => {
    const run = makeRun()
    const before = readFileSync(join(run, second))
    const pruned = await ckpt(['prune', run, '--keep', '1', '--trash', '--yes'])
    expect(pruned.stdout).toMatch(/last\.ckpt .*ckpt_path="last" names it; the same as epoch=3.*, which stays/)
    expect(pruned.stdout).toMatch(/epoch=1.* best_model_path names it/)
    expect(readdirSync(run).sort()).toEqual([first, third, 'last.ckpt'])
    expect((await ckpt(['trash', 'restore', join(run, second)])).status).toBe(0)
    expect(readFileSync(join(run, second))).toEqual(before)
  })

  it('counts what a link leads to, and a file with two names, once', async () => {
    const run = makeRun()
    rmSync(join(run, 'last.ckpt'))
    symlinkSync(third, join(run, 'last.ckpt'))
    linkSync(join(run, second), join(run, 'kept.ckpt'))
    const sizes = [first, second, third].map((name) => statSync(join(run, name)).size)
    const { stdout } = await ckpt(['show', run, '--json'])
    const { size, checkpoints } = JSON.parse(stdout) as { size: number; checkpoints: { size: number }[] }
    expect(size).toBe(sizes.reduce((sum, one) => sum + one, 0))
    // Each by itself is as large as what it leads to.
    expect(checkpoints.map((one) => one.size).sort()).toEqual([...sizes, sizes[1], sizes[2]].sort())
  })

  it('never has its link lead nowhere: what it leads to stays, or it leads to the newest that does', async () => {
    const run = makeRun()
    rmSync(join(run, 'last.ckpt'))
    symlinkSync(second, join(run, 'last.ckpt'))
    await ckpt(['prune', run, '--keep', '1', '--no-keep-recent', '--min', 'val_loss', '--yes'])
    expect(readlinkSync(join(run, 'last.ckpt'))).toBe(second)
    expect(existsSync(join(run, second))).toBe(true)
    await ckpt(['prune', run, '--keep', '1', '--no-protect', '--yes'])
    // It names the newest that stays before what it named goes.
    expect(readdirSync(run).sort()).toEqual([third, 'last.ckpt'])
    expect(readlinkSync(join(run, 'last.ckpt'))).toBe(third)
  })

  it('has folders in names that contain a slash, whatever is done with them', async () => {
    const run = makeRun('lightning_slash')
    const [name, other] = ['epoch=0-step=4-val/acc=0.475.ckpt', 'epoch=2-step=12-val/acc=0.450.ckpt'] as const
    expect((await ckpt(['pin', join(run, other), '--note', 'why'])).stdout).toBe(`pinned ${other}\n`)
    const { checkpoint } = parse<{ checkpoint: { name: string } }>(await ckpt(['show', join(run, name), '--json']))
    expect(checkpoint.name).toBe(name)
    await ckpt(['prune', run, '--keep', '1', '--trash', '--yes'])
    expect(existsSync(join(run, other))).toBe(true)
    const into = join(temporaryDirectory(), 'checkpoints')
    const staged = await ckpt(['recover', run, '--max', 'val/acc', '--into', into, '--link', 'hard'])
    expect(staged.stdout).toBe(`${join(into, name)}\n`)
    expect(lstatSync(join(into, name)).nlink).toBe(2)
    expect((await ckpt(['find', into])).stdout).toBe(`${join(into, name)}\n`)
  })

  it('lends its weights by their own names', async () => {
    const run = makeRun()
    const weights = join(temporaryDirectory(), 'weights.safetensors')
    expect((await ckpt(['convert', join(run, first), '--to', 'safetensors', '-o', weights])).status).toBe(0)
    const report = parse<{ missing: unknown[] }>(await ckpt(['transfer', run, '--min', 'val_loss', weights, '--json']))
    expect(report.missing).toEqual([])
    const mean = join(temporaryDirectory(), 'mean.safetensors')
    expect((await ckpt(['average', run, '--last', '3', '-o', mean])).stdout).toMatch(
      /: 10 tensors of 3 files[^]*newest: .*epoch=3/,
    )
    const compared = await ckpt(['diff', join(run, second), join(run, third)])
    expect(compared.stdout).toContain('tensors of one form')
  })

  it('cannot be demoted, for no part of a file can go', async () => {
    const refused = await ckpt(['demote', makeRun(), '--keep', '1', '--yes'])
    expect([refused.status, refused.stderr]).toEqual([5, expect.stringMatching(/each of its checkpoints is one file/)])
  })

  it('has every damage told, also when all of it is damaged', async () => {
    const run = join(copyFixture('runs/frameworks/lightning/damaged'), inside)
    const { stdout, status } = await ckpt(['verify', run, '--deep'])
    expect(status).toBe(4)
    expect(stdout).toMatch(/corrupt +epoch=3-step=16-val_loss=1\.0207\.ckpt +entry "archive\/data\/2"/)
    expect(stdout).toMatch(
      /corrupt +last\.ckpt +killed while saving: 8219 of at least 1[0-3]\d{3} bytes, no zip end record/,
    )
    expect(stdout).toMatch(/leftover +\.epoch=3.*: a temporary file of rsync/)
    for (const name of [first, second, third]) writeFileSync(join(run, name), '')
    const none = await ckpt(['recover', run, '--', 'true'])
    expect(none.status).toBe(4)
  })
})
