/** Warns of orders and settings that would take the worst checkpoint for the best. */
import type { Checkpoint, Direction } from '../../checkpoint.js'
import { directionOf } from '../../checkpoints/meta/index.js'
import { frameworkDirections } from './metrics.js'
import { describeOrder, type Criterion, type Order } from './rank.js'

interface Metric {
  readonly kind: Direction
  readonly key: string
}

const words: Readonly<Record<Direction, string>> = { min: 'lower is better', max: 'higher is better' }

/**
 * For people: each order that goes against what the framework says of its metric, or else the metric's name; and each
 * metric of which the framework itself says what its name contradicts, as far as it matters: those named in the orders,
 * or all of them when none is. `asTyped` says an order as the command line has it.
 */
export function describeContradictions(
  orders: readonly Order[],
  checkpoints: readonly Checkpoint[],
  asTyped: (order: Metric) => string = describeOrder,
): string[] {
  const directions = frameworkDirections(checkpoints)
  const asked = orders.flatMap((order) => (order.kind === 'named' ? [] : [order, ...(order.then ?? [])]))
  const keys = asked.flatMap((one) => (one.kind === 'by' ? [] : [one.key]))
  const settings = [...directions].filter(([key]) => asked.length === 0 || keys.includes(key))
  return [
    ...asked.flatMap((one) => describeOne(one, directions, asTyped)),
    ...settings.flatMap(([key, direction]) => describeSetting(key, direction)),
  ]
}

function describeOne(
  order: Criterion,
  directions: ReadonlyMap<string, Direction>,
  asTyped: (order: Metric) => string,
): string[] {
  if (order.kind === 'by') return []
  const { kind, key } = order
  const said = directions.get(key)
  const known = said ?? saidByName(key)
  if (known === undefined || known === kind) return []
  const who = said === undefined ? 'its name says' : "the framework's own settings say"
  return [`${asTyped({ kind, key })}: ${who} of ${key} that ${words[known]}`]
}

function describeSetting(key: string, direction: Direction): string[] {
  const byName = saidByName(key)
  if (byName === undefined || byName === direction) return []
  const taken = direction === 'min' ? 'lowest' : 'highest'
  return [`the framework takes the ${taken} ${key} for the best, and its name says that ${words[byName]}`]
}

/** `neg_loss` may be a loss times -1 (Ignite's example), or the loss of negative samples: such a name says nothing. */
function saidByName(key: string): Direction | undefined {
  const direction = directionOf(key)
  return direction === 'min' && isNegated(key) ? undefined : direction
}

function isNegated(key: string): boolean {
  const small = key.toLowerCase()
  return small.includes('neg') && /(?:^|[^a-z])neg(?:ative)?(?:[^a-z]|$)/.test(small)
}
