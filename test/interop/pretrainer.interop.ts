/** The same plan given to SpeechBrain's Pretrainer: the same files come together, and each reads the other's folder. */
import { mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ckpt, temporaryDirectory } from '../e2e/ckpt.js'
import { askPython } from './python.js'

const links = (folder: string) =>
  readdirSync(folder)
    .sort()
    .map((name) => [name, readlinkSync(join(folder, name))])

it('ckpt pretrain collects what SpeechBrain’s Pretrainer collects, which loads it', async () => {
  const folder = temporaryDirectory()
  const at = (...names: string[]) => join(folder, ...names)
  for (const name of ['pretrained', 'other']) mkdirSync(at(name))
  const files: [string, number][] = [
    ['pretrained/lm.ckpt', 2],
    ['pretrained/am.ckpt', 99],
    ['other/am-final.pt', 3],
  ]
  for (const [name, value] of files) askPython({ do: 'torch_file', path: at(name), value })
  const plan = at('plan.yaml')
  const text = (collectIn: string) =>
    `collect_in: ${collectIn}\ndefault_source: pretrained\nloadables: {lm: , am: , no: }\npaths: {am: other/am-final.pt}\nconditions: {no: false}\n`
  const same = {
    do: 'pretrain',
    loadables: ['lm', 'am', 'no'],
    paths: { am: at('other/am-final.pt') },
    conditions: { no: false },
    default_source: at('pretrained'),
  }
  const pretrain = async (collectIn: string) => {
    writeFileSync(plan, text(collectIn))
    const { status, stdout } = await ckpt(['pretrain', plan, '--json'])
    expect(status).toBe(0)
    return (JSON.parse(stdout) as { files: { action: string }[] }).files.map(({ action }) => action)
  }

  const theirs = askPython({ ...same, collect_in: at('theirs'), collects: true }) as Record<string, number[]>
  expect(await pretrain('ours')).toEqual(['link', 'link'])
  expect(links(at('ours'))).toEqual(links(at('theirs')))
  const loaded = askPython({ ...same, collect_in: at('ours'), collects: false }) as Record<string, number[]>
  expect([loaded['lm'], loaded['am']]).toEqual([Array(6).fill(2), Array(6).fill(3)])
  expect([theirs['lm'], theirs['am']]).toEqual([loaded['lm'], loaded['am']])
  expect(await pretrain('theirs')).toEqual(['keep', 'keep'])
})
