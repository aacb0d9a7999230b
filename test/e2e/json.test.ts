/** Every document that --json prints is held against the schemas in docs/json.md. */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { ckpt, copyFixture, outcomeOf, start, temporaryDirectory } from './ckpt.js'
import { epochs, makeRun, nameOf, parse } from './runs.js'

const project = fileURLToPath(new URL('../..', import.meta.url))
const text = readFileSync(join(project, 'docs', 'json.md'), 'utf8')
const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true })
const schemas = new Map<string, ValidateFunction>()

beforeAll(() => {
  const blocks = [...text.matchAll(/^```json schema=(\S+)\n(.*?)^```$/gms)].map(([, names = '', schema = '']) => ({
    names: names.split(','),
    schema: JSON.parse(schema) as { $id: string },
  }))
  for (const { schema } of blocks) ajv.addSchema(schema)
  for (const { names, schema } of blocks) {
    const validate = ajv.getSchema(schema.$id)
    if (validate === undefined) throw new Error(`docs/json.md: ${schema.$id} is not a schema`)
    for (const name of names) schemas.set(name, validate)
  }
})

function check(schema: string, document: unknown): void {
  const validate = schemas.get(schema)
  if (validate === undefined) throw new Error(`docs/json.md has no schema for ${schema}`)
  const valid = validate(document)
  expect(valid ? [] : validate.errors).toEqual([])
}

const asr = (name = 'asr_run') => copyFixture(`runs/${name}`)
const file = (which: string, id = '000') => join(project, `test/fixtures/transfer/${id}/${which}.safetensors`)

function jobScript(): string {
  const path = join(temporaryDirectory(), 'train.sh')
  writeFileSync(path, '#!/bin/bash\npython train.py\n')
  return path
}

/** A run whose journal has these entries. */
function jobRun(...what: ('start' | 'checkpoint' | 'end')[]): string {
  const entries = {
    start: { attempt: 1, reason: 'first', checkpoint: null, command: ['train'], host: 'here', pid: 7, started: '1' },
    checkpoint: { name: nameOf(1), saved: 1, epoch: 1, step: null, metrics: { WER: null } },
    end: { ending: 'failed', why: 'exit status 1', status: 1, seconds: 60, lost: 1, next: 'restart' },
  }
  const run = makeRun(epochs(1))
  const state = join(run, '..', '.ckpt', 'save')
  mkdirSync(state, { recursive: true })
  const lines = what.map((one, index) => `${JSON.stringify({ what: one, time: index + 1, ...entries[one] })}\n`)
  writeFileSync(join(state, 'journal.jsonl'), lines.join(''))
  return run
}

type Case = [what: string, schema: string, args: () => string[], status?: number]

