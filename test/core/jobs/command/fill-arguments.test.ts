import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Meta, MetaValue } from '../../../../src/core/checkpoint.js'
import { CkptError } from '../../../../src/core/errors.js'
import { fillArguments } from '../../../../src/core/jobs/command/fill-arguments.js'
import { checkpointAt } from '../../changes/disposal/runs.js'

const meta: Meta = new Map<string, MetaValue>([
  ['epoch', 3],
  ['valid/loss', -0.25],
  ['end-of-epoch', true],
  ['brain', new Map<string, MetaValue>([['step', 1200]])],
  ['a.b', 'dotted'],
  ['__proto__', 'a key as any other'],
])
const checkpoint = checkpointAt('/runs/a b', 'CKPT+x', {
  meta,
  files: [{ key: 'model', path: '/runs/a b/CKPT+x/model.ckpt', size: null, role: 'weights' }],
})

describe('with a checkpoint', () => {
  it('fills each placeholder, anywhere in an argument, as one argument', () => {
    expect(
      fillArguments(['train', '--resume', '{path}', '--tag={name}:{meta:epoch}', '{file:model}'], checkpoint),
    ).toEqual(['train', '--resume', '/runs/a b/CKPT+x', '--tag=CKPT+x:3', '/runs/a b/CKPT+x/model.ckpt'])
  })

  it('has step and epoch as they are listed, and no meta is asked for them', () => {
    const counted = checkpointAt('/runs', 'CKPT+x', { step: 1200, epoch: 2.5, meta: new Map([['step', 7]]) })
    expect(fillArguments(['train', '--from={step}', '{epoch}', '{{step}}'], counted)).toEqual([
      'train',
      '--from=1200',
      '2.5',
      '{step}',
    ])
    expect(() => fillArguments(['train', '{epoch}'], checkpoint)).toThrow('does not say its epoch')
  })

  it('reads a key of any form, and walks into nested meta along the dots', () => {
    const filled = fillArguments(
      ['{meta:valid/loss}', '{meta:end-of-epoch}', '{meta:brain.step}', '{meta:a.b}', '{meta:__proto__}'],
      checkpoint,
    )
    expect(filled).toEqual(['-0.25', 'true', '1200', 'dotted', 'a key as any other'])
  })

  it('leaves all other braces as they are', () => {
    const others = [
      '{"path": {"name": 1}}',
      '{}',
      '{ path }',
      '{Path}',
      '{paths}',
      '${HOME}',
      '{file}',
      '{meta}',
      'a{b,c}',
      '{a..z}',
    ]
    expect(fillArguments(others, checkpoint)).toEqual(others)
    expect(fillArguments(others, null)).toEqual(others)
  })

  it('takes a second pair of braces for a literal', () => {
    expect(fillArguments(['{{path}}', '{{meta:nope}}', '{{path}}{path}'], checkpoint)).toEqual([
      '{path}',
      '{meta:nope}',
      '{path}/runs/a b/CKPT+x',
    ])
    expect(fillArguments(['run', '{{path}}'], null)).toEqual(['run', '{path}'])
  })

  it('never reads a placeholder out of a value, nor a replacement pattern', () => {
    const tricky = checkpointAt('/r', '{path}$&$1', { meta: new Map([['k', '{name}']]) })
    expect(fillArguments(['{name}', '{meta:k}'], tricky)).toEqual(['{path}$&$1', '{name}'])
  })

  it('refuses an unknown key with the nearest name', () => {
    for (const [argument, hint] of [
      ['{file:modle}', '{file:model}'],
      ['{meta:epohc}', '{meta:epoch}'],
      ['{meta:Epoch}', '{meta:epoch}'],
      ['{meta:something-else}', '"epoch"'],
      ['{meta:constructor}', '"epoch"'],
      ['{meta:}', '"epoch"'],
    ] as const) {
      let error: unknown
      try {
        fillArguments(['--resume', argument], checkpoint)
      } catch (thrown) {
        error = thrown
      }
      expect(error).toBeInstanceOf(CkptError)
      expect(error).toMatchObject({ code: 'usage', hint: expect.stringContaining(hint) as string })
    }
  })
})

describe('on a first start', () => {
  const cases: [string, string[], string[]][] = [
    [
      'an option before it goes with it',
      ['python', 'train.py', '--resume', '{path}', '--lr', '1'],
      ['python', 'train.py', '--lr', '1'],
    ],
    ['a short option too', ['train', '-r', '{path}'], ['train']],
    ['an argument that holds it goes alone', ['train', '-v', '--resume={path}', '--x'], ['train', '-v', '--x']],
    ['a word before it stays', ['train', 'resume', '{file:model}'], ['train', 'resume']],
    ['an option with its own value stays', ['train', '--lr=0.1', '{path}'], ['train', '--lr=0.1']],
    ['of two in a row only the first takes the option', ['train', '-v', '{path}', '{name}'], ['train']],
    ['an argument with more than it leaves the option', ['train', '--tag', 'x-{name}'], ['train', '--tag']],
    ['keys are not looked at', ['train', '--model', '{file:nope}', '--epoch', '{meta:x}'], ['train']],
    ['no placeholder, no change', ['train', '--a', '{"b": 1}'], ['train', '--a', '{"b": 1}']],
  ]
  it.each(cases)('%s', (_, argv, expected) => {
    expect(fillArguments(argv, null)).toEqual(expected)
  })

  it('is refused when the command itself would vanish', () => {
    expect(() => fillArguments(['{path}/train.sh'], null)).toThrow(CkptError)
  })
})

it('leaves arguments without braces alone, with a checkpoint and without', () => {
  fc.assert(
    fc.property(fc.array(fc.string().filter((text) => !text.includes('{'))), (argv) => {
      expect(fillArguments(argv, checkpoint)).toEqual(argv)
      expect(fillArguments(argv, null)).toEqual(argv)
    }),
  )
})
