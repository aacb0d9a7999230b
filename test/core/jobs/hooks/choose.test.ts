import { describe, expect, it } from 'vitest'
import * as library from 'yaml'
import { parseConfig } from '../../../../src/cli/settings/settings-file.js'
import { chooseHook, parseHooks } from '../../../../src/core/jobs/hooks/index.js'

function chosen(text: string, key: string | null, name: string, step: 'save' | 'load' = 'save'): string | null {
  const { yaml, hooks } = parseConfig(`hooks:\n${text}`, '/ckpt.yaml', [], library)
  return chooseHook(parseHooks(yaml, hooks), { key, name }, step)?.command.text ?? null
}

describe('of several hooks', () => {
  const hooks = `
  - {match: "*", save: any, load: any}
  - {match: "*.zst", save: zst}
  - {match: "model*.zst", save: models}
  - {match: "model?.zst", save: one}
  - {match: "model.{zst,gz}", save: either}
  - {key: model, save: by-key}
`

  it('one by key wins over patterns, and the most specific pattern over others', () => {
    expect(chosen(hooks, 'model', 'model.zst')).toBe('by-key')
    expect(chosen(hooks, 'lm', 'lm.zst')).toBe('zst')
    expect(chosen(hooks, null, 'model12.zst')).toBe('models')
    expect(chosen(hooks, null, 'model1.zst')).toBe('models')
    expect(chosen(hooks, null, 'model.gz')).toBe('either')
    expect(chosen(hooks, null, '.hidden')).toBe('any')
  })

  it('each step has its own: a hook without it makes no claim', () => {
    expect(chosen(hooks, 'model', 'model.zst', 'load')).toBe('any')
    expect(chosen('  - {key: a, save: x}', 'a', 'a.ckpt', 'load')).toBeNull()
  })

  it('a pattern is for the name of the file and for its key', () => {
    expect(chosen('  - {match: "*.zst", save: zst}', 'model.zst', 'model.zst.ckpt')).toBe('zst')
    expect(chosen('  - {match: "*.zst", save: zst}', 'model', 'model.ckpt')).toBeNull()
    expect(chosen('  - {key: model, save: x}', null, 'model')).toBeNull()
  })

  it('of equally specific patterns it is the first, and wildcards behind a backslash stand for themselves', () => {
    expect(chosen('  - {match: "a*", save: first}\n  - {match: "*a", save: second}', null, 'aa')).toBe('first')
    expect(chosen('  - {match: "a*", save: x}\n  - {match: a\\*, save: literal}', null, 'a*')).toBe('literal')
  })
})