const documents: Case[] = [
  ['a run with NaN and numpy scores', 'list', () => ['list', asr()]],
  ['a damaged run, looked into', 'list', () => ['list', asr('asr_run_damaged'), '--verify', 'deep']],
  ['a run of the Trainer', 'list', () => ['list', copyFixture('runs/frameworks/hf_trainer/run')]],
  ['a run of Lightning', 'list', () => ['list', copyFixture('runs/frameworks/lightning/run')]],
  ['no row', 'list', () => ['list', asr(), '--limit', '0']],
  ['curves of a log', 'plot', () => ['plot', copyFixture('runs/frameworks/hf_trainer/run')]],
  ['what a page of a report holds', 'report', () => ['report', asr(), '--keep', '1']],
  ['a page', 'report', () => ['report', '-r', asr(), '-o', join(temporaryDirectory(), 'report.html')]],
  ['many runs, one row each', 'runs', () => ['runs', join(project, 'test/fixtures/runs')]],
  ['many runs', 'list-r', () => ['list', '-r', join(project, 'test/fixtures/runs')]],
  ['the best', 'find', () => ['find', asr(), '--min', 'loss', '--num', '3']],
  ['the best of many runs', 'find', () => ['find', '-r', join(project, 'test/fixtures/runs'), '--num', '5']],
  ['a checkpoint', 'show', () => ['show', join(asr(), 'CKPT+2026-11-22+20-46-49+05')]],
  ['a damaged checkpoint', 'show', () => ['show', join(asr('asr_run_damaged'), 'CKPT+2026-11-22+20-46-49+06')]],
  [
    'a checkpoint with tensors',
    'show',
    () => ['show', join(copyFixture('runs/frameworks/hf_trainer/run'), 'checkpoint-6')],
  ],
  ['a run', 'show', () => ['show', asr()]],
  ['a damaged run', 'show', () => ['show', asr('asr_run_damaged')]],
  ['a safetensors file', 'show', () => ['show', file('target')]],
  ['settings', 'config', () => ['config', configured()]],
  ['what a command goes by', 'config', () => ['config', configured(), 'recover']],
  ['a job script', 'submit', () => ['submit', jobScript(), asr(), '--dry-run']],
  ['a dry run', 'prune', () => ['prune', asr(), '--keep', '1', '-n']],
  ['a deletion', 'prune', () => ['prune', asr(), '--keep', '1', '--min', 'loss', '--yes']],
  ['nothing to delete', 'prune', () => ['prune', asr(), '--keep', '99', '--yes']],
  ['a move to the trash', 'prune', () => ['prune', asr(), '--keep', '1', '--trash', '--yes']],
  ['a completion script', 'completion', () => ['completion', 'zsh']],
  ['how ckpt is', 'doctor', () => ['doctor', asr()]],
  ['a damaged run', 'doctor', () => ['doctor', asr('asr_run_damaged')], 4],
  ['a named one to go', 'rm', () => ['rm', join(asr(), 'CKPT+2026-11-22+20-46-49+01'), '-n']],
  ['a named one gone', 'rm', () => ['rm', join(asr(), 'CKPT+2026-11-22+20-46-49+01'), '--yes']],
  ['a demotion to come', 'demote', () => ['demote', asr(), '--keep', '1', '-n']],
  ['a demotion', 'demote', () => ['demote', asr(), '--keep', '1', '--yes']],
  ['a pin', 'pin', () => ['pin', join(asr(), 'CKPT+2026-11-22+20-46-49+05'), '--note', 'why']],
  ['a prune of many runs', 'prune-r', () => ['prune', '-r', asr(), '--keep', '1', '--quiet-for', '0s', '--dry-run']],
  ['idle runs', 'gc', () => ['gc', asr(), '--older-than', '0s', '--quiet-for', '0s', '--dry-run']],
  ['what runs take up', 'du', () => ['du', asr()]],
  ['no trash', 'trash-list', () => ['trash', 'list', asr()]],
  ['an empty trash', 'trash-empty', () => ['trash', 'empty', asr(), '--yes']],
  ['what to resume from', 'recover', () => ['recover', asr('asr_run_damaged')]],
  ['what was put in place', 'recover', () => ['recover', asr(), '--into', join(temporaryDirectory(), 'save')]],
  ['two starts, one of them without an end', 'log', () => ['log', jobRun('start', 'checkpoint', 'end', 'start')]],
  ['a metric that gets no better', 'stalled', () => ['stalled', asr(), '--min', 'ACC', '--patience', '1']],
  ['a metric that nothing has', 'stalled', () => ['stalled', asr(), '--min', 'no', '--patience', '1'], 3],
  ['what would come of it', 'average', () => ['average', file('source'), file('source')]],
  [
    'a mean',
    'average',
    () => ['average', copyFixture('runs/asr_run'), '--last', '2', '-o', join(temporaryDirectory(), 'avg.pt')],
  ],
  [
    'a mean that is saved',
    'average',
    () => ['average', copyFixture('runs/asr_run'), '--last', '2', '--save', join(temporaryDirectory(), 'save')],
  ],
  ['a file', 'convert', () => ['convert', file('source'), '--to', 'torch', '-o', join(temporaryDirectory(), 'out.pt')]],
  [
    'what is to be served',
    'export',
    () => ['export', asr(), '--min', 'WER', '--into', join(temporaryDirectory(), 'served')],
  ],
  ['two runs', 'diff-runs', () => ['diff', asr(), asr()]],
  ['headers', 'diff', () => ['diff', file('source'), file('target')]],
  ['values', 'diff', () => ['diff', file('source'), file('target'), '--values']],
  ['a report', 'transfer', () => ['transfer', file('source'), file('target')]],
  [
    'a file written',
    'transfer',
    () => ['transfer', file('source'), file('target'), '-o', join(temporaryDirectory(), 'out')],
  ],
  ['a hook that would transfer', 'transfer-hook', () => ['transfer', '--key', 'lm', hooked(), file('target')]],
  [
    'a hook that transferred',
    'transfer-hook',
    () => ['transfer', '--key', 'lm', hooked(), file('target'), '-o', join(temporaryDirectory(), 'out')],
  ],
  ['a plan, and what is to come of it', 'pretrain', () => ['pretrain', pretrainingPlan(), '-n']],
  ['what was collected and loaded', 'pretrain', () => ['pretrain', pretrainingPlan()]],
  ['what could not be loaded', 'pretrain', () => ['pretrain', pretrainingPlan('{file: none}')], 6],
]

function configured(): string {
  const run = asr()
  const hooks = 'hooks: [{key: lm, save: "cp {source} {target}", timeout: 1m}, {match: "*.z", shell: true, verify: z}]'
  writeFileSync(join(run, 'ckpt.yaml'), `prune: {min: [WER], yes: false}\n${hooks}\n`)
  return run
}

