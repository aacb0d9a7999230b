/** The text of a plan (docs/pretrain.md). */
import { dirname, relative, resolve, sep } from 'node:path'
import { ConfigError, unknownKey, YamlText, type Pair, type Scalar } from '../formats/yaml/config-yaml.js'
import { parseHooks, type Hook } from '../jobs/hooks/index.js'
import { guessSource } from './sources/index.js'
import type { ReadStorage } from '../storage/storage.js'
import { isMet, parseVariable, type Variables } from './conditions.js'
import { parseLoad } from './parse-load.js'
import { readDefault, readPath, type Origin, type OriginContext } from './parse-origin.js'
import { linkStrategies, type LinkStrategy, type Loadable, type PretrainPlan } from './plan.js'

const sections = ['collect_in', 'default_source', 'link', 'output', 'set', 'loadables', 'paths', 'conditions', 'hooks']
const example = 'loadables: {model: init/model.safetensors}'

/** What is said beside the plan, and stands above it. */
export interface PlanOptions {
  readonly variables?: Variables | undefined
  /** As `default_source` in the plan, but relative to `workingFolder`. */
  readonly defaultSource?: string | undefined
  /** Absolute. */
  readonly workingFolder: string
  readonly link?: LinkStrategy | undefined
  /** The folder for results, absolute. */
  readonly output?: string | undefined
}

/** `path` is absolute; relative paths in the text are relative to its folder. Throws ConfigError. */
export async function parsePlan(
  storage: ReadStorage,
  text: string,
  path: string,
  options: PlanOptions,
): Promise<PretrainPlan> {
  const yaml = new YamlText(text, path, await import('yaml'))
  const found = new Map<string, Pair>()
  for (const pair of yaml.root === null ? [] : yaml.pairsOf(yaml.root, 'the plan', example)) {
    if (!sections.includes(pair.key)) throw unknownKey(pair, 'a key of a plan', sections)
    found.set(pair.key, pair)
  }
  return new PlanReader({ storage, yaml, base: dirname(path) }, found, options).read(path)
}

class PlanReader {
  constructor(
    private readonly context: OriginContext,
    private readonly sections: ReadonlyMap<string, Pair>,
    private readonly options: PlanOptions,
  ) {}

  async read(path: string): Promise<PretrainPlan> {
    const loadables = await this.readLoadables()
    const hooks = parseHooks(this.context.yaml, this.sections.get('hooks')?.value ?? null)
    ensureForLoadables(
      hooks,
      loadables.map(({ key }) => key),
    )
    return {
      path,
      collectIn: this.collectIn(),
      link: this.options.link ?? this.readLink() ?? 'symbolic',
      loadables,
      hooks,
    }
  }

  private scalar(section: string): Scalar | null {
    const pair = this.sections.get(section)
    if (pair === undefined || pair.value === null) return null
    return this.context.yaml.scalarOf(section, pair.value, pair.position)
  }

  private folder(section: string): string | null {
    const written = this.scalar(section)
    return written === null ? null : resolve(this.context.base, written.text)
  }

  /** What is fetched lies in a folder of its own, where nothing takes it for settings or for what ckpt remembers. */
  private collectIn(): string | null {
    const path = this.folder('collect_in')
    const written = this.scalar('collect_in')
    if (path === null || written === null) return null
    const below = relative(path, this.context.base)
    if (below === '' || (below !== '..' && !below.startsWith(`..${sep}`))) {
      const what = below === '' ? 'the folder of the plan' : 'a folder above the plan'
      throw new ConfigError(
        written.position,
        `collect_in is ${what}, and what is fetched lies in a folder of its own`,
        {
          hint: 'collect_in: pretrained',
        },
      )
    }
    if (path.split(sep).includes('.ckpt')) {
      throw new ConfigError(written.position, 'collect_in lies in .ckpt, where ckpt keeps what it remembers', {
        hint: 'collect_in: pretrained',
      })
    }
    return path
  }

  private pairs(section: string): Pair[] {
    const pair = this.sections.get(section)
    return pair === undefined || pair.value === null ? [] : this.context.yaml.pairsOf(pair.value, section, example)
  }

