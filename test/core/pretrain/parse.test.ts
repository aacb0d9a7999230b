import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parsePlan, parseVariable, type PretrainPlan } from '../../../src/core/pretrain/index.js'
import { localStorage } from '../../../src/core/storage/local.js'

const storage = localStorage()
let folder = ''

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-plan-'))
  fs.mkdirSync(join(folder, 'pretrained'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)

function plan(text: string, more: Partial<Parameters<typeof parsePlan>[3]> = {}): Promise<PretrainPlan> {
  return parsePlan(storage, text, at('plan.yaml'), { workingFolder: '/', ...more })
}

async function sourceOf(path: string, rest = ''): Promise<[kind: string, text: string, file: string | null]> {
  const { loadables } = await plan(`loadables: {lm: }\npaths: {lm: ${path}}\n${rest}`)
  const origin = loadables[0]?.origin
  return [origin?.source.kind ?? '', origin?.source.text ?? '', origin?.file ?? null]
}

describe('where a file comes from', () => {
  it.each([
    ['pretrained/lm.ckpt', 'folder', 'pretrained', 'lm.ckpt'],
    ['./elsewhere/lm.ckpt', 'folder', 'elsewhere', 'lm.ckpt'],
    ['lm.ckpt', 'folder', '', 'lm.ckpt'],
    ['{folder: elsewhere}', 'folder', 'elsewhere', null],
    ['{folder: elsewhere, file: a.ckpt}', 'folder', 'elsewhere', 'a.ckpt'],
    ['{run: exp/save, min: WER, key: model}', 'run', 'exp/save (min WER)', null],
  ])('%s on this machine', async (path, kind, text, file) => {
    expect(await sourceOf(path)).toEqual([kind, join(folder, text), file])
  })

  it.each([
    ['https://models.example/asr/lm.ckpt', 'url', 'https://models.example/asr', 'lm.ckpt'],
    ['{url: "https://models.example/lm.ckpt?key=a/b"}', 'url', 'https://models.example/', 'lm.ckpt?key=a/b'],
    ['org/asr/lm.ckpt', 'repo', 'org/asr@main', 'lm.ckpt'],
    ['org/asr@v1.0/deep/er/lm.ckpt', 'repo', 'org/asr@v1.0/deep/er', 'lm.ckpt'],
    ['datasets/org/asr/lm.ckpt', 'repo', 'datasets/org/asr@main', 'lm.ckpt'],
    ['gpt2/model.safetensors', 'repo', 'gpt2@main', 'model.safetensors'],
    ['{repo: org/asr, revision: refs/pr/1, file: a/lm.ckpt}', 'repo', 'org/asr@refs/pr/1', 'a/lm.ckpt'],
  ])('%s on a network', async (path, kind, text, file) => {
    expect(await sourceOf(path)).toEqual([kind, text, file])
  })

  it('is the default source where a path says nothing else', async () => {
    expect(await sourceOf('{file: other.ckpt}', 'default_source: pretrained')).toEqual([
      'folder',
      at('pretrained'),
      'other.ckpt',
    ])
    const { loadables } = await plan('loadables: {lm: }', { defaultSource: '/models', workingFolder: '/' })
    expect(loadables[0]?.origin).toMatchObject({ source: { text: '/models' }, file: null })
  })
})

describe('what it is loaded into', () => {
  it('is kept, and the result lies beside it or in a folder of results', async () => {
    const text = 'default_source: pretrained\nloadables: {lm: init/lm.safetensors}'
    expect((await plan(text)).loadables[0]?.load).toMatchObject({
      target: at('init/lm.safetensors'),
      output: at('init/lm.pretrained.safetensors'),
    })
    expect((await plan(`${text}\noutput: results`)).loadables[0]?.load?.output).toBe(at('results/lm.safetensors'))
    expect((await plan(text, { output: '/results' })).loadables[0]?.load?.output).toBe('/results/lm.safetensors')
  })

  it('takes what transfer takes', async () => {
    const { loadables } = await plan(
      'default_source: pretrained\n' +
        'loadables: {lm: {target: lm.pt, output: out.pt, strict: true, rename: s/a/b/, map: {a.b: c, d: e}, resize: [slice, pad], min-coverage: 0.5}}',
    )
    expect(loadables[0]?.load).toMatchObject({
      output: at('out.pt'),
      names: {
        renames: ['s/a/b/'],
        map: new Map([
          ['a.b', 'c'],
          ['d', 'e'],
        ]),
      },
      match: { strict: true, skipMismatched: false, autoPrefix: true, resize: ['slice', 'pad'], minCoverage: 0.5 },
    })
  })
})

describe('conditions', () => {
  const text = (condition: string) =>
    `default_source: pretrained\nset: {size: 2, kind: base}\nloadables: {lm: }\nconditions: {lm: ${condition}}`

  it.each([
    ['true', null],
    ['false', 'false'],
    ['0', '0'],
    ['1', null],
    ['size > 1 and kind == "base"', null],
    ['use_lm', null],
    ['not use_lm', 'not use_lm'],
  ])('%s', async (condition, skippedBy) => {
    const { loadables } = await plan(text(`'${condition}'`), { variables: new Map([['use_lm', true]]) })
    expect(loadables[0]?.skippedBy).toBe(skippedBy)
  })

  it('ask for no source where they say no', async () => {
    const { loadables } = await plan('loadables: {lm: }\nconditions: {lm: false}')
    expect(loadables[0]).toMatchObject({ skippedBy: 'false', origin: null })
  })

  it('read variables as they are typed', () => {
    expect(['true', 'False', 'none', '3', '-1e-3', 'a b', ''].map(parseVariable)).toEqual([
      true,
      false,
      null,
      3,
      -0.001,
      'a b',
      null,
    ])
  })
})

describe('a mistake is reported with its place', () => {
  it.each([
    ['loadable: {}', '1:1: "loadable" is not a key of a plan', 'did you mean loadables?'],
    ['loadables: [lm]', '1:12: loadables holds no keys', ''],
    ['loadables: {lm: }', '1:13: lm has no path, and there is no default source', ''],
    ['loadables: {lm: }\npaths: {ml: a/b}', '2:9: "ml" is not one of the loadables', 'did you mean lm?'],
    ['loadables: {a/b: }\ndefault_source: /a', '1:13: "a/b" cannot be a file\'s name', ''],
    ['link: soft', '1:7: link is symbolic, hard, copy, none, not "soft"', ''],
    ['loadables: {lm: }\npaths: {lm: {run: a, min: x, by: y}}', '2:34: two orders', ''],
    ['loadables: {lm: }\npaths: {lm: {run: a, mni: x}}', '2:22: "mni" is not a key of lm', 'did you mean min?'],
    ['loadables: {lm: }\npaths: {lm: {run: a, repo: x}}', '2:22: lm has two sources', ''],
    ['loadables: {lm: }\npaths: {lm: {run: a, where: "x =="}}', '2:29: ', ''],
    ['loadables: {lm: }\npaths: {lm: {url: "ftp://a/b"}}', '2:19: ftp://a: not a web address', ''],
    ['loadables: {lm: }\npaths: {lm: {repo: a/b/../c}}', '2:20: "a/b/../c" names no repository', ''],
    ['loadables: {lm: }\npaths: {lm: "a b/c d/e"}', '2:13: "a b/c d": there is no folder', ''],
    ['loadables: {lm: }\npaths: {lm: {file: a, sha256: 12}}', '2:31: sha256 is 64 hexadecimal digits', ''],
    ['loadables: {lm: }\ndefault_source: /a\nconditions: {lm: use_ml}', '3:18: the condition use_ml', '--set use_ml'],
    ['loadables: {lm: {output: x}}', '1:13: lm has no target', ''],
    [
      'default_source: /a\nloadables: {lm: x.pt, am: {target: y.pt, output: x.pretrained.pt}}',
      '2:23: am has the output of lm',
      '',
    ],
    ['loadables: {lm: {target: x, strict: 3}}', '1:37: strict is true or false', ''],
    ['loadables: {lm: {target: x, resize: cut}}', '1:37: resize is slice or pad', ''],
    [
      'hooks: [{key: ln, load: "cp {source} {target}"}]\nloadables: {lm: }\ndefault_source: .',
      '1:9: "ln" is not one of the loadables',
      'did you mean lm?',
    ],
    ['loadables: {lm: {target: a, rename: ["s/(/x/"]}}\ndefault_source: .', '1:38: ', ''],
    ['loadables: {lm: {target: a, map: {a: [b]}}}\ndefault_source: .', '1:38: a has a list, where', ''],
    ['loadables: {lm: {target: a, map: a=b}}\ndefault_source: .', '1:34: map holds no keys', '{old: new}'],
    ['collect_in: [in]', '1:13: collect_in has a list, where', ''],
    ['collect_in: .', '1:13: collect_in is the folder of the plan, and what is fetched lies', 'collect_in: pretrained'],
    ['collect_in: sub/../..', '1:13: collect_in is a folder above the plan', 'collect_in: pretrained'],
    ['collect_in: /', '1:13: collect_in is a folder above the plan', 'collect_in: pretrained'],
    ['collect_in: .ckpt/save', '1:13: collect_in lies in .ckpt', 'collect_in: pretrained'],
    ['hooks: [{key: lm, loads: "cat"}]', '1:19: "loads" is not a key of a hook', 'did you mean load?'],
  ])('%s', async (text, message, hint) => {
    await expect(plan(text)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining(`${at('plan.yaml')}:${message}`) as string,
      ...(hint === '' ? {} : { hint: expect.stringContaining(hint) as string }),
    })
  })
})
