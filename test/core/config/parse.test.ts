import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { ConfigError, findConfigs, parseConfig } from '../../../src/core/config/index.js'
import { localStorage } from '../../../src/core/storage/local.js'

const known = new Map([['prune', ['keep', 'min', 'keep-every', 'older-than', 'remove-damaged', 'where']]])
const path = '/exp/ckpt.yaml'

function mistake(text: string): ConfigError {
  try {
    parseConfig(text, path, known)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('no mistake was found')
}

describe('a ckpt.yaml', () => {
  it('gives the flags of a command as they are written, each with its place', () => {
    const text = 'prune: {keep: 2, min: [WER, "a b"], keep-every: [epoch=10], older-than: 7d, remove-damaged: true}\n'
    const entries = parseConfig(text, path, known).sections.get('prune')
    expect(entries?.map(({ key, values, isList }) => [key, values.map((value) => value.text), isList])).toEqual([
      ['keep', ['2'], false],
      ['min', ['WER', 'a b'], true],
      ['keep-every', ['epoch=10'], true],
      ['older-than', ['7d'], false],
      ['remove-damaged', ['true'], false],
    ])
    expect(entries?.[4]?.values[0]?.boolean).toBe(true)
    expect(entries?.[1]?.values[1]?.place).toEqual({ path, line: 1, column: 29 })
  })

  it('keeps numbers as they are written, resolves aliases, and takes only true and false for booleans', () => {
    const entries = parseConfig('prune:\n  keep: &n 0x02\n  older-than: *n\n  where: yes\n', path, known).sections.get('prune')
    expect(entries?.map(({ values: [value] }) => [value?.text, value?.boolean])).toEqual([
      ['0x02', null],
      ['0x02', null],
      ['yes', null],
    ])
  })

  it('may be empty, and its section too', () => {
    expect(parseConfig('', path, known).sections.size).toBe(0)
    expect(parseConfig('# nothing yet\n', path, known).sections.size).toBe(0)
    expect(parseConfig('prune:\n', path, known).sections.get('prune')).toEqual([])
  })

  it.each([
    ['prune:\n  keap: 2\n', ':2:3: "keap" is not a key of prune', 'did you mean keep?'],
    ['prun:\n  keep: 2\n', ':1:1: "prun" is not a section of ckpt.yaml', 'did you mean prune?'],
    ['prune:\n  zzz: 2\n', ':2:3: "zzz"', 'known are: keep, min'],
    ['prune:\n  keep:\n', ':2:3: keep has no value', undefined],
    ['prune:\n  min:\n    - WER\n    - {a: 1}\n', ':4:7: min has keys of its own', undefined],
    ['prune:\n  min: [[a]]\n', ':2:9: min has a list in a list', undefined],
    ['- prune\n', ':1:1: the file holds no keys', undefined],
    ['prune: 2\n', ':1:8: prune holds no keys', undefined],
    ['prune:\n  keep: [1\nx: 2\n', '/exp/ckpt.yaml:3:1: ', undefined],
    ['prune:\n  keep: 1\n  keep: 2\n', ':3:3: Map keys must be unique', undefined],
    ['prune: {1: 2}\n', ':1:9: prune has a key that is no text', undefined],
  ])('with a mistake is refused with its place: %j', (text, message, hint) => {
    const error = mistake(text)
    expect(error.message).toContain(message)
    expect([error.code, error.exitStatus]).toEqual(['usage', 2])
    if (hint !== undefined) expect(error.hint).toContain(hint)
  })

  it('is looked for upwards, the nearest first, up to the home directory', async () => {
    const root = mkdtempSync(join(tmpdir(), 'ckpt-config-'))
    afterAll(() => rmSync(root, { recursive: true, force: true }))
    const run = join(root, 'home', 'exp', 'run')
    mkdirSync(run, { recursive: true })
    for (const folder of [root, join(root, 'home'), run]) writeFileSync(join(folder, 'ckpt.yaml'), folder)
    const found = async (home: string) => (await findConfigs(localStorage(), run, home)).map(({ text }) => text)
    expect(await found(join(root, 'home'))).toEqual([run, join(root, 'home')])
    expect((await found('/nowhere')).slice(0, 3)).toEqual([run, join(root, 'home'), root])
  })

  it('that cannot be read is an error, and no missing policy', async () => {
    const root = mkdtempSync(join(tmpdir(), 'ckpt-config-'))
    mkdirSync(join(root, 'ckpt.yaml'))
    await expect(findConfigs(localStorage(), root, root)).rejects.toMatchObject({ errno: 'EISDIR' })
    rmSync(root, { recursive: true })
  })
})
