/** What is offered at a press of Tab, wherever in the line the cursor is. */
import { describe, expect, it } from 'vitest'
import { complete, type Completion } from '../../../src/cli/completion/answer.js'
import type { CompletionSpec } from '../../../src/cli/completion/spec.js'
import { userStorage } from '../../../src/machine/user-storage.js'
import { copyFixture, temporaryDirectory } from '../../temporary.js'
import { cpSync } from 'node:fs'
import { dirname, join } from 'node:path'

const flag = (more: object = {}) => ({ takesValue: true, description: '', ...more })

const spec: CompletionSpec = {
  list: {
    summary: 'List',
    args: [{ name: 'run', multiple: false }],
    flags: {
      min: flag({ helpValue: 'KEY', repeatable: true }),
      where: flag({ helpValue: 'EXPR', repeatable: true }),
      columns: flag({ helpValue: 'A,B,…' }),
      training: flag({ helpValue: 'newest|N|all' }),
      sort: flag({ helpValue: 'COLUMN' }),
      verify: flag({ helpValue: 'LEVEL', options: ['none', 'quick', 'deep'] }),
      state: flag({ helpValue: 'DIR' }),
      quiet: { char: 'q', takesValue: false, description: '' },
    },
  },
  find: {
    summary: 'Find',
    args: [
      { name: 'what', multiple: false },
      { name: 'run', multiple: false },
    ],
    flags: { key: flag({ helpValue: 'KEY' }) },
  },
  pin: { summary: 'Pin', args: [{ name: 'checkpoint', multiple: true }], flags: {} },
  run: {
    summary: 'Run',
    args: [{ name: 'run', multiple: false }],
    flags: { 'resume-from': flag({ helpValue: 'best|NAME|EXPR' }), 'stop-when': flag({ helpValue: 'EXPR' }) },
  },
  submit: {
    summary: 'Submit',
    args: [
      { name: 'script', multiple: false },
      { name: 'run', multiple: false },
    ],
    flags: { 'stop-min': flag({ helpValue: 'KEY' }) },
  },
  plot: { summary: 'Plot', args: [{ name: 'what', multiple: true }], flags: {} },
  export: {
    summary: 'Export',
    args: [
      { name: 'run', multiple: false },
      { name: 'which', multiple: false },
    ],
    flags: { into: flag({ helpValue: 'DIR' }) },
  },
  save: { summary: 'Save', args: [{ name: 'run', multiple: false }], flags: { file: flag({ helpValue: 'KEY=PATH' }) } },
  runs: {
    summary: 'Runs',
    args: [{ name: 'root', multiple: false }],
    flags: { columns: flag({ helpValue: 'A,B,…' }), sort: flag({ helpValue: 'COLUMN' }) },
  },
  'trash list': { summary: 'List', args: [{ name: 'run', multiple: false }], flags: {} },
}

/** `|` is the cursor; words are between spaces. */
function at(typed: string, folder = '/nonexistent'): Promise<Completion> {
  const [before = ''] = typed.split('|')
  const words = typed.replace('|', '').split(' ')
  const index = before.split(' ').length - 1
  const current = before.split(' ').at(-1) ?? ''
  const here = { storage: userStorage(() => undefined), folder, home: '/nonexistent', isOver: () => false }
  return complete({ words, index, current }, spec, here)
}

const valuesAt = async (typed: string, folder?: string) =>
  (await at(typed, folder)).candidates.map(({ value }) => value)

describe('completion without a run', () => {
  it.each([
    ['|', ['list', 'find', 'pin', 'run', 'submit', 'plot', 'export', 'save', 'runs', 'trash', 'help']],
    ['help li|', ['list']],
    ['help trash |', ['list']],
    ['list --training |', ['newest', 'all']],
    ['li|', ['list']],
    ['li| exp --min WER', ['list']],
    ['trash |', ['list']],
    ['list --s|', ['--sort', '--state']],
    ['list exp --s|', ['--sort', '--state']],
    ['list --sort WER exp --s|', ['--state']],
    ['list --s| exp', ['--sort', '--state']],
    ['list --min WER --m|', ['--min']],
    ['list --verify |', ['none', 'quick', 'deep']],
    ['list --verify q| exp', ['quick']],
    ['list --verify=q|', ['--verify=quick']],
    ['list --verify=| exp', ['--verify=none', '--verify=quick', '--verify=deep']],
    ['ls --verify d|', ['deep']],
    ['find b|', ['best']],
    ['find exp |', ['best', 'latest']],
    ['find best exp |', []],
  ])('ckpt %s', async (typed, expected) => {
    expect(await valuesAt(typed)).toEqual(expected)
  })

  it.each([
    ['list |', 'folders'],
    ['list --state |', 'folders'],
    ['pin |', 'files'],
    ['pin one |', 'files'],
    ['run exp -- |', 'commands'],
    ['run exp -- python |', 'files'],
    ['list exp --quiet |', 'none'],
  ])('ckpt %s leaves the rest to the shell: %s', async (typed, shell) => {
    expect((await at(typed)).shell).toBe(shell)
  })
})