/** A run with a file `lm`, which a hook transfers. */
function hooked(): string {
  const run = makeRun(epochs(1))
  writeFileSync(join(run, nameOf(1), 'lm.ckpt'), 'lm')
  writeFileSync(join(run, 'ckpt.yaml'), 'hooks: [{key: lm, transfer: "cp {source} {target}"}]\n')
  return run
}

/** In a folder of its own. */
function pretrainingPlan(path = 'true.ckpt'): string {
  const folder = temporaryDirectory()
  cpSync(file('source'), join(folder, 'source.safetensors'))
  writeFileSync(join(folder, 'true.ckpt'), 'pieces')
  const plan = join(folder, 'plan.yaml')
  const paths = `{model: source.safetensors, lm: ${path}, no: a/b}`
  const target = file('target')
  writeFileSync(
    plan,
    `collect_in: in\noutput: out\ndefault_source: .\nloadables: {model: {target: ${target}, skip-mismatched: true}, lm: lm.txt, no: }\npaths: ${paths}\nconditions: {no: false}\n`,
  )
  return plan
}

const errors: [what: string, status: number, args: () => string[]][] = [
  ['usage', 2, () => ['list', '--bogus']],
  ['bad-expression', 2, () => ['find', asr(), '--where', 'loss <']],
  ['not-found', 3, () => ['list', join(temporaryDirectory(), 'nothing')]],
  ['no-match', 3, () => ['find', asr(), '--where', 'epoch > 99']],
  ['damaged', 4, () => ['recover', asr('asr_run_damaged'), '--where', 'epoch > 7']],
  ['refused', 5, () => ['prune', asr()]],
  ['refused to ask', 5, () => ['prune', asr(), '--keep', '1']],
]

describe('--json', () => {
  it.each(documents)('%s: %s', async (_, schema, args, status = 0) => {
    const got = await ckpt([...args(), '--json'])
    expect(got.status).toBe(status)
    check(schema, parse(got))
  })

  it.each(errors)('an error: %s, %i', async (_, status, args) => {
    const got = await ckpt([...args(), '--json'])
    expect(got.status).toBe(status)
    check('error', parse(got))
  })

  it('a refused transfer holds its report beside the error', async () => {
    const got = await ckpt(['transfer', file('source', '001'), file('target', '001'), '--json'])
    expect(got.status).toBe(5)
    const { error, ...report } = parse<{ error: unknown }>(got)
    check('error', { error })
    check('transfer', report)
  })

  it('what was asked to stop, and has', async () => {
    const run = join(temporaryDirectory(), 'save')
    const job = start(['run', run, '--', 'sh', '-c', 'echo started; exec sleep 60'])
    const ended = outcomeOf(job)
    await new Promise((resolve) => job.stdout.once('data', resolve))
    check('stop', parse(await ckpt(['stop', run, '--json'])))
    expect((await ended).status).toBe(143)
  })

  it('what happens in a run that is watched, a line each', async () => {
    for (const run of [asr(), asr('asr_run_damaged'), jobRun('start', 'checkpoint')]) {
      const { status, stdout } = await ckpt(['watch', run, '--json', '--until', 'epoch > 0'])
      expect(status).toBe(0)
      for (const line of stdout.trim().split('\n')) check('watch', JSON.parse(line))
    }
  })

  it('gives every command of the help a schema', async () => {
    const manifest = JSON.parse(readFileSync(join(project, 'oclif.manifest.json'), 'utf8')) as {
      commands: Record<string, { flags: Record<string, unknown> }>
    }
    const own = Object.entries(manifest.commands).filter(([, { flags }]) => 'json' in flags)
    const missing = own.map(([id]) => id.replaceAll(':', '-')).filter((id) => !schemas.has(id))
    expect(missing).toEqual([])
  })

  it('stays valid for whatever names and metas hold', async () => {
    const run = makeRun({
      ...epochs(1),
      'CKPT+\n\u001b[31m': '__proto__: 1\nbig: 99999999999999999999\nnan: .nan\n"": empty\nunixtime: 3.0\n2: two\n',
      'CKPT+none': '',
    })
    mkdirSync(join(run, nameOf(1), 'deep'))
    cpSync(file('source'), join(run, nameOf(1), 'weights.ckpt'))
    symlinkSync('nowhere', join(run, nameOf(1), 'gone.ckpt'))
    writeFileSync(join(run, nameOf(1), 'empty.ckpt'), '')
    for (const [schema, ...args] of [
      ['list', 'list', run, '--verify', 'quick'],
      ['show', 'show', run],
      ['show', 'show', join(run, nameOf(1))],
      ['prune', 'prune', run, '--keep', '0', '-n'],
    ]) {
      check(schema ?? '', parse(await ckpt([...args, '--json'])))
    }
  })
})
