/** Lists by key. */

/** Adds to the list of a key, which is made with its first item. */
export function addTo<K, V>(lists: Map<K, V[]>, key: K, ...items: readonly V[]): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [...items])
  else for (const item of items) list.push(item)
}

/** The items by what `keyOf` says of each, in their order. */
export function groupBy<K, V>(items: Iterable<V>, keyOf: (item: V) => K): Map<K, V[]> {
  const lists = new Map<K, V[]>()
  for (const item of items) {
    const key = keyOf(item)
    const list = lists.get(key)
    if (list === undefined) lists.set(key, [item])
    else list.push(item)
  }
  return lists
}
