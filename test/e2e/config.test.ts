/** `ckpt config`: what holds, where it comes from, and the schema that editors have of it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ajv } from 'ajv'
import { describe, expect, it } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { ckpt } from './ckpt.js'
import { epochs, makeRun, parse } from './runs.js'

/** A run with settings in it. */
function withSettings(text: string): { run: string; file: string } {
  const run = makeRun(epochs(2))
  const file = join(run, 'ckpt.yaml')
  writeFileSync(file, text)
  return { run, file }
}

interface Document {
  readonly files: readonly string[]
  readonly commands: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly hooks: readonly unknown[]
}

describe('ckpt config', () => {
  it('says of what is not there that nothing is, and which command may have been meant', async () => {
    const { run } = withSettings('prune: { keep: 4 }\n')
    const cwd = dirname(run)
    expect(await ckpt(['config', 'prun'], { cwd })).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(
        /^warning: .*\/prun: nothing there yet; did you mean ckpt config prune or ckpt config run\?$/m,
      ) as string,
    })
    expect((await ckpt(['config', 'later', 'prune'], { cwd })).stderr).toContain('these settings will hold there')
  })

  it('begins where the command would: at the run below, but for save at the very folder', async () => {
    const { run, file } = withSettings('save: { keep: 5 }\nprune: { keep: 4 }\n')
    const above = dirname(run)
    const keepOf = async (command: string) => {
      const { files, commands } = parse<Document>(await ckpt(['config', above, command, '--json']))
      return [files, commands[command]?.['keep']]
    }
    expect(await keepOf('prune')).toMatchObject([[file], { value: 4 }])
    expect(await keepOf('save')).toMatchObject([[], { value: null }])
    const { commands } = parse<Document>(await ckpt(['config', 'save', '--json'], { cwd: dirname(above) }))
    expect(commands['save']?.['keep']).toMatchObject({ value: null })
  })

  it('shows each flag of a command with its value and where that comes from', async () => {
    const { run, file } = withSettings('prune:\n  keep: 2\n  min: [WER]\n  yes: false\n')
    const got = await ckpt(['config', run, 'prune', '--json'], { env: { CKPT_STATE: '/scratch' } })
    const { prune } = parse<Document>(got).commands
    expect(prune).toMatchObject({
      keep: { value: 2, from: 'file', file, line: 2 },
      min: { value: ['WER'], from: 'file', file, line: 3 },
      yes: { value: false, from: 'file', file, line: 4 },
      wait: { value: '1m', from: 'default' },
      max: { value: null, from: 'default' },
      trash: { value: false, from: 'default' },
      state: { value: '/scratch', from: 'environment', variable: 'CKPT_STATE' },
    })
    const { stdout } = await ckpt(['config', run, 'prune'], { env: { CKPT_STATE: '/scratch' } })
    expect(stdout).toMatch(new RegExp(`^keep +2 +${file}:2$`, 'm'))
    expect(stdout).toMatch(/^state +\/scratch +environment CKPT_STATE$/m)
    expect(stdout).toMatch(/^wait +1m +default$/m)
  })

  it('leaves out what is overruled: a policy that a nearer file replaces', async () => {
    const { run, file } = withSettings('prune: {keep: 3}\n')
    writeFileSync(join(run, '..', 'ckpt.yaml'), 'prune: {min: [WER], wait: 5m}\n')
    const { commands, files } = parse<Document>(await ckpt(['config', run, 'prune', '--json']))
    expect(files).toEqual([file, join(run, '..', 'ckpt.yaml')])
    expect(commands['prune']).toMatchObject({ min: { from: 'default' }, wait: { value: '5m', line: 1 } })
  })

  it('without a command shows all that have settings, and the hooks', async () => {
    const text = 'find: {num: 2}\ntrash list: {json: true}\nhooks:\n  - {key: lm, transfer: "cp {source} {target}"}\n'
    const { run, file } = withSettings(text)
    const { commands, hooks } = parse<Document>(await ckpt(['config', run, '--json']))
    expect(Object.keys(commands)).toEqual(['find', 'trash list'])
    expect(hooks).toEqual([
      { key: 'lm', steps: { transfer: 'cp {source} {target}' }, shell: false, timeout: null, file, line: 4 },
    ])
    const { stdout } = await ckpt(['config', run])
    expect(stdout).toMatch(new RegExp(`^find +num +2 +${file}:1$`, 'm'))
    expect(stdout).toMatch(new RegExp(`^key lm +transfer +cp {source} {target} +${file}:4$`, 'm'))
  })

  it('takes the folder that one is in for the run where a command alone is named', async () => {
    const { run } = withSettings('trash list: {quiet: true}\n')
    const { commands } = parse<Document>(await ckpt(['config', 'trash', 'list', '--json'], { cwd: run }))
    expect(commands).toMatchObject({ 'trash list': { quiet: { value: true, from: 'file' } } })
  })

  it('tells a mistake in whatever section with its line, and a command that there is none of', async () => {
    const { run, file } = withSettings('find: {num: 2}\nlist:\n  limt: 3\n')
    const wrong = await ckpt(['config', run, 'find'])
    expect(wrong).toMatchObject({ status: 2, stderr: expect.stringContaining(`${file}:3:3: "limt" is not`) as string })
    const { status, stderr } = await ckpt(['config', run, 'prne', '--no-config'])
    expect([status, stderr]).toEqual([2, 'error: "prne" is not a command\nhint: did you mean prune?\n'])
  })

  it.each([
    [['set', 'keep', '2'], 'settings are written into ckpt.yaml with an editor: prune: { keep: 2 }'],
    [['get', 'older-than'], 'settings are written into ckpt.yaml with an editor: prune: { older-than: VALUE }'],
    [['set', 'colour', 'blue'], 'ckpt --help shows which commands there are'],
  ])('says where a setting is written, to who would set it as with git: %j', async (words, hint) => {
    const { status, stderr } = await ckpt(['config', ...words], { cwd: dirname(makeRun(epochs(1))) })
    expect([status, stderr]).toEqual([2, expect.stringMatching(/^error: ".*" is not a command\nhint: /)])
    expect(stderr).toContain(`hint: ${hint}\n`)
  })

  it('says so where there are no settings', async () => {
    const { status, stdout, stderr } = await ckpt(['config', makeRun(epochs(1))])
    expect([status, stdout, stderr]).toEqual([0, '', expect.stringContaining('no file has settings here') as string])
  })
})

