/** Which hyper-parameters are worth a column beside runs: those that tell them apart. */
import type { HyperParameters, MetaValue } from '../core/checkpoint.js'
import { formatMeta } from './checkpoints.js'
import { allDigits } from './units.js'

/** Where a run lies and what it is called differs anyway, and says nothing of how it was trained. */
const names =
  /(^|[._/-])(output_folder|output_dir|out_dir|log_dir|logging_dir|logdir|save_dir|save_folder|save_path|work_dir|workdir|exp_name|exp_dir|experiment|experiment_name|run_name|run_id|run_dir|name|id|dir|path|train_log|resume|resume_from|time|timestamp|date|host|hostname|pid)$/i

/** In the order in which the runs tell them; values are compared as they would be shown. */
export function varyingSettings(runs: readonly HyperParameters[]): string[] {
  const values = new Map<string, Set<string>>()
  const counts = new Map<string, number>()
  for (const settings of runs) {
    for (const [name, { value }] of settings) {
      if (!isShown(name, value)) continue
      const known = values.get(name) ?? new Set()
      values.set(name, known.add(keyOf(value)))
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
  }
  return [...values].flatMap(([name, all]) => (all.size > 1 || counts.get(name) !== runs.length ? [name] : []))
}

/** Lists, and texts that are paths, are too wide for a column that nobody asked for. */
function isShown(name: string, value: MetaValue): boolean {
  if (names.test(name)) return false
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'bigint')
    return true
  return typeof value === 'string' && !value.includes('/') && value.length <= 30
}

function keyOf(value: MetaValue): string {
  return `${typeof value} ${formatMeta(value, allDigits)}`
}
