import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { localStorage } from '../../../src/core/storage/local.js'

let folder = ''

function make(name: string, files: readonly string[], folders: readonly string[] = []): string {
  const path = join(folder, name)
  mkdirSync(path)
  for (const file of files) writeFileSync(join(path, file), '')
  for (const one of folders) mkdirSync(join(path, one))
  return path
}

async function list(...paths: readonly string[]) {
  const listings = await localStorage().list(paths)
  return listings.map((one) => (one.ok ? one.value : []))
}

const toText = (entries: readonly { name: string; kind: string }[] | undefined) =>
  (entries ?? []).map(({ name, kind }) => `${kind} ${name}`).sort()

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ckpt-listings-'))
})

afterAll(() => rmSync(folder, { recursive: true }))

describe('Listings of folders one after the other', () => {
  it('are one list where the folders have the same in them, and not where a name or a kind differs', async () => {
    const names = ['CKPT.yaml', 'model.ckpt', 'optimizer.ckpt']
    const paths = [make('a', names), make('b', names), make('c', names.slice(0, 2), ['optimizer.ckpt'])]
    const more = [make('d', names.slice(0, 2)), make('e', [...names, 'z']), make('f', names), make('g', [])]
    const [a, b, c, d, e, f, g] = await list(...paths, ...more)
    expect(b).toBe(a)
    expect(toText(a)).toEqual(['file CKPT.yaml', 'file model.ckpt', 'file optimizer.ckpt'])
    expect(toText(c)).toEqual(['directory optimizer.ckpt', 'file CKPT.yaml', 'file model.ckpt'])
    expect(toText(d)).toEqual(['file CKPT.yaml', 'file model.ckpt'])
    expect(toText(e)).toEqual(['file CKPT.yaml', 'file model.ckpt', 'file optimizer.ckpt', 'file z'])
    expect(toText(f)).toEqual(toText(a))
    expect(g).toEqual([])
  })

  it('are shared after a large folder too, as a run of thousands of checkpoints is', async () => {
    const many = make(
      'many',
      Array.from({ length: 5000 }, (_, index) => `file${index}`),
    )
    const names = ['meta.json', 'weights.pt']
    const [all, one, other] = await list(many, make('one', names), make('other', names))
    expect(all).toHaveLength(5000)
    expect(other).toBe(one)
  })
})