  private readLink(): LinkStrategy | null {
    const written = this.scalar('link')
    const strategy = linkStrategies.find((one) => one === written?.text)
    if (written === null || strategy !== undefined) return strategy ?? null
    throw new ConfigError(written.position, `link is ${linkStrategies.join(', ')}, not ${JSON.stringify(written.text)}`)
  }

  private async readLoadables(): Promise<Loadable[]> {
    const pairs = this.pairs('loadables')
    const keys = pairs.map(({ key }) => key)
    const paths = this.byKey('paths', keys)
    const conditions = this.byKey('conditions', keys)
    const variables = this.readVariables()
    const fallback = await this.readDefaultSource()
    const output = this.options.output ?? this.folder('output')
    const loadables: Loadable[] = []
    for (const pair of pairs) {
      const { key, position } = pair
      ensureFileName(pair)
      const path = paths.get(key)
      loadables.push({
        key,
        name: `${key}.ckpt`,
        position,
        skippedBy: await this.readCondition(conditions.get(key), variables),
        origin: path === undefined ? fallback : await readPath(this.context, path, fallback),
        load: await parseLoad(this.context.yaml, pair, this.context.base, output),
      })
    }
    for (const one of loadables) ensureOrigin(one)
    ensureOutputsDiffer(loadables)
    return loadables
  }

  /** A section whose keys are those of loadables. */
  private byKey(section: string, keys: readonly string[]): Map<string, Pair> {
    const pairs = this.pairs(section)
    for (const pair of pairs) if (!keys.includes(pair.key)) throw unknownKey(pair, 'one of the loadables', keys)
    return new Map(pairs.map((pair) => [pair.key, pair]))
  }

  private readVariables(): Variables {
    const written = this.pairs('set').map(({ key, value, position }) => {
      const text = value === null ? '' : this.context.yaml.scalarOf(key, value, position).text
      return [key, parseVariable(text)] as const
    })
    return new Map([...written, ...(this.options.variables ?? [])])
  }

  private async readCondition(pair: Pair | undefined, variables: Variables): Promise<string | null> {
    if (pair === undefined) return null
    const condition = this.context.yaml.scalarOf(`the condition of ${pair.key}`, pair.value, pair.position)
    return (await isMet(condition, variables)) ? null : condition.text
  }

  private async readDefaultSource(): Promise<Origin | null> {
    const { defaultSource, workingFolder } = this.options
    if (defaultSource !== undefined) {
      const source = await guessSource(this.context.storage, defaultSource, workingFolder)
      return { source, file: null, digest: null }
    }
    const pair = this.sections.get('default_source')
    return pair === undefined || pair.value === null ? null : readDefault(this.context, pair)
  }
}

/** Those of a plan are for its own keys; a `ckpt.yaml` may have more. */
function ensureForLoadables(hooks: readonly Hook[], keys: readonly string[]): void {
  for (const { selector, position } of hooks) {
    if (selector.kind === 'match' || keys.includes(selector.key)) continue
    throw unknownKey({ key: selector.key, position, value: null }, 'one of the loadables', keys)
  }
}

/** Its file will be called after it. */
function ensureFileName({ key, position }: Pair): void {
  if (key !== '' && !key.startsWith('.') && !key.includes('/') && !key.includes('\0') && key.length <= 200) return
  throw new ConfigError(position, `${JSON.stringify(key)} cannot be a file's name, and ${key}.ckpt would be one`)
}

function ensureOrigin({ key, position, origin, skippedBy }: Loadable): void {
  if (origin !== null || skippedBy !== null) return
  throw new ConfigError(position, `${key} has no path, and there is no default source`, {
    hint: `paths: {${key}: …}, or default_source: …, or --source …`,
  })
}

function ensureOutputsDiffer(loadables: readonly Loadable[]): void {
  const seen = new Map<string, string>()
  for (const { key, position, load } of loadables) {
    if (load === null) continue
    const other = seen.get(load.output)
    if (other !== undefined) throw new ConfigError(position, `${key} has the output of ${other}: ${load.output}`)
    seen.set(load.output, key)
  }
}
