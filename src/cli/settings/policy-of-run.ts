/** The policy that a run's own settings give `ckpt prune`, for those who only ask what it would keep. */
import type { PruneRequest } from '../../core/runs/index.js'
import type { ReadStorage } from '../../core/storage/storage.js'
import type { Program } from '../command-line/program.js'
import { readPolicy } from '../flags/query.js'
import { flagsOf } from '../command-line/described-command.js'
import { settingsAt } from './command-settings.js'
import type { LeftOut } from './files.js'

export interface PolicyOfRun {
  /** Null where no file has one. */
  readonly policy: { readonly request: PruneRequest; readonly source: string } | null
  /** Files that may hold settings and are not taken. */
  readonly leftOut: readonly LeftOut[]
}

/** `names` are the flags that make a policy. Throws ConfigError for a mistake in the section of prune. */
export async function policyOfRun(
  storage: ReadStorage,
  run: string,
  { commands }: Program,
  names: readonly string[],
): Promise<PolicyOfRun> {
  const Prune = await commands.get('prune')?.()
  if (Prune === undefined) return { policy: null, leftOut: [] }
  const question = {
    command: 'prune',
    flags: flagsOf(Prune),
    together: [names],
    given: new Set<string>(),
    commandIds: [...commands.keys()],
  }
  const { inForce, leftOut } = await settingsAt(storage, run, question, {
    refuses: false,
    unreadable: true,
    mistaken: true,
  })
  const own = [...inForce].filter(([name, { value }]) => names.includes(name) && value !== null)
  const [first] = own
  if (first === undefined) return { policy: null, leftOut }
  const flags = Object.fromEntries(own.map(([name, { value }]) => [name, value]))
  return { policy: { request: await readPolicy(flags), source: first[1].position.path }, leftOut }
}
