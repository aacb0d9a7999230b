/** Whether the checkpoints of a run are whole, and what lies beside them that never became one. */
import { basename } from 'node:path'
import type { Checkpoint, Run } from '../checkpoint.js'
import { checkFinite, type HealthOptions } from '../health/index.js'
import { explainTemporary, findLeftovers, listFiles, type Leftover } from '../layouts/index.js'
import type { ReadStorage } from '../storage/storage.js'
import { examine } from './open.js'

export interface VerifyRequest {
  /** Those to be graded; null for all of the run, and then the run's leftovers too. */
  readonly which: readonly Checkpoint[] | null
  readonly level: 'quick' | 'deep'
  /** Look for tensors with values that are not finite. */
  readonly finite?: boolean
}

export interface Verified {
  readonly run: Run
  /** Graded, in the run's order. */
  readonly checkpoints: readonly Checkpoint[]
  readonly leftovers: readonly Leftover[]
}

/** Damage never throws. Throws CkptError `interrupted` when the signal says so. */
export async function verifyRun(
  storage: ReadStorage,
  run: Run,
  { which, level, finite = false }: VerifyRequest,
  options: HealthOptions = {},
): Promise<Verified> {
  const graded = await examine(storage, run.checkpoints, which ?? run.checkpoints, level, options)
  const checkpoints = finite ? await checkFinite(storage, graded, options) : graded
  const beside = which === null ? await findLeftovers(storage, run) : []
  return { run, checkpoints, leftovers: [...beside, ...(await findInside(storage, checkpoints))] }
}

/** Temporary files within checkpoints, which nothing loads. */
async function findInside(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<Leftover[]> {
  const contents = await listFiles(storage, checkpoints)
  return checkpoints.flatMap((checkpoint) =>
    (contents.get(checkpoint)?.files ?? []).flatMap(({ name, path }) => {
      const reason = checkpoint.kind === 'directory' ? explainTemporary(basename(name)) : null
      return reason === null ? [] : [{ name: `${checkpoint.name}/${name}`, path, reason }]
    }),
  )
}
