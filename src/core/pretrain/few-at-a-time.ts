/** What lies on this machine one after another, for its disk is one; what comes over a network a few at a time. */

/** Downloads at once: enough to hide the pauses of one server, and too few to be a burden to it. */
const most = 4

/**
 * The answers of `work`, in the order of the items. When one throws, the signal of those under way is aborted and they
 * are waited for; then its error is thrown, and nothing is at work any more.
 */
export async function workThrough<T, R>(
  items: readonly T[],
  isRemote: (item: T) => boolean,
  work: (item: T, signal: AbortSignal) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  const stop = new AbortController()
  const both = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
  const answers = new Map<T, R>()
  const failures: unknown[] = []
  const lane = async (waiting: Iterator<T>): Promise<void> => {
    for (let next = waiting.next(); next.done !== true && failures.length === 0; next = waiting.next()) {
      try {
        answers.set(next.value, await work(next.value, both))
      } catch (error) {
        failures.push(error)
        stop.abort()
      }
    }
  }
  await lane(items.filter((item) => !isRemote(item)).values())
  const remote = items.filter(isRemote).values()
  await Promise.all(Array.from({ length: most }, () => lane(remote)))
  if (failures.length > 0) throw failures[0]
  return items.flatMap((item) => (answers.has(item) ? [answers.get(item) as R] : []))
}
