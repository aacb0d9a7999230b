/** Layouts of people's own, as `layouts:` in ckpt.yaml has them (docs/adding-a-layout.md), on the engine of the others. */
import type { Node } from 'yaml'
import {
  ConfigError,
  unknownKey,
  type Pair,
  type FilePosition,
  type Scalar,
  type YamlText,
} from '../../../formats/yaml/config-yaml.js'
import type { Role } from '../../../checkpoint.js'
import type { FactSource, FileRule, Form, KeyPath, LayoutSpec } from '../spec.js'
import {
  escaped,
  globSource,
  looseIn,
  mostLoose,
  parsePattern,
  PatternError,
  tooLoose,
  wholeName,
  type NamePattern,
} from './pattern.js'

const keys = ['name', 'title', 'checkpoint', 'members', 'meta', 'complete', 'files'] as const
const example = 'layouts: [{name: ours, checkpoint: "ckpt_{step:int}.pt"}]'
const roles: readonly Role[] = ['weights', 'resume', 'all', 'loop', 'index', 'other']
/** What stands for the checkpoint's own name. */
const own = '{checkpoint}'

/** What the layout itself is read from, whatever the pattern fits. */
const notSettings = String.raw`(?!ckpt\.yaml$)`

/** Each name of a folder is held against all of them. */
const mostLayouts = 64

/** `taken` are the names that other layouts have. Throws ConfigError with the place of the mistake. */
export function parseLayouts(yaml: YamlText, node: Node | null, taken: readonly string[]): LayoutSpec[] {
  if (node === null) return []
  const items = yaml.itemsOf(node)
  if (items === null) throw new ConfigError(yaml.positionOf(node), 'layouts is not a list', { hint: example })
  if (items.length > mostLayouts) {
    throw new ConfigError(yaml.positionOf(node), `${items.length} layouts, and at most ${mostLayouts} are read`)
  }
  const names = new Set(taken)
  return items.map((item) => {
    if (item === null) throw new ConfigError(yaml.positionOf(node), 'a layout without anything', { hint: example })
    const spec = new Layout(yaml, item).spec(names)
    names.add(spec.id)
    return spec
  })
}

