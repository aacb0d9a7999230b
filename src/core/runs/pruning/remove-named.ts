/** Removing checkpoints that somebody named: a prune of exactly those, with everything that protects from a prune. */
import { CkptError } from '../../errors.js'
import type { Run } from '../../checkpoint.js'
import type { Kept } from '../../choosing/retention/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { planPrune, type PruneContext, type PrunePlan } from './prune.js'

export interface RemovalRequest {
  /** Names of checkpoints of the run. */
  readonly names: readonly string[]
  /** False: what a prune protects may go too. */
  readonly protect: boolean
  readonly toTrash: boolean
}

/**
 * The plan that removes the named ones and nothing else. Throws CkptError `refused` where one of them has to stay, and
 * where an unnamed one would go with them.
 */
export async function planRemoval(
  storage: ReadStorage,
  run: Run,
  { names, protect, toTrash }: RemovalRequest,
  context: PruneContext,
): Promise<PrunePlan> {
  const named = new Set(names)
  const plan = await planPrune(
    storage,
    run,
    {
      query: { orders: [], where: [] },
      keep: 0,
      removeDamaged: true,
      allowEmpty: !protect,
      protect,
      pointersFollow: true,
      toTrash,
      isExcluded: ({ name }) => (named.has(name) ? null : 'not named'),
    },
    context,
  )
  refuseStaying(plan.keep.filter(({ checkpoint }) => named.has(checkpoint.name)))
  refuseUnnamed(plan, named)
  const remove = plan.remove.map((one) => ({ ...one, reason: { code: 'selected', text: 'named' } as const }))
  return { ...plan, remove }
}

function refuseStaying(staying: readonly Kept[]): void {
  if (staying.length === 0) return
  const lines = staying.map(
    ({ checkpoint, reasons }) => `  ${checkpoint.name}: ${reasons.map(({ text }) => text).join('; ')}`,
  )
  const isUnreadable = staying.some(({ reasons }) => reasons.some(({ code }) => code === 'unreadable'))
  const isCopy = staying.every(({ reasons }) => reasons.some(({ code }) => code === 'same'))
  throw new CkptError('refused', ['nothing was removed, because these are protected', ...lines].join('\n'), {
    hint: isUnreadable
      ? 'what the system refuses to read is removed by no flag; see to its owner, its mode and the disk first'
      : isCopy
        ? 'name the checkpoint that it is a copy of, too'
        : 'to remove them all the same: --no-protect',
  })
}

function refuseUnnamed({ remove }: PrunePlan, named: ReadonlySet<string>): void {
  const beside = remove.filter(({ checkpoint }) => !named.has(checkpoint.name))
  if (beside.length === 0) return
  const lines = beside.map(({ checkpoint, reason }) => `  ${checkpoint.name}: ${reason.text}`)
  throw new CkptError('refused', ['nothing was removed, because these would go too', ...lines].join('\n'), {
    hint: 'name them as well',
  })
}
