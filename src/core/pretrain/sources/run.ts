/** A run, of which a query chooses a checkpoint that is whole: `{run: exp/save, min: WER}`. */
import { resolve } from 'node:path'
import { ConfigError, atPosition, type Scalar } from '../../formats/yaml/config-yaml.js'
import { CkptError } from '../../errors.js'
import { parseExpression, type Expression } from '../../choosing/expression/index.js'
import { choose, fileOfKey, openRun, type Query } from '../../runs/index.js'
import type { Order } from '../../choosing/selection/index.js'
import type { Fields, LocalFile, Source, SourceContext, SourceKind, Wanted } from './source.js'

const orders = ['min', 'max', 'by']

export const runKind: SourceKind = {
  name: 'run',
  options: [...orders, 'where', 'key'],
  read: async (fields, base) => {
    const path = resolve(base, fields.get('run')?.text ?? '')
    const query = await readQuery(fields)
    const said = [...orders, 'where'].flatMap((name) => {
      const value = fields.get(name)
      return value === undefined ? [] : [`${name} ${value.text}`]
    })
    const fileKey = fields.get('key')?.text ?? null
    return {
      kind: 'run',
      text: said.length === 0 ? path : `${path} (${said.join(', ')})`,
      identify: () => null,
      nameOf: () => null,
      beside: () => null,
      locate: (wanted, context) => locate(path, query, fileKey, wanted, context),
    } satisfies Source
  },
}

async function readQuery(fields: Fields): Promise<Query> {
  const [first, second] = orders.flatMap((name) => fields.get(name) ?? [])
  if (second !== undefined) {
    throw new ConfigError(second.position, 'two orders, and only one can decide', { hint: 'by: acc - 0.1 * loss' })
  }
  const where = fields.get('where')
  return {
    orders: first === undefined ? [] : [await readOrder(fields, first)],
    where: where === undefined ? [] : [await readExpression(where)],
  }
}

async function readOrder(fields: Fields, value: Scalar): Promise<Order> {
  if (value === fields.get('by')) return { kind: 'by', expression: await readExpression(value) }
  return { kind: value === fields.get('min') ? 'min' : 'max', key: value.text }
}

/** Throws ConfigError with the place of the text. */
export async function readExpression({ text, position }: Scalar): Promise<Expression> {
  try {
    return await parseExpression(text)
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
    throw atPosition(position, error)
  }
}

/** Of a demoted checkpoint the weights are whole, and more is not wanted. */
async function locate(
  path: string,
  query: Query,
  fileKey: string | null,
  { key, file }: Wanted,
  { storage, network, now, signal, onWarning }: SourceContext,
): Promise<LocalFile> {
  const run = await openRun(storage, path)
  const chosen = await choose(
    storage,
    run,
    { query, verify: 'quick', keys: [], takesDemoted: true },
    {
      now,
      wait: network.wait,
      onPassedOver: ({ name, reasons }) => onWarning(`passed over ${name}: ${reasons.join('; ')}`),
      ...(signal === undefined ? {} : { signal }),
    },
  )
  for (const warning of chosen.warnings) onWarning(warning)
  const { checkpoint } = chosen
  const found = fileOfKey(checkpoint, fileKey ?? file ?? key)
  const [stat] = await storage.stat([found.path])
  if (stat?.ok !== true) throw stat?.error ?? new CkptError('not-found', `${found.path} is gone`)
  return { kind: 'local', path: found.path, size: stat.value.size, checkpoint }
}
