/** Nested settings under names with dots: `optimizer.lr`. */
import { isMeta, type MetaValue } from '../../checkpoint.js'
import { tagKey } from '../../formats/yaml/plain-value.js'

/** Of one file. */
const mostNames = 5000
const deepest = 32
/** Characters. */
const longestName = 1000

/** In the order of the file. What is not a mapping has no names. */
export function flatten(value: MetaValue): Map<string, MetaValue> {
  const found = new Map<string, MetaValue>()
  if (isMeta(value)) gather(value, '', 0, found)
  return found
}

function gather(
  map: ReadonlyMap<string, MetaValue>,
  prefix: string,
  depth: number,
  found: Map<string, MetaValue>,
): void {
  for (const [key, value] of map) {
    const name = key === tagKey ? prefix.slice(0, -1) : prefix + key
    if (name === '' || name.length > longestName || found.size >= mostNames) continue
    if (isMeta(value) && value.size > 0 && depth < deepest) gather(value, `${name}.`, depth + 1, found)
    else found.set(name, value)
  }
}
