/** The examples of docs/adding-a-layout.md do what the page says. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import * as yaml from 'yaml'
import { afterEach, describe, expect, it } from 'vitest'
import { transpileModule, ModuleKind } from 'typescript'
import { useOwnLayouts } from '../../../../src/core/checkpoints/layouts/index.js'
import { parseLayouts } from '../../../../src/core/checkpoints/layouts/own/parse-layouts.js'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import type { LayoutSpec } from '../../../../src/core/checkpoints/layouts/spec.js'
import { YamlText } from '../../../../src/core/formats/yaml/config-yaml.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeFolder, write } from './folders.js'

const page = readFileSync(fileURLToPath(new URL('../../../../docs/adding-a-layout.md', import.meta.url)), 'utf8')

function example(language: string): string {
  return new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 's').exec(page)?.[1] ?? ''
}

afterEach(() => useOwnLayouts([]))

describe('the example in ckpt.yaml', () => {
  const ours = (): LayoutSpec[] => {
    const text = new YamlText(example('yaml'), '/exp/ckpt.yaml', yaml)
    const [pair] = text.root === null ? [] : text.pairsOf(text.root, 'the file', '')
    return parseLayouts(text, pair?.value ?? null, ['speechbrain'])
  }

  it('finds checkpoints of several files, with facts from the name and from JSON', async () => {
    useOwnLayouts(ours())
    const root = write(makeFolder(), {
      'ckpt_100_0.5.pt': 'weights',
      'ckpt_100_0.5.pt.opt': 'optimizer',
      'ckpt_100_0.5.pt.json': '{"epoch": 3, "WER": 0.25}',
      'ckpt_100_0.5.pt.done': '',
      'ckpt_200_0.25.pt': 'weights',
      'ckpt_200_0.25.pt.opt': 'optimizer',
      'ckpt_200_0.25.pt.json': '{"epoch": 6, "WER": 0.125}',
      'other_300.pt': 'x',
    })
    const { checkpoints } = await loadRun(localStorage(), root)
    expect(checkpoints.map(({ name, layout, step, epoch }) => [name, layout, step, epoch])).toEqual([
      ['ckpt_100_0.5.pt', 'ours', 100, 3],
      ['ckpt_200_0.25.pt', 'ours', 200, 6],
    ])
    const [first, second] = checkpoints
    expect(first?.meta.get('loss')).toBe(0.5)
    expect(first?.meta.get('WER')).toBe(0.25)
    expect(first?.members.map(({ path }) => path.slice(root.length + 1))).toEqual([
      'ckpt_100_0.5.pt',
      'ckpt_100_0.5.pt.done',
      'ckpt_100_0.5.pt.json',
      'ckpt_100_0.5.pt.opt',
    ])
    expect(first?.files.map(({ key, role }) => [key, role])).toEqual([
      ['model', 'weights'],
      ['optimizer', 'resume'],
    ])
    expect([first?.health.grade, second?.health.grade]).toEqual(['unchecked', 'unfinished'])
  })
})

describe('the example in the program', () => {
  it('has at most 60 lines, and is a layout as it stands on the page', async () => {
    const source = example('ts')
    expect(source.split('\n').length).toBeLessThanOrEqual(60)
    const file = join(makeFolder(), 'toy.mjs')
    writeFileSync(file, transpileModule(source, { compilerOptions: { module: ModuleKind.ESNext } }).outputText)
    const { toy } = (await import(pathToFileURL(file).href)) as { readonly toy: LayoutSpec }
    useOwnLayouts([toy])
    const root = write(makeFolder(), {
      'log.csv': 'step,lr\n6,0.5\n13,0.25\n',
      latest: 'toy-14',
    })
    for (const step of [7, 14]) {
      mkdirSync(join(root, `toy-${step}`))
      write(join(root, `toy-${step}`), {
        'weights.bin': 'w',
        'optimizer.bin': 'o',
        'facts.json': JSON.stringify({ epoch: step / 7, metrics: { val_loss: 1 / step } }),
        ...(step === 7 ? { COMPLETE: '' } : {}),
      })
    }
    const { checkpoints } = await loadRun(localStorage(), root)
    expect(checkpoints.map(({ name, step, epoch, health }) => [name, step, epoch, health.grade])).toEqual([
      ['toy-7', 7, 1, 'unchecked'],
      ['toy-14', 14, 2, 'unfinished'],
    ])
    expect(Object.fromEntries(checkpoints[0]?.meta ?? [])).toEqual({ epoch: 1, val_loss: 1 / 7, lr: 0.5 })
    expect(checkpoints[0]?.files.map(({ key, role }) => [key, role])).toEqual([
      ['model', 'weights'],
      ['optimizer', 'resume'],
    ])
    expect(checkpoints[1]?.pointsTo).toEqual([{ label: 'latest', name: 'toy-14', purpose: 'resume', follows: true }])
  })
})

it('files may be named after the checkpoint that they belong to', async () => {
  const text =
    'layouts:\n  - name: ours\n    checkpoint: "ckpt_{step:int}"\n    members: ["{checkpoint}", "{checkpoint}.opt"]\n' +
    '    files: {model: "{checkpoint}", optimizer: {match: "{checkpoint}.opt", role: resume}}\n'
  const file = new YamlText(text, '/exp/ckpt.yaml', yaml)
  const [pair] = file.root === null ? [] : file.pairsOf(file.root, 'the file', '')
  useOwnLayouts(parseLayouts(file, pair?.value ?? null, []))
  const root = write(makeFolder(), { ckpt_5: 'w', 'ckpt_5.opt': 'o' })
  const { checkpoints } = await loadRun(localStorage(), root)
  expect(checkpoints.map(({ name, step, files }) => [name, step, files.map(({ key, role }) => [key, role])])).toEqual([
    [
      'ckpt_5',
      5,
      [
        ['model', 'weights'],
        ['optimizer', 'resume'],
      ],
    ],
  ])
})

it('what is written last is called by its own name where it is not there', async () => {
  const text = 'layouts: [{name: ours, checkpoint: "ckpt_{step:int}.pt", complete: ".done"}]'
  const file = new YamlText(text, '/exp/ckpt.yaml', yaml)
  const [pair] = file.root === null ? [] : file.pairsOf(file.root, 'the file', '')
  useOwnLayouts(parseLayouts(file, pair?.value ?? null, []))
  const root = write(makeFolder(), { 'ckpt_5.pt': 'w', 'ckpt_7.pt': 'w', 'ckpt_7.pt.done': '' })
  const { checkpoints } = await loadRun(localStorage(), root)
  expect(checkpoints.map(({ name, health }) => [name, health.findings.map((finding) => finding.file)])).toEqual([
    ['ckpt_5.pt', ['ckpt_5.pt.done']],
    ['ckpt_7.pt', []],
  ])
})

describe('a layout of one’s own', () => {
  const use = (text: string): void => {
    const file = new YamlText(`layouts:\n  - name: ours\n${text}`, '/exp/ckpt.yaml', yaml)
    const [pair] = file.root === null ? [] : file.pairsOf(file.root, 'the file', '')
    useOwnLayouts(parseLayouts(file, pair?.value ?? null, []))
  }

  it.each([
    ['meta: meta.json\n    complete: ".done"\n    files: {model: "*.pt"}'],
    ['meta: "{checkpoint}/meta.json"\n    complete: "{checkpoint}/.done"\n    files: {model: "{checkpoint}/*.pt"}'],
    ['members: ["{checkpoint}"]\n    meta: meta.json\n    complete: ".done"\n    files: {model: "*.pt"}'],
  ])('of a folder names what is in it, with or without the name of the folder: %j', async (rest) => {
    use(`    checkpoint: "step-{step:int}/"\n    ${rest}\n`)
    const root = write(makeFolder(), {
      'step-10/model.pt': 'w',
      'step-10/meta.json': '{"epoch": 1}',
      'step-10/.done': '',
      'step-20/model.pt': 'w',
      'step-20/meta.json': '{"epoch": 2}',
    })
    const { checkpoints } = await loadRun(localStorage(), root)
    expect(
      checkpoints.map(({ name, step, epoch, files, health }) => [
        name,
        step,
        epoch,
        files.map(({ key }) => key),
        health.grade,
      ]),
    ).toEqual([
      ['step-10', 10, 1, ['model'], 'unchecked'],
      ['step-20', 20, 2, ['model'], 'unfinished'],
    ])
  })

  it('never takes the settings that it is read from', async () => {
    use('    checkpoint: "*"\n')
    const root = write(makeFolder(), { a: 'w', 'ckpt.yaml': 'layouts: []' })
    const { checkpoints } = await loadRun(localStorage(), root)
    expect(checkpoints.map(({ name }) => name)).toEqual(['a'])
  })
})

describe('a mistake in layouts', () => {
  const mistake = (text: string): string => {
    const file = new YamlText(text, '/exp/ckpt.yaml', yaml)
    const [pair] = file.root === null ? [] : file.pairsOf(file.root, 'the file', '')
    try {
      parseLayouts(file, pair?.value ?? null, ['speechbrain'])
    } catch (error) {
      return (error as Error).message
    }
    return 'none'
  }

  it.each([
    ['layouts: {a: 1}', '/exp/ckpt.yaml:1:10: layouts is not a list'],
    ['layouts:\n  - {checkpoint: "a_{step:int}.pt"}', '/exp/ckpt.yaml:2:5: a layout without name'],
    ['layouts:\n  - {name: ours}', '/exp/ckpt.yaml:2:5: a layout without checkpoint'],
    ['layouts:\n  - {name: speechbrain, checkpoint: a}', '/exp/ckpt.yaml:2:12: a layout speechbrain is there already'],
    ['layouts:\n  - {name: o, checkpiont: a}', '/exp/ckpt.yaml:2:15: "checkpiont" is not a key of a layout'],
    [
      'layouts:\n  - {name: o, checkpoint: "a_{step:integer}.pt"}',
      '/exp/ckpt.yaml:2:30: "integer" is not a kind of value',
    ],
    ['layouts:\n  - {name: o, checkpoint: "a_{step.pt"}', '/exp/ckpt.yaml:2:30: a { without its }'],
    [
      `layouts:\n  - {name: o, checkpoint: "${'*a'.repeat(50)}"}`,
      '/exp/ckpt.yaml:2:28: 50 parts of it stand for any text, and at most 3 can be distinguished',
    ],
    [
      'layouts:\n  - {name: o, checkpoint: "{a:int}{b:int}{c}{d}*"}',
      '/exp/ckpt.yaml:2:28: 4 parts of it stand for any text, and at most 3 can be distinguished',
    ],
    [
      'layouts:\n  - {name: o, checkpoint: a/, complete: "*a*b*c*d"}',
      '/exp/ckpt.yaml:2:41: 4 parts of it stand for any text, and at most 3 can be distinguished',
    ],
    [
      'layouts:\n  - {name: o, checkpoint: "{s:text}", files: {m: "{checkpoint}{checkpoint}z"}}',
      '/exp/ckpt.yaml:2:50: 4 parts of it stand for any text, and at most 3 can be distinguished',
    ],
    [
      'layouts:\n  - {name: o, checkpoint: "a_{s:int}", files: {m: "*{checkpoint}*{checkpoint}*"}}',
      '/exp/ckpt.yaml:2:51: 5 parts of it stand for any text, and at most 3 can be distinguished',
    ],
    [
      `layouts:\n${'  - {name: o, checkpoint: a}\n'.repeat(65)}`,
      '/exp/ckpt.yaml:2:3: 65 layouts, and at most 64 are read',
    ],
    [
      'layouts:\n  - {name: o, checkpoint: "a/b.pt"}',
      '/exp/ckpt.yaml:2:29: a name has no / but at the end of a folder',
    ],
    [
      'layouts:\n  - {name: o, checkpoint: a.pt, meta: a.toml}',
      '/exp/ckpt.yaml:2:39: "a.toml" is neither .json nor .yaml',
    ],
    [
      'layouts:\n  - {name: o, checkpoint: a.pt, meta: a.json}',
      '/exp/ckpt.yaml:2:39: "a.json" does not begin with {checkpoint}',
    ],
    [
      'layouts:\n  - {name: o, checkpoint: a.pt, files: {m: {match: a, role: big}}}',
      '/exp/ckpt.yaml:2:61: "big" is not a role',
    ],
    [
      'layouts:\n  - {name: o, checkpoint: a/, meta: {torch: [epoch]}}',
      '/exp/ckpt.yaml:2:31: of a checkpoint that is a folder, meta has to say in which file the keys are',
    ],
    [
      'layouts:\n  - {name: o, checkpoint: a/, meta: "{checkpoint}.json"}',
      '/exp/ckpt.yaml:2:37: of a checkpoint that is a folder, meta names a file in it',
    ],
    [
      'layouts:\n  - {name: o, checkpoint: a/, files: {m: {match: "{checkpoint}.opt"}}}',
      '/exp/ckpt.yaml:2:50: of a checkpoint that is a folder, m names a file in it',
    ],
    [
      'layouts:\n  - {name: o, checkpoint: a/, members: ["{checkpoint}", "{checkpoint}.opt"]}',
      '/exp/ckpt.yaml:2:57: a checkpoint that is a folder has no other members than what is in it',
    ],
  ])('%j is reported with its place', (text, message) => {
    expect(mistake(text)).toBe(message)
  })
})
