/** The words that a newcomer sees first. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ckpt, copyFixture } from './ckpt.js'

const manifest = JSON.parse(readFileSync(new URL('../../oclif.manifest.json', import.meta.url), 'utf8')) as {
  commands: Record<string, { hidden?: boolean }>
}

describe('ckpt --help', () => {
  it('shows each command once, below what it is for', async () => {
    const { stdout, status } = await ckpt(['--help'])
    expect(status).toBe(0)
    const titles = [...stdout.matchAll(/^[A-Z]+$/gm)].map(([title]) => title)
    expect(titles).toEqual(['VERSION', 'USAGE', 'LOOK', 'CLEAN', 'JOBS', 'TENSORS', 'MORE'])
    const shown = [...stdout.matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map(([, name]) => name ?? '')
    const words = Object.keys(manifest.commands).map((id) => id.replace(/:.*/, ''))
    expect([...shown].sort()).toEqual([...new Set(words)].sort())
  })
})

describe('the man page', () => {
  it('fits a terminal of 80 columns, of which man(1) indents 7', () => {
    const page = readFileSync(new URL('../../dist/ckpt.1', import.meta.url), 'utf8')
    const asItIs = [...page.matchAll(/^\.nf\n([^]*?)^\.fi$/gm)].flatMap(([, text = '']) => text.split('\n'))
    expect(asItIs.length).toBeGreaterThan(1000)
    expect(asItIs.map((line) => line.replaceAll('\\-', '-')).filter((line) => Array.from(line).length > 73)).toEqual([])
  })
})

describe('ckpt trash --help', () => {
  it('names its commands', async () => {
    const { stdout } = await ckpt(['trash', '--help'])
    for (const name of ['list', 'restore', 'empty']) expect(stdout).toMatch(new RegExp(`^  trash ${name} +[A-Z]`, 'm'))
  })
})

describe('the usage of a command', () => {
  it.each([
    ['gc', '$ ckpt gc ROOT --older-than AGE [FLAGS]'],
    ['prune', '$ ckpt prune [RUN] [FLAGS]'],
    ['convert', '$ ckpt convert FILE [FLAGS]'],
    ['pin', '$ ckpt pin CHECKPOINT... [FLAGS]'],
    ['trash list', '$ ckpt trash list [RUN] [FLAGS]'],
  ])('%s: arguments and what must be given stand in one line', async (command, usage) => {
    const { stdout } = await ckpt([...command.split(' '), '--help'])
    expect(stdout).toContain(`USAGE\n  ${usage}\n`)
  })
})

describe('flags that do not fit together', () => {
  it.each([
    [['gc', '.'], 'error: --older-than is missing\n'],
    [['prune', '.', '-r', '-i'], 'error: --interactive and --recursive do not go together\n'],
    [['prune', '.', '--plan', 'p', '--apply', 'p'], 'error: --apply and --plan do not go together\n'],
    [['list', '.', '--group'], 'error: --group needs --recursive too\n'],
  ])('ckpt %j says so once', async (args, message) => {
    const { stderr, status } = await ckpt(args)
    expect([status, stderr]).toEqual([2, expect.stringContaining(message)])
  })
})

describe('short names', () => {
  it('ls is list', async () => {
    const run = copyFixture('runs/nutshell')
    expect(await ckpt(['ls', run])).toEqual(await ckpt(['list', run]))
    expect((await ckpt(['ls', '--help'])).stdout).toContain('ckpt list')
  })

  it.each(['-V', '--version'])('%s tells the version', async (flag) => {
    const { stdout, status } = await ckpt([flag])
    expect(status).toBe(0)
    expect(stdout).toMatch(/^ckpt\/\d+\.\d+\.\d+ \S+ (node|bun)-v\d+\.\d+\.\d+\n$/)
  })
})