/** `complete: .done`. Throws ConfigError. */
export function parseMarker(yaml: YamlText, { key, value, position }: Pair): string {
  const scalar = yaml.scalarOf(key, value, position)
  const text = scalar.text.startsWith(own) ? scalar.text.slice(own.length).replace(/^\//, '') : scalar.text
  if (/^[^/{}*]+$/.test(text) && !/^\.{1,2}$/.test(text)) return text
  throw new ConfigError(scalar.position, `complete is ${JSON.stringify(scalar.text)}, which is no name of a file`, {
    hint: 'complete: .done',
  })
}

class Layout {
  private readonly pairs: readonly Pair[]
  private readonly position: FilePosition

  constructor(
    private readonly yaml: YamlText,
    node: Node,
  ) {
    this.position = yaml.positionOf(node)
    this.pairs = yaml.pairsOf(node, 'a layout', example)
    const unknown = this.pairs.find(({ key }) => !keys.some((known) => known === key))
    if (unknown !== undefined) throw unknownKey(unknown, 'a key of a layout', keys)
  }

  spec(taken: ReadonlySet<string>): LayoutSpec {
    const name = this.needed('name')
    if (!/^[A-Za-z0-9][\w.-]*$/.test(name.text)) {
      throw new ConfigError(name.position, `${JSON.stringify(name.text)} is not a name of a layout`, {
        hint: 'letters, digits, - and _',
      })
    }
    if (taken.has(name.text)) throw new ConfigError(name.position, `a layout ${name.text} is there already`)
    const pattern = this.needed('checkpoint')
    const form = this.form(patternAt(pattern))
    return { id: name.text, title: this.scalar('title')?.text ?? name.text, looks: pattern.text, forms: [form] }
  }

  private form(pattern: NamePattern): Form {
    const { facts, metaFile } = this.facts(pattern)
    const complete = this.complete(pattern)
    const files = this.files(pattern)
    const common = {
      called: pattern.called,
      proof: { sure: [{ all: [] }] },
      ...(complete === null ? {} : { whole: { last: complete.last, lastName: complete.name } }),
      facts,
      ...(files.length === 0 ? {} : { files }),
    } as const
    const parts = [...this.members(pattern), ...(metaFile ?? []), ...(complete?.part ?? [])]
    if (pattern.isFolder) return { kind: 'folder', name: nameOf(pattern), ...common }
    if (parts.length === 0) return { kind: 'file', name: nameOf(pattern, notSettings + pattern.source), ...common }
    const others = [...new Set(parts)].map((part) => `|${part}`).join('')
    return {
      kind: 'group',
      name: nameOf(pattern, `${notSettings}(?<unit>${pattern.source})(?:${others})`),
      main: nameOf(pattern),
      ...common,
    }
  }

  /** What stands behind the checkpoint's name in the names of its other files, as parts of a pattern. */
  private members({ isFolder }: NamePattern): string[] {
    const pair = this.pairs.find(({ key }) => key === 'members')
    if (pair === undefined) return []
    const items = this.yaml.itemsOf(pair.value)
    if (items === null)
      throw new ConfigError(pair.position, 'members is not a list', { hint: `members: ["${own}", "${own}.opt"]` })
    const members = items.map((item) => this.yaml.scalarOf('members', item, pair.position))
    if (isFolder) {
      const beside = members.find(({ text }) => text !== own && !text.startsWith(`${own}/`))
      if (beside === undefined) return []
      throw new ConfigError(beside.position, 'a checkpoint that is a folder has no other members than what is in it', {
        hint: `members: ["${own}"], or leave it out`,
      })
    }
    return members.flatMap((member) => {
      const part = partOf(member)
      return part === '' ? [] : [part]
    })
  }

  private complete({ isFolder }: NamePattern): { last: RegExp; name: string; part: string[] } | null {
    const scalar = this.scalar('complete')
    if (scalar === undefined) return null
    if (isFolder) {
      const inside = insideOf('complete', scalar, '.done')
      return { last: globAt(inside), name: inside.text, part: [] }
    }
    const text = scalar.text.includes(own) ? scalar.text : own + scalar.text
    const part = partOf({ ...scalar, text })
    if (part === '')
      throw new ConfigError(scalar.position, 'complete is the checkpoint itself', { hint: `complete: "${own}.done"` })
    return { last: new RegExp(`${part}$`), name: text.replace(own, '{name}'), part: [part] }
  }

  private facts(pattern: NamePattern): { facts: FactSource[]; metaFile: string[] | null } {
    const pair = this.pairs.find(({ key }) => key === 'meta')
    const ofName: FactSource = { from: 'name' }
    if (pair === undefined) return { facts: [ofName], metaFile: null }
    if (!this.yaml.isMapping(pair.value)) {
      const scalar = this.yaml.scalarOf('meta', pair.value, pair.position)
      const { source, part } = this.fileSource(scalar, formatOf(scalar), pattern)
      return { facts: [{ ...source, pick: (content) => content }, ofName], metaFile: part }
    }
    const { source, part } = this.keyedSource(
      this.yaml.pairsOf(pair.value, 'meta', 'meta: {torch: [epoch, val_loss]}'),
      pair.position,
      pattern,
    )
    return { facts: [source, ofName], metaFile: part }
  }

  private fileSource(scalar: Scalar, from: 'json' | 'yaml', { isFolder }: NamePattern) {
    if (isFolder) {
      const inside = insideOf('meta', scalar, `meta.${from}`)
      return { source: { from, file: globAt(inside) }, part: null }
    }
    const part = partOf(scalar)
    return { source: { from, file: new RegExp(`${part}$`) }, part: part === '' ? null : [part] }
  }

  /** `{torch: [epoch, val_loss], file: model.pt}`. */
  private keyedSource(
    pairs: readonly Pair[],
    position: FilePosition,
    pattern: NamePattern,
  ): { source: FactSource; part: string[] | null } {
    const known = ['torch', 'file'] as const
    const unknown = pairs.find(({ key }) => !known.some((one) => one === key))
    if (unknown !== undefined) throw unknownKey(unknown, 'a key of meta', known)
    const torch = pairs.find(({ key }) => key === 'torch')
    const file = pairs.find(({ key }) => key === 'file')
    const items = torch === undefined ? null : this.yaml.itemsOf(torch.value)
    if (torch === undefined || items === null) {
      throw new ConfigError(torch?.position ?? position, 'meta names no keys of a torch file', {
        hint: 'meta: {torch: [epoch, val_loss]}',
      })
    }
    const paths = items.map((item) => this.yaml.scalarOf('torch', item, torch.position).text)
    const take = Object.fromEntries(
      paths.map((path): [string, KeyPath] => [path.split('.').at(-1) ?? path, path.split('.')]),
    )
    const named = file === undefined ? null : this.yaml.scalarOf('file', file.value, file.position)
    if (named === null && pattern.isFolder) {
      throw new ConfigError(position, 'of a checkpoint that is a folder, meta has to say in which file the keys are', {
        hint: 'meta: {torch: [epoch], file: model.pt}',
      })
    }
    if (named === null) return { source: { from: 'torch', file: nameOf(pattern), take }, part: null }
    if (pattern.isFolder) {
      return { source: { from: 'torch', file: globAt(insideOf('file', named, 'model.pt')), take }, part: null }
    }
    const at = partOf(named)
    return { source: { from: 'torch', file: new RegExp(`${at}$`), take }, part: at === '' ? null : [at] }
  }

  private files(pattern: NamePattern): FileRule[] {
    const pair = this.pairs.find(({ key }) => key === 'files')
    if (pair === undefined || pair.value === null) return []
    return this.yaml.pairsOf(pair.value, 'files', 'files: {model: "*.pt"}').map((file) => this.fileRule(file, pattern))
  }

  private fileRule({ key, position, value }: Pair, pattern: NamePattern): FileRule {
    if (!this.yaml.isMapping(value)) {
      const match = this.yaml.scalarOf(key, value, position)
      return { key, name: fileNameAt(key, match, pattern), role: 'weights' }
    }
    const pairs = this.yaml.pairsOf(value, key, `${key}: {match: "*.opt", role: resume}`)
    const unknown = pairs.find((one) => one.key !== 'match' && one.key !== 'role')
    if (unknown !== undefined) throw unknownKey(unknown, `a key of the file ${key}`, ['match', 'role'])
    const scalarAt = (wanted: string): Scalar | undefined => {
      const pair = pairs.find((one) => one.key === wanted)
      return pair === undefined ? undefined : this.yaml.scalarOf(wanted, pair.value, pair.position)
    }
    const [match, role] = [scalarAt('match'), scalarAt('role')]
    if (match === undefined) throw new ConfigError(position, `the file ${key} has no match`, { hint: 'match: "*.opt"' })
    const known = roles.find((one) => one === (role?.text ?? 'weights'))
    if (known === undefined) {
      throw new ConfigError(role?.position ?? position, `${JSON.stringify(role?.text)} is not a role`, {
        hint: `known are: ${roles.join(', ')}`,
      })
    }
    return { key, name: fileNameAt(key, match, pattern), role: known }
  }

  private needed(key: (typeof keys)[number]): Scalar {
    const scalar = this.scalar(key)
    if (scalar === undefined) throw new ConfigError(this.position, `a layout without ${key}`, { hint: example })
    return scalar
  }

  private scalar(key: (typeof keys)[number]): Scalar | undefined {
    const pair = this.pairs.find((one) => one.key === key)
    return pair === undefined ? undefined : this.yaml.scalarOf(key, pair.value, pair.position)
  }
}

function patternAt(scalar: Scalar): NamePattern {
  try {
    return parsePattern(scalar.text)
  } catch (error) {
    if (!(error instanceof PatternError)) throw error
    const details = error.hint === undefined ? { cause: error } : { hint: error.hint, cause: error }
    throw new ConfigError(scalar.positionAt(error.at), error.message, details)
  }
}

/** Of a whole name that is `source`, which has the pattern's in it. */
function nameOf({ source: own, loose }: NamePattern, source = own): RegExp {
  return wholeName(source, loose)
}

/** A pattern without placeholders, of a whole name. Throws ConfigError. */
function globAt({ text, position }: Scalar): RegExp {
  const loose = looseIn(text)
  if (loose > mostLoose) throw new ConfigError(position, tooLoose(loose))
  return wholeName(globSource(text), loose)
}

/** Of a folder what is in it is named, `meta.json` or `{checkpoint}/meta.json`. Throws ConfigError. */
function insideOf(key: string, scalar: Scalar, instead: string): Scalar {
  const text = scalar.text.startsWith(`${own}/`) ? scalar.text.slice(own.length + 1) : scalar.text
  if (text !== '' && !text.includes(own)) return { ...scalar, text }
  throw new ConfigError(scalar.position, `of a checkpoint that is a folder, ${key} names a file in it`, {
    hint: `${key}: ${JSON.stringify(instead)}`,
  })
}

/** `{checkpoint}.opt` among a file's members, `*.opt` of any. Throws ConfigError. */
function fileNameAt(key: string, match: Scalar, { isFolder, source, loose }: NamePattern): RegExp {
  const { text: named } = isFolder ? insideOf(key, match, match.text.replaceAll(own, '*')) : match
  const unnamed = source.replaceAll(/\(\?<\w+>/g, '(?:')
  const texts = named.split(own)
  const names = texts.length - 1
  const stars = looseIn(texts.join('/'))
  // Where something else stands for any text, a number at the name's end or beginning is no longer apart from it.
  const all = stars + names * loose + (stars + names > 1 ? names : 0)
  if (all > mostLoose) throw new ConfigError(match.position, tooLoose(all))
  const parts = texts.map(globSource)
  return wholeName(parts.join(`(?:${unnamed})`), all)
}

/** What stands behind `{checkpoint}`; empty for the checkpoint itself. */
function partOf({ text, position }: Scalar): string {
  if (text.startsWith(own)) return escaped(text.slice(own.length))
  throw new ConfigError(position, `${JSON.stringify(text)} does not begin with ${own}`, {
    hint: `what belongs to a checkpoint that is a file has its name: "${own}.json"`,
  })
}

function formatOf({ text, position }: Scalar): 'json' | 'yaml' {
  if (text.endsWith('.json')) return 'json'
  if (/\.ya?ml$/.test(text)) return 'yaml'
  throw new ConfigError(position, `${JSON.stringify(text)} is neither .json nor .yaml`, {
    hint: 'keys inside the torch file: meta: {torch: [epoch, val_loss]}',
  })
}
