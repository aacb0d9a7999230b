/** Which file of a checkpoint holds its facts, and which are its parameter files. */
import { sep } from 'node:path'
import type { ParamFile, Role } from '../../../checkpoint.js'
import { isUnreadable, type StorageError } from '../../../errors.js'
import type { DirectoryEntry, ReadStorage } from '../../../storage/storage.js'
import { compareText } from '../folders.js'
import type { LightningCandidate } from './candidates.js'

export interface SavedContents {
  /** Absolute path of the file with the facts; null for a folder of another kind. */
  readonly facts: string | null
  /** What its absence means, where all else is there; null when it is there. */
  readonly unfinished: string | null
  readonly files: readonly ParamFile[]
  /** Why its folder could not be listed. */
  readonly refused?: StorageError
}

/**
 * A file is all of it. A folder is what strategies that share out a model save: FSDP and ModelParallel
 * (lightning/fabric/strategies/fsdp.py: `.metadata`, `*.distcp`, and last `meta.pt`), or DeepSpeed (`checkpoint/`).
 */
export async function contentsOf(storage: ReadStorage, { path, kind }: LightningCandidate): Promise<SavedContents> {
  if (kind !== 'directory')
    return { facts: path, unfinished: null, files: [{ key: 'model', path, size: null, role: 'all' }] }
  const entries = await namesIn(storage, path)
  if ('refused' in entries) return refusedFolder(entries.refused)
  const has = (name: string) => entries.some((entry) => entry.name === name)
  if (has('checkpoint') && (has('latest') || has('zero_to_fp32.py')))
    return deepSpeed(storage, path + sep + 'checkpoint')
  const files = paramFiles(path, entries)
  if (has('meta.pt')) return { facts: `${path}${sep}meta.pt`, unfinished: null, files }
  const isSharded = has('.metadata') || entries.some(({ name }) => name.endsWith('.distcp'))
  return { facts: null, unfinished: isSharded ? 'meta.pt' : null, files }
}

async function deepSpeed(storage: ReadStorage, folder: string): Promise<SavedContents> {
  const entries = await namesIn(storage, folder)
  if ('refused' in entries) return refusedFolder(entries.refused)
  const first = entries.map(({ name }) => name).filter((name) => /(^|_)mp_rank_00_model_states\.pt$/.test(name))
  const [name] = first.sort(compareText)
  const files = paramFiles(folder, entries)
  return name === undefined
    ? { facts: null, unfinished: 'checkpoint/mp_rank_00_model_states.pt', files }
    : { facts: folder + sep + name, unfinished: null, files }
}

function refusedFolder(refused: StorageError): SavedContents {
  return { facts: null, unfinished: null, files: [], refused }
}

async function namesIn(
  storage: ReadStorage,
  folder: string,
): Promise<readonly DirectoryEntry[] | { readonly refused: StorageError }> {
  const [listing] = await storage.list([folder])
  if (listing?.ok === false && isUnreadable(listing.error.errno)) return { refused: listing.error }
  return listing?.ok === true ? listing.value : []
}

/**
 * Shards of torch.distributed.checkpoint hold the model and the optimizer; of DeepSpeed's files those of the optimizer
 * hold the precise weights too.
 */
export function roleOf({ name, kind }: Pick<DirectoryEntry, 'name' | 'kind'>): Role {
  if (kind === 'directory') return name === 'checkpoint' ? 'all' : 'other'
  if (name.endsWith('.distcp') || name.endsWith('_optim_states.pt')) return 'all'
  if (name.endsWith('_model_states.pt')) return 'weights'
  if (name === 'meta.pt' || name === '.metadata') return name === 'meta.pt' ? 'loop' : 'index'
  return 'other'
}

const paramSuffix = /\.(distcp|pt)$/

function paramFiles(folder: string, entries: readonly DirectoryEntry[]): ParamFile[] {
  return entries
    .filter(({ name, kind }) => kind !== 'directory' && paramSuffix.test(name))
    .map((entry) => ({
      key: entry.name.replace(paramSuffix, ''),
      path: folder + sep + entry.name,
      size: null,
      role: roleOf(entry),
      // How many there are depends on how many processes shared the model.
      optional: true,
    }))
    .sort((a, b) => compareText(a.key, b.key))
}
