/** What a loadable is loaded into: `init/model.safetensors`, or a mapping with that and how. */
import { basename, dirname, extname, join, resolve } from 'node:path'
import {
  ConfigError,
  atPosition,
  unknownKey,
  type Pair,
  type Scalar,
  type YamlText,
} from '../formats/yaml/config-yaml.js'
import { CkptError } from '../errors.js'
import { compileMapping } from '../tensors/names/index.js'
import type { ResizeKind } from '../tensors/transfer/index.js'
import type { Load } from './plan.js'

/** The names of `ckpt transfer`'s flags, with their meaning. */
const lists = ['include', 'exclude', 'strip-prefix', 'rename', 'resize'] as const
const switches = ['strict', 'skip-mismatched', 'no-auto-prefix'] as const
const keys = ['target', 'output', 'map', ...lists, ...switches, 'add-prefix', 'min-coverage']
const resizes: readonly ResizeKind[] = ['slice', 'pad']

/**
 * Null where there is no target. `base` is what relative paths are relative to, `output` the folder for results: by
 * their keys there, and without it beside their targets. Throws ConfigError.
 */
export async function parseLoad(yaml: YamlText, pair: Pair, base: string, output: string | null): Promise<Load | null> {
  const { key, position, value } = pair
  if (value === null) return null
  if (!yaml.isMapping(value)) return plainLoad(key, resolve(base, yaml.scalarOf(key, value, position).text), output)
  const found = new Map<string, Pair>()
  for (const one of yaml.pairsOf(value, key, '{target: init/model.safetensors}')) {
    if (!keys.includes(one.key)) throw unknownKey(one, `a key of ${key}`, keys)
    found.set(one.key, one)
  }
  return new LoadReader(yaml, pair, found).read(base, output)
}

function plainLoad(key: string, target: string, output: string | null): Load {
  return { target, output: outputOf(key, target, output), names: {}, match: {} }
}

function outputOf(key: string, target: string, folder: string | null): string {
  const extension = extname(target)
  if (folder !== null) return join(folder, `${key}${extension}`)
  return join(dirname(target), `${basename(target, extension)}.pretrained${extension}`)
}

class LoadReader {
  constructor(
    private readonly yaml: YamlText,
    private readonly pair: Pair,
    private readonly found: ReadonlyMap<string, Pair>,
  ) {}

  async read(base: string, folder: string | null): Promise<Load> {
    const { key, position } = this.pair
    const target = this.scalar('target')
    if (target === null)
      throw new ConfigError(position, `${key} has no target`, { hint: '{target: init/model.safetensors}' })
    const output = this.scalar('output')
    for (const rename of this.scalars('rename')) await this.ensureRename(rename)
    const path = resolve(base, target.text)
    const addPrefix = this.scalar('add-prefix')
    return {
      target: path,
      output: output === null ? outputOf(key, path, folder) : resolve(base, output.text),
      names: {
        include: this.list('include'),
        exclude: this.list('exclude'),
        stripPrefixes: this.list('strip-prefix'),
        renames: this.list('rename'),
        map: this.readMap(),
        ...(addPrefix === null ? {} : { addPrefix: addPrefix.text }),
      },
      match: {
        strict: this.isOn('strict'),
        skipMismatched: this.isOn('skip-mismatched'),
        autoPrefix: !this.isOn('no-auto-prefix'),
        resize: this.readResize(),
        minCoverage: this.readPart('min-coverage'),
      },
    }
  }

  private scalar(key: string): Scalar | null {
    const pair = this.found.get(key)
    return pair === undefined ? null : this.yaml.scalarOf(key, pair.value, pair.position)
  }

  /** One text, or a list of them. */
  private scalars(key: (typeof lists)[number]): Scalar[] {
    const pair = this.found.get(key)
    if (pair === undefined) return []
    const items = this.yaml.itemsOf(pair.value) ?? [pair.value]
    return items.map((item) => this.yaml.scalarOf(key, item, pair.position))
  }

  private readMap(): ReadonlyMap<string, string> {
    const pair = this.found.get('map')
    if (pair === undefined || pair.value === null) return new Map()
    const entries = this.yaml.pairsOf(pair.value, 'map', '{old: new}')
    return new Map(entries.map(({ key, value, position }) => [key, this.yaml.scalarOf(key, value, position).text]))
  }

  /** Before anything is fetched. */
  private async ensureRename({ text, position }: Scalar): Promise<void> {
    try {
      await compileMapping({ renames: [text] })
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      throw atPosition(position, error)
    }
  }

  private list(key: (typeof lists)[number]): string[] {
    return this.scalars(key).map(({ text }) => text)
  }

  private isOn(key: (typeof switches)[number]): boolean {
    const value = this.scalar(key)
    if (value === null) return false
    if (value.boolean === null) throw new ConfigError(value.position, `${key} is true or false`)
    return value.boolean
  }

  private readResize(): ResizeKind[] {
    return this.scalars('resize').map(({ text, position }) => {
      const kind = resizes.find((one) => one === text)
      if (kind === undefined)
        throw new ConfigError(position, `resize is ${resizes.join(' or ')}, not ${JSON.stringify(text)}`)
      return kind
    })
  }

  private readPart(key: string): number | undefined {
    const value = this.scalar(key)
    if (value === null) return undefined
    const part = Number(value.text)
    if (part >= 0 && part <= 1) return part
    throw new ConfigError(value.position, `${key} is a part of a whole, from 0 to 1, not ${value.text}`)
  }
}
