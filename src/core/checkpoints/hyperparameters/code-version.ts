/** Which version of the code a run was trained with, where a program wrote it down. */
import { dirname } from 'node:path'
import { isMeta, type HyperParameters, type MetaValue, type Run } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { parseJson } from '../../formats/json.js'
import { compareText, prefixOf } from '../layouts/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { timeIn } from './read.js'

export interface CodeVersion {
  /** As it was written: a commit's hash, or a part of it. */
  readonly commit: string
  /** Absolute path of the file that tells it. */
  readonly source: string
}

/** Bytes. The list of all installed packages is in SpeechBrain's. */
const largest = 4 << 20
/** Folders above the run that are looked into, as for hyper-parameters. */
const highest = 4
/** Names under which settings tell it, the last part counts; case does not matter. */
const names =
  /(^|[._/-])(git[._-]?(commit|sha|hash|rev|revision)([._-]?(id|hash|sha))?|commit([._-]?(hash|sha|id))?|code[._-]?version)$/i

interface Place {
  readonly file: string
  readonly read: (bytes: Uint8Array) => string | null
}

const places: readonly Place[] = [
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
  let folder = path
  for (let above = 0; above <= highest; above += 1) {
    const wandb = above <= 1 ? await newestOfWandb(storage, `${prefixOf(folder)}wandb`) : []
    const found = await firstOf(storage, [...places.map((one) => inFolder(folder, one)), ...wandb])
    if (found !== null) return found
    if (dirname(folder) === folder) break
    folder = dirname(folder)
  }
  return fromSettings(settings)
}

function inFolder(folder: string, { file, read }: Place): Place {
  return { file: prefixOf(folder) + file, read }
}

/** `git: {remote, commit}` in the metadata of the newest (wandb/sdk/internal/system/system_info.py). */
async function newestOfWandb(storage: ReadStorage, folder: string): Promise<Place[]> {
  const [listing] = await storage.list([folder])
  if (listing?.ok !== true) return []
  const runs = listing.value.map(({ name }) => name).filter((name) => /^(offline-)?run-/.test(name))
  const newest = runs.sort((a, b) => compareText(timeIn(b), timeIn(a)))[0]
  return newest === undefined ? [] : [{ file: `${folder}/${newest}/files/wandb-metadata.json`, read: commitOfWandb }]
}

function commitOfWandb(bytes: Uint8Array): string | null {
  try {
    const value: MetaValue = parseJson(bytes)
    const git = isMeta(value) ? value.get('git') : undefined
    const commit = git !== undefined && isMeta(git) ? git.get('commit') : undefined
    return typeof commit === 'string' ? commit : null
  } catch (error) {
    if (error instanceof CkptError) return null
    throw error
  }
}

async function firstOf(storage: ReadStorage, candidates: readonly Place[]): Promise<CodeVersion | null> {
  const texts = await storage.read(
    candidates.map(({ file }) => file),
    largest,
  )
  for (const [index, { file, read }] of candidates.entries()) {
    const bytes = texts[index]
    const commit = bytes?.ok === true ? read(bytes.value) : null
    if (commit !== null) return { commit, source: file }
  }
  return null
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
