import { lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import * as library from 'yaml'
import { ConfigError } from '../../../src/core/formats/yaml/config-yaml.js'
import { findConfigs, parseConfig, readConfig } from '../../../src/cli/settings/settings-file.js'
import { localStorage } from '../../../src/core/storage/local.js'

const storage = localStorage()
const known = ['prune', 'trash empty']
const path = '/exp/ckpt.yaml'

function mistake(text: string): ConfigError {
  try {
    parseConfig(text, path, known, library)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('no mistake was found')
}

describe('a ckpt.yaml', () => {
  it('gives the flags of a command as they are written, each with its place', () => {
    const text = 'prune: {keep: 2, min: [WER, "a b"], keep-every: [epoch=10], older-than: 7d, remove-damaged: true}\n'
    const entries = parseConfig(text, path, known, library).sections.get('prune')?.entries
    expect(entries?.map(({ key, values, isList }) => [key, values.map((value) => value.text), isList])).toEqual([
      ['keep', ['2'], false],
      ['min', ['WER', 'a b'], true],
      ['keep-every', ['epoch=10'], true],
      ['older-than', ['7d'], false],
      ['remove-damaged', ['true'], false],
    ])
    expect(entries?.[4]?.values[0]?.boolean).toBe(true)
    expect(entries?.[1]?.values[1]?.position).toEqual({ path, line: 1, column: 29 })
  })

  it('keeps numbers as they are written, resolves aliases, and takes only true and false for booleans', () => {
    const entries = parseConfig(
      'prune:\n  keep: &n 0x02\n  older-than: *n\n  where: yes\n',
      path,
      known,
      library,
    ).sections.get('prune')?.entries
    expect(entries?.map(({ values: [value] }) => [value?.text, value?.boolean])).toEqual([
      ['0x02', null],
      ['0x02', null],
      ['yes', null],
    ])
  })

  it('may be empty, and its section too', () => {
    expect(parseConfig('', path, known, library).sections.size).toBe(0)
    expect(parseConfig('# nothing yet\n', path, known, library).sections.size).toBe(0)
    expect(parseConfig('prune:\n', path, known, library).sections.get('prune')?.entries).toEqual([])
  })

  it.each([
    ['prun:\n  keep: 2\n', ':1:1: "prun" is not a section of ckpt.yaml', 'did you mean prune?'],
    ['zzzz: 2\n', ':1:1: "zzzz"', 'known are: prune, trash empty, hooks, layouts, trust'],
    ['prune:\n  keep:\n', ':2:3: keep has no value', undefined],
    ['prune:\n  min:\n    - WER\n    - {a: 1}\n', ':4:7: min has keys of its own', undefined],
    ['prune:\n  min: [[a]]\n', ':2:9: min has a list, where', undefined],
    ['- prune\n', ':1:1: the file holds no keys', undefined],
    ['prune: 2\n', ':1:8: prune holds no keys', undefined],
    ['prune:\n  keep: [1\nx: 2\n', '/exp/ckpt.yaml:3:1: ', 'keys of a section stand below it'],
    ['prune:\n  keep: 1\n  keep: 2\n', ':3:3: "keep" stands here twice', 'a key stands once'],
    [`a: ${'['.repeat(101)}`, ':1:104: nested deeper than 100 levels; at most that many are read', undefined],
    [`a:\n ${'- '.repeat(101)}`, ':2:202: nested deeper than 100 levels', undefined],
    ['prune: {1: 2}\n', ':1:9: prune has a key that is not text', undefined],
  ])('with a mistake is refused with its place: %j', (text, message, hint) => {
    const error = mistake(text)
    expect(error.message).toContain(message)
    expect([error.code, error.exitStatus]).toEqual(['usage', 2])
    if (hint !== undefined) expect(error.hint).toContain(hint)
  })

  it('is looked for upwards, the nearest first, up to the home directory, and then at the own place of the user', async () => {
    const root = temporary()
    const run = join(root, 'home', 'exp', 'run')
    mkdirSync(run, { recursive: true })
    const files = [run, join(root, 'home'), root].map((folder) => join(folder, 'ckpt.yaml'))
    for (const file of files) writeFileSync(file, '')
    const own = join(root, 'own.yaml')
    writeFileSync(own, '')
    const found = (home: string) => findConfigs(storage, run, { home, own, withClosed: false })
    expect(await found(join(root, 'home'))).toEqual([...files.slice(0, 2), own])
    expect((await found('/nowhere')).slice(0, 3)).toEqual(files)
    expect(
      await findConfigs(storage, join(run, 'not', 'yet'), { home: run, own: null, withClosed: false }),
    ).toHaveLength(1)
  })

  it('that cannot be read is an error, and no missing policy', async () => {
    const root = temporary()
    const file = join(root, 'ckpt.yaml')
    mkdirSync(file)
    await expect(readConfig(storage, file, identityOf(file))).rejects.toMatchObject({ code: 'system' })
    const large = join(temporary(), 'ckpt.yaml')
    writeFileSync(large, Buffer.alloc((1 << 18) + 1, 32))
    await expect(readConfig(storage, large, identityOf(large))).rejects.toMatchObject({ errno: 'EFBIG' })
  })

  it('is read only where it is the file that was looked at', async () => {
    const file = join(temporary(), 'ckpt.yaml')
    writeFileSync(file, 'prune: {keep: 2}')
    const looked = identityOf(file)
    expect(await readConfig(storage, file, looked)).toBe('prune: {keep: 2}')
    writeFileSync(`${file}.new`, 'prune: {keep: 9}')
    renameSync(`${file}.new`, file)
    await expect(readConfig(storage, file, looked)).rejects.toMatchObject({ errno: 'ESTALE' })
  })
})

function identityOf(file: string) {
  const { dev, ino } = lstatSync(file, { bigint: true })
  return { device: dev, inode: ino }
}

const made: string[] = []
function temporary(): string {
  const path = mkdtempSync(join(tmpdir(), 'ckpt-config-'))
  made.push(path)
  return path
}
afterAll(() => made.forEach((path) => rmSync(path, { recursive: true, force: true })))
