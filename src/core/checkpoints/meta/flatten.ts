/** Nested values under one name each: `optimizer.lr`. */
import { isMeta, type MetaValue } from '../../checkpoint.js'
import { tagKey } from '../../formats/yaml/plain-value.js'

/** Of one file. */
const mostNames = 5000
const deepest = 32
/** Characters. */
const longestName = 1000

/** In the order of the file, the names with `between` in them. What is not a mapping has no names. */
export function flatten(value: MetaValue, between = '.'): Map<string, MetaValue> {
  const found = new Map<string, MetaValue>()
  if (isMeta(value)) gather(value, { prefix: '', between, depth: 0 }, found)
  return found
}

interface At {
  readonly prefix: string
  readonly between: string
  readonly depth: number
}

function gather(
  map: ReadonlyMap<string, MetaValue>,
  { prefix, between, depth }: At,
  found: Map<string, MetaValue>,
): void {
  for (const [key, value] of map) {
    const name = key === tagKey ? prefix.slice(0, -between.length) : prefix + key
    if (name === '' || name.length > longestName || found.size >= mostNames) continue
    if (isMeta(value) && value.size > 0 && depth < deepest)
      gather(value, { prefix: name + between, between, depth: depth + 1 }, found)
    else found.set(name, value)
  }
}