const docs = (name: string) => readFileSync(fileURLToPath(new URL(`../../docs/${name}`, import.meta.url)), 'utf8')

describe('docs/ckpt.schema.json', () => {
  const isValid = new Ajv({ allowUnionTypes: true, strictRequired: false }).compile(
    JSON.parse(docs('ckpt.schema.json')) as object,
  )
  const examples = [...docs('configuration.md').matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text)

  it.each(examples)('takes the examples of the documentation: %j', (text) => {
    expect(isValid(parseYaml(text))).toBe(true)
  })

  it.each([
    'prune: {keep: 2, older-than: 7d, min: WER, max-total: 500G}',
    'prune:',
    'prune: {keep: "2"}',
    'run: {retries: failed=1, no-retry-on: "2,64", requeue-on: 85, back-off: 10s, simulate: [crash@1s]}',
    'hooks:',
    'hooks: [{key: lm, shell: true, verify: test -s "$CKPT_SOURCE", timeout: 10}]',
    'trust: [/projects/asr]',
  ])('takes what is read: %s', (text) => {
    expect(isValid(parseYaml(text))).toBe(true)
  })

  it.each([
    'prnue: {keep: 2}',
    'prune: {kep: 2}',
    'prune: {keep: many}',
    'prune: {yes: maybe}',
    'prune: {keep: [1, 2]}',
    'prune: {min: {WER: 1}}',
    'find: {verify: deeep}',
    'find: {no-config: true}',
    'prune: 2',
    'hooks: {key: lm, save: x}',
    'hooks: [{save: "cp {source} {target}"}]',
    'hooks: [{key: lm, match: "*.lm", save: x}]',
    'hooks: [{key: lm}]',
    'hooks: [{key: lm, saves: x}]',
    'hooks: [{match: a/b, save: x}]',
  ])('refuses %s', (text) => {
    expect(isValid(parseYaml(text))).toBe(false)
  })
})
