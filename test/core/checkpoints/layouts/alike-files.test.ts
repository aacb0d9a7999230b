import { describe, expect, it } from 'vitest'
import type { Checkpoint, ParamFile, Role } from '../../../../src/core/checkpoint.js'
import { alikeByFiles } from '../../../../src/core/checkpoints/layouts/alike-files.js'

function made(name: string, files: readonly (readonly [key: string, role: Role, optional?: true])[]): Checkpoint {
  const params = files.map(([key, role, optional]): ParamFile => {
    const file = { key, path: `/run/${name}/${key}.ckpt`, size: null, role }
    return optional === undefined ? file : { ...file, optional }
  })
  return { name, path: `/run/${name}`, layout: 'speechbrain', files: params } as unknown as Checkpoint
}

describe('checkpoints that have the same files', () => {
  const model = ['model', 'weights'] as const
  const optimizer = ['optimizer', 'resume'] as const

  it('stand together, in the order of the first of each, wherever they lie in the run', () => {
    const run = [made('a', [model, optimizer]), made('b', [model]), made('c', [model, optimizer]), made('d', [model])]
    const names = alikeByFiles(run).map(({ checkpoints }) => checkpoints.map(({ name }) => name))
    expect(names).toEqual([
      ['a', 'c'],
      ['b', 'd'],
    ])
  })

  it('are those with the same keys, roles and what may be missing, of one layout', () => {
    const others = [
      made('b', [['model', 'all'], optimizer]),
      made('c', [model, ['optimizer', 'resume', true]]),
      made('d', [model, ['scheduler', 'resume']]),
      { ...made('e', [model, optimizer]), layout: 'hf-trainer' },
      made('f', []),
    ]
    expect(alikeByFiles([made('a', [model, optimizer]), ...others])).toHaveLength(1 + others.length)
  })
})
