/** Which version of the code a run was trained with, where a program wrote it down. */
import { isMeta, type HyperParameters, type MetaValue, type Run } from '../../checkpoint.js'
import { parseJson } from '../../formats/text/json.js'
import { prefixOf } from '../layouts/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { newestWandbRun } from './find-files.js'
import { mlflowRunIn } from './mlflow.js'
import { firstFound, foldersUp, type FileToAsk } from './nearest.js'

export interface CodeVersion {
  /** As it was written: a commit's hash, or a part of it. */
  readonly commit: string
  /** Absolute path of the file that tells it. */
  readonly source: string
}

/** Bytes. The list of all installed packages is in SpeechBrain's. */
const largest = 4 << 20
/** Names under which settings tell it, the last part counts; case does not matter. */
const names =
  /(^|[._/-])(git[._-]?(commit|sha|hash|rev|revision)([._-]?(id|hash|sha))?|commit([._-]?(hash|sha|id))?|code[._-]?version)$/i

const filesToAsk: readonly FileToAsk[] = [
  // speechbrain/utils/logger.py, get_environment_description.
  { file: 'env.log', read: (bytes) => textOf(bytes, /^Git revision:\n([0-9a-f]{4,64})\s*$/m) },
  // mlflow/utils/mlflow_tags.py, MLFLOW_GIT_COMMIT: one tag a file.
  { file: 'tags/mlflow.source.git.commit', read: (bytes) => textOf(bytes, /^([0-9a-f]{4,64})\s*$/) },
]

/** The nearest one; null where nothing tells it. Never throws for a file that cannot be read. */
export async function readCodeVersion(
  storage: ReadStorage,
  { path }: Run,
  settings: HyperParameters,
): Promise<CodeVersion | null> {
  for (const [above, folder] of foldersUp(path).entries()) {
    const wandb = above <= 1 ? await newestOfWandb(storage, folder) : []
    const found = await firstFound(storage, folder, [...filesToAsk, ...wandb], largest)
    if (found !== null) return { commit: found.text, source: found.source }
    const mlflow = await mlflowRunIn(storage, { folder, run: path, above })
    const beside = mlflow === null ? null : await firstFound(storage, mlflow, filesToAsk, largest)
    if (beside !== null) return { commit: beside.text, source: beside.source }
  }
  return fromSettings(settings)
}

/** `git: {remote, commit}` in the metadata of the newest (wandb/proto/wandb_internal.proto, EnvironmentRecord, as JSON). */
async function newestOfWandb(storage: ReadStorage, folder: string): Promise<FileToAsk[]> {
  const [listing] = await storage.list([`${prefixOf(folder)}wandb`])
  if (listing?.ok !== true) return []
  const newest = newestWandbRun(listing.value)
  return newest === undefined ? [] : [{ file: `wandb/${newest}/files/wandb-metadata.json`, read: commitOfWandb }]
}

function commitOfWandb(bytes: Uint8Array): string | null {
  const value: MetaValue = parseJson(bytes)
  const git = isMeta(value) ? value.get('git') : undefined
  const commit = git !== undefined && isMeta(git) ? git.get('commit') : undefined
  return typeof commit === 'string' ? commit : null
}

function textOf(bytes: Uint8Array, pattern: RegExp): string | null {
  return pattern.exec(new TextDecoder().decode(bytes))?.[1] ?? null
}

function fromSettings(settings: HyperParameters): CodeVersion | null {
  for (const [name, { value, source }] of settings) {
    if (names.test(name) && typeof value === 'string' && value !== '') return { commit: value, source }
  }
  return null
}
