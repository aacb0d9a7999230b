/** The list `hooks:` of a file. */
import { dirname } from 'node:path'
import picomatch from 'picomatch'
import type { Node } from 'yaml'
import { ConfigError, unknownKey, type Pair, type Scalar, type YamlText } from '../../formats/yaml/config-yaml.js'
import { parseDuration } from '../../choosing/expression/index.js'
import { WordMistake } from '../../formats/text/shell-words.js'
import { placeholdersOf, steps, type Command, type Hook, type HookFolder, type Selector, type Step } from './hook.js'
import { parseWord, refusePlaceholders } from './placeholders.js'
import { splitCommand } from './command-words.js'

const keys = ['key', 'match', ...steps, 'shell', 'timeout']
const example = 'hooks: [{key: tokenizer, transfer: "cp {source} {target}"}]'
const allPlaceholders = [...new Set(Object.values(placeholdersOf).flat())]

/** What stands behind `hooks:`, in the file's order; `folder` is where they run, else beside it. Throws ConfigError. */
export function parseHooks(yaml: YamlText, node: Node | null, folder?: HookFolder): Hook[] {
  const items = node === null ? [] : yaml.itemsOf(node)
  if (items === null)
    throw new ConfigError(yaml.positionOf(node), 'hooks is a list', { hint: `for example ${example}` })
  const hooks = items.map((item) => parseHook(yaml, item, item ?? node, folder))
  refuseTwice(hooks)
  return hooks
}

function parseHook(yaml: YamlText, item: Node | null, near: Node | null, folder?: HookFolder): Hook {
  const position = yaml.positionOf(near)
  if (item === null) throw new ConfigError(position, 'a hook says nothing', { hint: example })
  const values = new Map<string, Scalar>()
  for (const pair of yaml.pairsOf(item, 'a hook', example)) values.set(pair.key, scalarOf(yaml, pair))
  const shell = readSwitch(values.get('shell'))
  const commands = new Map<Step, Command>()
  for (const step of steps) {
    const value = values.get(step)
    if (value !== undefined) commands.set(step, parseCommand(value, step, shell))
  }
  const selector = parseSelector(values, position)
  const at = { position, folder: folder ?? { path: dirname(position.path), identity: null } }
  if (commands.size > 0) return { selector, commands, timeout: readTimeout(values), ...at }
  throw new ConfigError(position, 'a hook without a command', { hint: `give it one or more of ${steps.join(', ')}` })
}

function scalarOf(yaml: YamlText, pair: Pair): Scalar {
  if (!keys.includes(pair.key)) throw unknownKey(pair, 'a key of a hook', keys)
  return yaml.scalarOf(pair.key, pair.value, pair.position)
}

function readSwitch(value: Scalar | undefined): boolean {
  if (value === undefined) return false
  if (value.boolean === null) throw new ConfigError(value.position, 'shell is true or false')
  return value.boolean
}

function readTimeout(values: ReadonlyMap<string, Scalar>): number | null {
  const value = values.get('timeout')
  if (value === undefined) return null
  const seconds = parseDuration(value.text.trim())
  if (seconds !== undefined && Number.isFinite(seconds) && seconds > 0) return seconds
  throw new ConfigError(value.position, `timeout is a duration, not ${JSON.stringify(value.text)}`, {
    hint: 'as in 30s or 10m',
  })
}

function parseSelector(values: ReadonlyMap<string, Scalar>, position: Hook['position']): Selector {
  const [key, match] = [values.get('key'), values.get('match')]
  if ((key === undefined) === (match === undefined)) {
    const message = key === undefined ? 'a hook for nothing' : 'a hook has a key or a pattern, and not both'
    throw new ConfigError(match?.position ?? position, message, { hint: 'key: model, or match: "*.zst"' })
  }
  if (key !== undefined) return { kind: 'key', key: key.text }
  const { text: pattern, position: at } = match ?? { text: '', position }
  if (pattern === '' || pattern.includes('/')) {
    throw new ConfigError(at, 'match is a pattern for the name of a file, without its folders', {
      hint: 'match: "*.zst"',
    })
  }
  return { kind: 'match', pattern, matches: picomatch(pattern, { dot: true, nonegate: true, noextglob: true }) }
}

function parseCommand(value: Scalar, step: Step, shell: boolean): Command {
  const { text, position } = value
  try {
    if (shell) refusePlaceholders(text, allPlaceholders)
    const words = shell ? null : splitCommand(text).map((word) => parseWord(word, placeholdersOf[step]))
    if (text.trim() === '') throw new WordMistake(0, `${step} has no command`, 'name a program')
    return { text, position, words }
  } catch (error) {
    if (!(error instanceof WordMistake)) throw error
    throw new ConfigError(value.positionAt(error.index), error.message, { hint: error.hint, cause: error })
  }
}

/** Which of two would be taken nobody could tell. */
function refuseTwice(hooks: readonly Hook[]): void {
  const seen = new Map<string, Hook>()
  for (const hook of hooks) {
    const { selector } = hook
    const what = selector.kind === 'key' ? `key ${selector.key}` : `pattern ${selector.pattern}`
    for (const [step, { position }] of hook.commands) {
      const before = seen.get(`${step} ${what}`)
      if (before !== undefined) {
        throw new ConfigError(
          position,
          `there is a ${step} hook for the ${what} already, on line ${before.position.line}`,
        )
      }
      seen.set(`${step} ${what}`, hook)
    }
  }
}
