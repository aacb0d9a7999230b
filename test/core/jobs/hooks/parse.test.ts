import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as library from 'yaml'
import { ConfigError } from '../../../../src/core/formats/yaml/config-yaml.js'
import { parseConfig } from '../../../../src/cli/settings/settings-file.js'
import { parseHooks, type Hook } from '../../../../src/core/jobs/hooks/index.js'
import { fillWords } from '../../../../src/core/jobs/hooks/placeholders.js'
import { splitWords } from '../../../../src/core/formats/text/shell-words.js'

const path = '/exp/ckpt.yaml'

function hooksIn(text: string): Hook[] {
  const { yaml, hooks } = parseConfig(text, path, [], library)
  return parseHooks(yaml, hooks)
}

function mistakeIn(text: string): ConfigError {
  try {
    hooksIn(text)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('no mistake was found')
}

/** The arguments of a save hook's command. */
function argumentsOf(command: string, values = { source: '/a b', target: '/t', key: 'k' }): string[] {
  const [hook] = hooksIn(`hooks: [{key: k, save: ${JSON.stringify(command)}}]`)
  const found = hook?.commands.get('save')
  return found?.words == null ? [] : fillWords(found.words, values, found)
}

describe('the hooks of a ckpt.yaml', () => {
  it('are those of the issue', () => {
    const hooks = hooksIn(`hooks:
  - key: tokenizer
    transfer: "cp {source} {target}"
  - match: "*.zst"
    save: "zstd -q {source} -o {target}"
    load: "zstd -dq {source} -o {target}"
    timeout: 10m
`)
    expect(
      hooks.map(({ selector, commands, timeout, folder }) => [
        selector.kind,
        [...commands.keys()],
        timeout,
        folder.path,
      ]),
    ).toEqual([
      ['key', ['transfer'], null, '/exp'],
      ['match', ['save', 'load'], 600, '/exp'],
    ])
    expect(hooks[1]?.commands.get('load')?.position).toEqual({ path, line: 6, column: 11 })
    expect(hooksIn('hooks:\n')).toEqual([])
  })

  it('are split as a shell splits, and nothing is expanded', () => {
    expect(argumentsOf(`a  'b c' "d \\" e" f\\ g h"i"'j'`)).toEqual(['a', 'b c', 'd " e', 'f g', 'hij'])
    expect(argumentsOf(`a '' "" '$HOME' 'x | y > z' \\*`)).toEqual(['a', '', '', '$HOME', 'x | y > z', '*'])
    expect(argumentsOf('a \\\n  b\n')).toEqual(['a', 'b'])
    expect(argumentsOf(String.raw`a "\n"`)).toEqual(['a', '\\n'])
  })

  it('have placeholders within arguments, and literal braces', () => {
    expect(argumentsOf('cp --from={source} "{target}.x" {{source}} {} {"a":1}')).toEqual([
      'cp',
      '--from=/a b',
      '/t.x',
      '{source}',
      '{}',
      '{a:1}',
    ])
  })

  it('never make more arguments of a value, whatever is in it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (source, key) => {
        expect(argumentsOf('x {source} {key}{target}', { source, target: '/t', key })).toEqual([
          'x',
          source,
          `${key}/t`,
        ])
      }),
    )
  })

  it('give back any arguments that were quoted', () => {
    const argument = fc.string().filter((text) => !text.includes('\0'))
    fc.assert(
      fc.property(fc.array(argument), (words) => {
        const text = words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' \t')
        expect(splitWords(text).map((word) => word.text)).toEqual(words)
      }),
    )
  })

  it('leave the text to a shell where that is wanted', () => {
    const [hook] = hooksIn(
      'hooks: [{key: k, shell: true, save: "gzip < \\"$CKPT_SOURCE\\" > ${target} | awk \'{print}\'"}]',
    )
    expect(hook?.commands.get('save')?.words).toBeNull()
  })

  it.each([
    ['hooks: {key: a}', ':1:8: hooks is a list', undefined],
    ['hooks: [a]', ':1:9: a hook holds no keys', undefined],
    ['hooks:\n  -\n', ': a hook says nothing', undefined],
    ['hooks:\n  - key: a\n    safe: x\n', ':3:5: "safe" is not a key of a hook', 'did you mean save?'],
    ['hooks:\n  - key: a\n', ':2:5: a hook without a command', 'save, load, transfer, verify'],
    ['hooks:\n  - save: x\n', ':2:5: a hook for nothing', 'match: "*.zst"'],
    ['hooks:\n  - key: a\n    match: b\n    save: x\n', ':3:12: a hook has a key or a pattern', undefined],
    ['hooks:\n  - match: a/b\n    save: x\n', ':2:12: match is a pattern for the name', undefined],
    ['hooks:\n  - key: a\n    save: ""\n', ':3:11: save has no command', undefined],
    ['hooks:\n  - key: a\n    save: [x]\n', ':3:11: save has a list', undefined],
    ['hooks:\n  - key: a\n    save: x {sorce}\n', ':3:13: {sorce} is nothing', 'did you mean {source}?'],
    ['hooks:\n  - key: a\n    verify: x {target}\n', ':3:15: {target} is nothing', '{source} {key} {path} {name}'],
    ['hooks:\n  - key: a\n    save: "x \'a {source}"\n', `:3:14: ' is never closed`, undefined],
    ['hooks:\n  - key: a\n    save: x > {target}\n', ':3:13: > would mean something to a shell', 'shell: true'],
    ['hooks:\n  - key: a\n    save: x $HOME\n', ':3:13: $ would mean', undefined],
    ['hooks:\n  - key: a\n    save: x \\\n', ':3:13: a backslash with nothing behind it', undefined],
    [
      'hooks:\n  - key: a\n    shell: true\n    save: cp {source} b\n',
      ':4:14: {source} is not filled in',
      '"$CKPT_SOURCE"',
    ],
    ['hooks:\n  - key: a\n    shell: yes\n    save: x\n', ':3:12: shell is true or false', undefined],
    ['hooks:\n  - key: a\n    timeout: soon\n    save: x\n', ':3:14: timeout is a duration', '30s'],
    [
      'hooks:\n  - key: a\n    save: x\n  - {key: a, save: y}\n',
      ':4:20: there is a save hook for the key a already, on line 2',
      undefined,
    ],
  ])('with a mistake are refused with its place: %j', (text, message, hint) => {
    const error = mistakeIn(text)
    expect(error.message).toContain(message)
    expect(error.exitStatus).toBe(2)
    if (hint !== undefined) expect(error.hint).toContain(hint)
  })
})
