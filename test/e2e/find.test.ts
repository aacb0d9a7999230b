import { chmodSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { shellWord } from '../../src/core/formats/text/shell-words.js'
import { asUser } from '../as-user.js'
import { ckpt, copyFixture, shell, temporaryDirectory } from './ckpt.js'
import { document, epochs, makeRun, nameOf, names } from './runs.js'

let run = ''

beforeAll(() => {
  run = makeRun(epochs(6))
})

const path = (epoch: number) => join(run, nameOf(epoch))

describe('ckpt find', () => {
  it('prints the absolute path of the best and nothing else', async () => {
    const got = await ckpt(['find', 'save', '--min', 'WER'], { cwd: dirname(run) })
    expect(got).toEqual({ status: 0, stdout: `${path(6)}\n`, stderr: '' })
  })

  it('is made for $(…): the copy is the checkpoint', async () => {
    const cwd = temporaryDirectory()
    const got = await shell(`best=$(ckpt find ${shellWord(run)} --min loss) && cp -r "$best" . && ls`, { cwd })
    expect(got.stdout).toBe(`${nameOf(3)}\n`)
    const none = await shell(`best=$(ckpt find ${shellWord(run)} --where 'epoch > 99') && echo started`, { cwd })
    expect(none).toMatchObject({ status: 3, stdout: '' })
  })

  it('takes the newest without an order, and with latest', async () => {
    expect((await ckpt(['find', run])).stdout).toBe(`${path(6)}\n`)
    expect((await ckpt(['find', 'latest', run, '--where', 'epoch < 5'])).stdout).toBe(`${path(4)}\n`)
  })

  it('best takes the only metric there is, in its direction', async () => {
    const one = makeRun({ 'CKPT+a': 'PER: 3\nlr: 1\nunixtime: 1\n', 'CKPT+b': 'PER: 4\nlr: 2\nunixtime: 2\n' })
    expect((await ckpt(['find', 'best', one])).stdout).toBe(`${join(one, 'CKPT+a')}\n`)
    const up = makeRun({ 'CKPT+a': 'valid/F1: 3\nunixtime: 1\n', 'CKPT+b': 'valid/F1: 2\nunixtime: 2\n' })
    expect((await ckpt(['find', 'best', up])).stdout).toBe(`${join(up, 'CKPT+a')}\n`)
  })

  it('best says which metrics there are, and how to name one', async () => {
    const got = await ckpt(['find', 'best', run])
    expect(got).toMatchObject({ status: 2, stdout: '' })
    expect(got.stderr).toMatch(/WER, ACC, loss/)
    expect(got.stderr).toContain('--min WER')
    expect(got.stderr).toContain('--max ACC')
    expect(await names(['find', 'best', run, '--min', 'WER'])).toEqual([nameOf(6)])
    const none = makeRun({ 'CKPT+a': 'lr: 1\nunixtime: 1\n' })
    expect((await ckpt(['find', 'best', none])).status).toBeGreaterThan(1)
  })

  it('says which it passes over because its values could not be read: it may be the best', async () => {
    const closed = makeRun(epochs(3))
    const meta = join(closed, nameOf(3), 'CKPT.yaml')
    chmodSync(meta, 0)
    for (const folder of [dirname(dirname(closed)), dirname(closed)]) chmodSync(folder, 0o755)
    const got = await asUser(() => ckpt(['find', closed, '--min', 'WER']))
    expect(got).toMatchObject({ status: 0, stdout: `${join(closed, nameOf(2))}\n` })
    expect(got.stderr).toContain(`passed over ${nameOf(3)}, whose values are not known: unreadable: CKPT.yaml`)
    const among = await asUser(() => ckpt(['find', '-r', closed, '--where', 'epoch > 1']))
    expect(among.stderr).toContain(`passed over ${join(closed, nameOf(3))}, whose`)
    expect((await asUser(() => ckpt(['find', closed, '--where', 'step > 1']))).stderr).not.toContain('passed over')
    writeFileSync(meta, 'WER: [1\n', { mode: 0o644 })
    chmodSync(meta, 0o644)
    expect((await ckpt(['find', closed, '--max', 'ACC'])).stderr).toContain(`passed over ${nameOf(3)}, whose values`)
  })

  it('prints parameter files of several, best first', async () => {
    const args = ['find', run, '--max', 'ACC', '--where', 'epoch > 2', '--num', '3', '--key', 'model']
    const files = [6, 5, 4].map((epoch) => join(path(epoch), 'model.ckpt'))
    expect((await ckpt(args)).stdout).toBe(files.map((file) => `${file}\n`).join(''))
    expect((await ckpt([...args, '-0'])).stdout).toBe(files.map((file) => `${file}\0`).join(''))
    const counted = await shell(`ckpt find ${shellWord(run)} --num 3 --key model -0 | xargs -0 cat`)
    expect(counted.stdout).toBe([6, 5, 4].map(nameOf).join(''))
  })

  it('says which keys there are when one has no file of that key', async () => {
    const got = await ckpt(['find', run, '--key', 'optimizer'])
    expect(got).toMatchObject({ status: 3, stdout: '' })
    expect(got.stderr).toContain('model')
  })

  it('gives fewer when there are fewer', async () => {
    expect(await names(['find', run, '--num', '99'])).toHaveLength(6)
    expect((await ckpt(['find', run, '--num', '0'])).status).toBe(2)
  })

  it('never takes NaN for the best, whichever way it ranks', async () => {
    const nan = makeRun({
      'CKPT+a': 'loss: .nan\nunixtime: 3\n',
      'CKPT+b': 'loss: 2.0\nunixtime: 2\n',
      'CKPT+c': 'loss: .inf\nunixtime: 1\n',
    })
    expect(await names(['find', nan, '--min', 'loss', '--num', '3'])).toEqual(['CKPT+b', 'CKPT+c', 'CKPT+a'])
    expect(await names(['find', nan, '--max', 'loss', '--num', '3'])).toEqual(['CKPT+c', 'CKPT+b', 'CKPT+a'])
    expect(await names(['find', nan, '--by', '-loss', '--num', '3'])).toEqual(['CKPT+b', 'CKPT+c', 'CKPT+a'])
  })

  it('passes over what is damaged, and gives it only where nothing is to be looked at', async () => {
    const damaged = copyFixture('runs/asr_run_damaged')
    const blind = await ckpt(['find', damaged, '--min', 'WER', '--verify', 'none'])
    expect(blind).toMatchObject({ status: 0, stdout: `${join(damaged, 'CKPT+2026-11-22+20-46-49+09')}\n`, stderr: '' })
    const plain = await ckpt(['find', damaged, '--min', 'WER'])
    expect(plain).toMatchObject({ status: 0, stdout: `${join(damaged, 'CKPT+2026-11-22+20-46-49+04')}\n` })
    expect(plain.stderr).toMatch(/warning: passed over .*\+09: .*18386 of 36772 bytes/)
    const deep = await ckpt(['find', damaged, '--min', 'WER', '--verify', 'deep'])
    expect(deep.stdout).toBe(`${join(damaged, 'CKPT+2026-11-22+20-46-49+03')}\n`)
  })

  it('ranks over all runs below a folder with -r', async () => {
    const root = realpathSync(temporaryDirectory())
    const one = makeRun(
      { 'CKPT+a': 'WER: 3\nunixtime: 1\n', 'CKPT+b': 'WER: 9\nunixtime: 2\n' },
      join(root, 'one/save'),
    )
    const two = makeRun({ 'CKPT+a': 'WER: 2\nunixtime: 1\n' }, join(root, 'two/save'))
    const got = await document<{ run: string; checkpoints: { run: string; name: string }[] }>([
      ...['find', '-r', root, '--min', 'WER', '--num', '2'],
    ])
    expect(got.run).toBe(root)
    expect(got.checkpoints.map(({ run: of, name }) => [of, name])).toEqual([
      [two, 'CKPT+a'],
      [one, 'CKPT+a'],
    ])
    expect((await ckpt(['find', '-r', root])).stdout).toBe(`${join(one, 'CKPT+b')}\n`)
  })

  it('prints one that lacks only a counter which all others have, and warns', async () => {
    const files = (epoch: number) => ({
      'CKPT.yaml': `WER: ${10 + epoch}\nunixtime: ${1_700_000_000 + epoch}\n`,
      'model.ckpt': 'x',
      ...(epoch === 1 ? {} : { 'epoch.ckpt': `${epoch}` }),
    })
    const run = makeRun(Object.fromEntries([1, 2, 3, 4, 5, 6].map((epoch) => [`CKPT+${epoch}`, files(epoch)])))
    const got = await ckpt(['find', run, '--min', 'WER'])
    expect(got).toMatchObject({ status: 0, stdout: `${join(run, 'CKPT+1')}\n` })
    expect(got.stderr).toContain('epoch.ckpt: not there')
  })

  it('tells several runs apart when -r is left out', async () => {
    const root = temporaryDirectory()
    makeRun(epochs(1), join(root, 'one/save'))
    makeRun(epochs(1), join(root, 'two/save'))
    const got = await ckpt(['find', root])
    expect(got.status).toBe(5)
    expect(got.stderr).toContain(join(root, 'one/save'))
    expect(got.stderr).toContain(join(root, 'two/save'))
    expect(got.stderr).toContain('-r')
  })
})
