/** The metric by which the settings of a run prune it: tables show it first. */
import { CkptError } from '../../core/errors.js'
import type { Order } from '../../core/choosing/selection/index.js'
import type { ReadStorage } from '../../core/storage/storage.js'
import { selectionFlags } from '../flags/common-flags.js'
import type { Program } from '../command-line/program.js'
import { policyOfRun } from './policy-of-run.js'
import type { ParsedConfig } from './settings-file.js'

const names = Object.keys(selectionFlags)

/**
 * None where no file says one, or where a section has a mistake, which `ckpt prune` tells. `files` are the settings that
 * are in force above the run: without a section of prune nothing is looked for.
 */
export async function ordersOfSettings(
  storage: ReadStorage,
  run: string,
  program: Program,
  files: readonly ParsedConfig[],
): Promise<readonly Order[]> {
  if (!files.some(({ sections }) => sections.has('prune'))) return []
  try {
    const { policy } = await policyOfRun(storage, run, program, names)
    return policy?.request.query.orders ?? []
  } catch (error) {
    if (error instanceof CkptError) return []
    throw error
  }
}
