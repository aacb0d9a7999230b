/** Where a loadable's file comes from: `org/model/lm.ckpt`, `{run: exp/save, min: WER}`, `{file: lm.ckpt}`. */
import {
  ConfigError,
  atPosition,
  unknownKey,
  type Pair,
  type FilePosition,
  type YamlText,
} from '../formats/yaml/config-yaml.js'
import type { Digest } from './download/index.js'
import { CkptError } from '../errors.js'
import { guessSource, sourceKinds, splitPath, splitUrl, type Fields, type Source } from './sources/index.js'
import type { ReadStorage } from '../storage/storage.js'

export interface Origin {
  readonly source: Source
  /** Null for the source's own name for the key. */
  readonly file: string | null
  readonly digest: Digest | null
}

/** What paths are read with. */
export interface OriginContext {
  readonly storage: ReadStorage
  readonly yaml: YamlText
  /** Absolute: what relative paths are relative to. */
  readonly base: string
}

const kinds = sourceKinds.map(({ name }) => name)

/** Behind `default_source:`. Throws ConfigError. */
export async function readDefault(context: OriginContext, pair: Pair): Promise<Origin> {
  const { yaml, storage, base } = context
  if (yaml.isMapping(pair.value)) return readMapping(context, pair, null, [])
  const { text, position } = yaml.scalarOf(pair.key, pair.value, pair.position)
  return { source: await readAt(position, () => guessSource(storage, text, base)), file: null, digest: null }
}

/** Behind a key of `paths:`; `fallback` is the default source. Throws ConfigError. */
export async function readPath(context: OriginContext, pair: Pair, fallback: Origin | null): Promise<Origin> {
  const { yaml, storage, base } = context
  if (yaml.isMapping(pair.value)) return readMapping(context, pair, fallback, ['file', 'sha256'])
  const { text, position } = yaml.scalarOf(pair.key, pair.value, pair.position)
  const { source, file } = splitPath(text)
  if (file === '') {
    throw new ConfigError(position, `${text}: names no file`, {
      hint: `{folder: ${text}} stands for ${pair.key}.ckpt in it`,
    })
  }
  return { source: await readAt(position, () => guessSource(storage, source, base)), file, digest: null }
}

async function readMapping(
  { yaml, base }: OriginContext,
  pair: Pair,
  fallback: Origin | null,
  more: readonly string[],
): Promise<Origin> {
  const pairs = pair.value === null ? [] : yaml.pairsOf(pair.value, pair.key, '{folder: pretrained}')
  const named = pairs.filter(({ key }) => kinds.includes(key))
  const [first, second] = named
  if (second !== undefined)
    throw new ConfigError(second.position, `${pair.key} has two sources: ${named.map(({ key }) => key).join(', ')}`)
  const kind = sourceKinds.find(({ name }) => name === first?.key)
  const known = [...(kind === undefined ? kinds : [kind.name, ...kind.options]), ...more]
  for (const one of pairs) if (!known.includes(one.key)) throw unknownKey(one, `a key of ${pair.key}`, known)
  const fields: Fields = new Map(pairs.map(({ key, value, position }) => [key, yaml.scalarOf(key, value, position)]))
  const digest = readDigest(fields)
  const file = fields.get('file')?.text ?? null
  if (kind === undefined || first === undefined) {
    if (fallback !== null) return { ...fallback, file: file ?? fallback.file, digest }
    throw new ConfigError(pair.position, `${pair.key} names no source, and there is no default source`, {
      hint: `one of ${kinds.join(', ')}`,
    })
  }
  // An address in a path is that of the file itself.
  const url = fields.get('url')
  const isFile = url !== undefined && file === null && more.length > 0
  const split = isFile ? splitUrl(url.text) : null
  const own = split === null || url === undefined ? fields : new Map([...fields, ['url', { ...url, text: split.base }]])
  const { position } = fields.get(first.key) ?? first
  return { source: await readAt(position, () => kind.read(own, base)), file: split?.file ?? file, digest }
}

function readDigest(fields: Fields): Digest | null {
  const written = fields.get('sha256')
  if (written === undefined) return null
  const value = written.text.toLowerCase()
  if (/^[0-9a-f]{64}$/.test(value)) return { algorithm: 'sha256', value }
  throw new ConfigError(written.position, `sha256 is 64 hexadecimal digits, not ${JSON.stringify(written.text)}`)
}

/** A mistake in what the source is gets its line and column. */
async function readAt(position: FilePosition, read: () => Promise<Source>): Promise<Source> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof CkptError) || error instanceof ConfigError || error.code !== 'usage') throw error
    throw atPosition(position, error)
  }
}
