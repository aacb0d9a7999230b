/** What `ckpt doctor` found. */
import type { Run } from '../core/checkpoint.js'
import type { FileSystemFacts } from '../machine/file-system-kind.js'
import { aligned } from './aligned.js'
import { printable } from './printable.js'
import { formatSize, plural } from './units.js'

export interface Problem {
  readonly what: string
  /** What to do about it. */
  readonly mend: string
}

/** A cache of ckpt's own; `folder` is null where it has none. */
interface Cache {
  readonly folder: string | null
  readonly bytes: number
  /** Bytes that it may have. */
  readonly most: number
  readonly cleared: boolean
}

/** The document of `--json`. */
export interface Diagnosis {
  readonly version: string
  readonly installed: { readonly how: keyof typeof words; readonly path: string }
  readonly runtime: string
  readonly fileSystem: FileSystemFacts
  /** Compiled code. */
  readonly cache: Cache
  /** What searches for runs have read. */
  readonly scans: Cache
  /** The shell's name, and the file in which completion is set up for it. */
  readonly completion: string | null
  readonly completionIn: string | null
  readonly slurm: boolean
  readonly run: string | null
  readonly problems: readonly Problem[]
}

export interface DiagnosisView {
  readonly run: Run | null
  /** Why there is no run, where it is not for lack of checkpoints. */
  readonly unopened: string | null
  /** How completion is set up, or how to do so. */
  readonly completion: string
}

export function renderDiagnosis(found: Diagnosis, { run, unopened, completion }: DiagnosisView): string[] {
  const { how, path } = found.installed
  return [
    ...aligned([
      ['ckpt', `${found.version}, ${words[how]}: ${printable(path)}`],
      ['runs on', found.runtime],
      ['file system', describeFileSystem(found.fileSystem)],
      ['code cache', describeCache(found.cache)],
      ['scan cache', describeCache(found.scans)],
      ['completion', completion],
      ['Slurm', found.slurm ? 'sbatch is on the PATH' : 'not found: ckpt submit needs sbatch on the PATH'],
      ['run', describeRun(run, unopened)],
    ]),
    ...(run !== null && found.problems.length === 0 ? ['no problems found'] : []),
    ...found.problems.flatMap(({ what, mend }) => [`problem: ${printable(what)}`, `  ${printable(mend)}`]),
  ]
}

function describeRun(run: Run | null, unopened: string | null): string {
  if (run === null) return unopened ?? 'none here'
  return `${printable(run.path)}: ${plural(run.checkpoints.length, 'checkpoint')}`
}

function describeCache({ folder, bytes, most, cleared }: Cache): string {
  const size = `${formatSize(bytes)} of at most ${formatSize(most)}`
  if (cleared) return `${size} (cleared)`
  return bytes === 0 || folder === null ? size : `${size} in ${printable(folder)}; ckpt doctor --clear-cache deletes it`
}

const words = {
  executable: 'one file',
  pip: 'installed with pip',
  npm: 'installed with npm',
  checkout: 'a checkout',
} as const

function describeFileSystem({ kind, clones, syncs, locks }: FileSystemFacts): string {
  const can = (what: string, isSo: boolean | null) => (isSo === null ? [] : [`${what}: ${isSo ? 'yes' : 'no'}`])
  const facts = [...can('clones', clones), ...can('locks', locks), ...can('syncs', syncs)]
  return [kind ?? 'of unknown kind', ...(facts.length === 0 ? ['not writable, so not tried'] : facts)].join(', ')
}
