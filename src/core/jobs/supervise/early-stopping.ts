/** Early stopping: is there nothing more to gain? */

export interface Patience {
  readonly order: { readonly kind: 'min' | 'max'; readonly key: string }
  /** Checkpoints in a row without improvement. */
  readonly checkpoints: number
  /** By how much a value must be better than the best before it. */
  readonly minDelta: number
  /** Ignore the first N checkpoints. */
  readonly warmup: number
}

export interface Standing {
  readonly stalled: boolean
  /** Index of the best value among those given; null while none counts. */
  readonly best: number | null
  /** Checkpoints after it that were no better. */
  readonly since: number
}

/** `values` are the metric of each checkpoint, oldest first. NaN is never better than anything. */
export function standingOf(values: readonly number[], { order, checkpoints, minDelta, warmup }: Patience): Standing {
  let best: number | null = null
  let since = 0
  values.forEach((value, index) => {
    if (index < warmup) return
    const record = best === null ? NaN : (values[best] ?? NaN)
    const gain = order.kind === 'min' ? record - value : value - record
    if (!Number.isNaN(value) && (Number.isNaN(record) || gain > minDelta || (minDelta === 0 && gain > 0))) {
      best = index
      since = 0
    } else since += 1
  })
  return { stalled: since >= checkpoints, best, since }
}