describe('completion in a run', () => {
  const run = copyFixture('runs/nutshell')

  it('offers metric keys, and the run may stand behind the cursor', async () => {
    const keys = await valuesAt('list --min |', run)
    expect(keys).toContain('loss')
    expect(await valuesAt(`list ${run} --min |`)).toEqual(keys)
    expect(await valuesAt(`list --min | ${run}`)).toEqual(keys)
    expect(await valuesAt(`list --min=lo| ${run}`)).toEqual(['--min=loss'])
  })

  it('offers names in the middle of an expression', async () => {
    const { candidates, open } = await at('list --where epoch>2&&lo|', run)
    expect([candidates.map(({ value }) => value), open]).toEqual([['epoch>2&&loss'], true])
  })

  it('offers columns after a comma and after the minus of --sort', async () => {
    expect(await valuesAt('list --columns name,lo|', run)).toEqual(['name,loss'])
    expect(await valuesAt('list --sort -lo|', run)).toEqual(['-loss'])
    expect(await valuesAt('list --columns +lo|', run)).toEqual(['+loss'])
    expect(await valuesAt('list --columns name,-lo|', run)).toEqual(['name,-loss'])
  })

  it('offers columns of runs to ckpt runs', async () => {
    expect(await valuesAt('runs --sort -che|', run)).toEqual(['-checkpoints'])
    expect(await valuesAt('runs --columns run,lo|', run)).toEqual(['run,loss'])
  })

  it('offers what to plot, what to export, and what a job may start from', async () => {
    const [name = ''] = await valuesAt('pin |', run)
    expect(await valuesAt(`plot ${run} lo|`)).toEqual(['loss'])
    expect(await valuesAt(`export ${run} |`)).toEqual(expect.arrayContaining([name, 'best', 'latest']))
    expect(await valuesAt(`run ${run} --resume-from |`)).toEqual(expect.arrayContaining([name, 'best', 'loss']))
    expect(await valuesAt(`run ${run} --stop-when lo|`)).toEqual(['loss'])
    expect(await valuesAt(`submit train.sh ${run} --stop-min lo|`)).toEqual(['loss'])
  })

  it('offers paths itself behind a =, where the shell looks for none', async () => {
    const folder = dirname(run)
    expect(await valuesAt('save exp --file model=runs|', folder)).toEqual(['model=runs-nutshell/'])
    expect(await valuesAt('save exp --file=model=ru|', folder)).toEqual(['--file=model=runs-nutshell/'])
    expect(await valuesAt('export exp --into=ru|', folder)).toEqual(['--into=runs-nutshell/'])
    expect(await valuesAt('save exp --file mo|', folder)).toEqual([])
  })

  it('offers metric keys of all runs below a folder', async () => {
    const other = copyFixture('runs/nutshell')
    const above = temporaryDirectory()
    for (const name of ['a', 'b']) cpSync(other, join(above, name), { recursive: true })
    expect(await valuesAt('list --min lo|', above)).toEqual(['loss'])
  })

  it('offers names of checkpoints and keys of their files', async () => {
    const names = await valuesAt('pin |', run)
    expect(names.length).toBeGreaterThan(0)
    expect(await valuesAt(`pin ${(names[0] ?? '').slice(0, 6)}|`, run)).toContain(names[0])
    expect((await valuesAt(`find best ${run} --key |`)).length).toBeGreaterThan(0)
    expect((await valuesAt(`find ${run} --key |`)).length).toBeGreaterThan(0)
  })

  it('offers runs below the folder', async () => {
    expect(await valuesAt('list |', dirname(run))).toEqual(['runs-nutshell'])
  })

  it('offers runs and metrics where there are many of each, and none of a run that is named', async () => {
    const above = temporaryDirectory()
    const names = Array.from({ length: 50 }, (_, index) => `run${index + 10}`)
    for (const name of names) cpSync(run, join(above, 'all', name, 'save'), { recursive: true })
    expect(await valuesAt('list |', above)).toEqual(names.map((name) => `all/${name}/save`))
    expect(await valuesAt('list all/run2|', above)).toEqual(names.slice(10, 20).map((name) => `all/${name}/save`))
    expect(await valuesAt('list all/run20/save/|', above)).toEqual([])
    expect(await valuesAt('list --min lo|', above)).toEqual(['loss'])
    expect(await valuesAt('pin |', above)).toEqual([])
  })
})
