/** The hooks that the files of settings hold, and files that are read through one. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Checkpoint } from '../../core/checkpoint.js'
import type { ParsedConfig } from './settings-file.js'
import {
  chooseHook,
  parseHooks,
  produce,
  type ChosenHook,
  type Hook,
  type Step,
  type Values,
} from '../../core/jobs/hooks/index.js'
import type { ReadHandle, Storage } from '../../core/storage/storage.js'
import { runHookProcess } from '../../machine/run-hook.js'

/** A file that something is to be done with. */
export interface HookedFile {
  /** Absolute. */
  readonly path: string
  /** Null for a file that is in no checkpoint. */
  readonly checkpoint: Checkpoint | null
}

/** Those of nearer files stand before those of farther ones. Throws ConfigError. */
export function hooksIn(files: readonly ParsedConfig[]): Hook[] {
  return files.flatMap(({ yaml, hooks, folder }) => parseHooks(yaml, hooks, folder))
}

/** The hook for this file, and what is known of it. */
export function hookOf(
  hooks: readonly Hook[],
  { path, checkpoint }: HookedFile,
  step: Step,
): { readonly chosen: ChosenHook; readonly values: Values & { readonly source: string } } | null {
  const key = checkpoint?.files.find((file) => file.path === path)?.key ?? null
  const chosen = chooseHook(hooks, { key, name: basename(path) }, step)
  if (chosen === null) return null
  const known = checkpoint === null ? {} : { path: checkpoint.path, name: checkpoint.name }
  return { chosen, values: { source: path, ...(key === null ? {} : { key }), ...known } }
}

export interface Loaded {
  /** Opens what load hooks made in place of their files, under the files' own names. */
  readonly storage: Storage
  /** Removes what they made. */
  readonly close: () => void
}

/**
 * Runs the load hooks of these files; null where none has one. What they make lies in the system's folder for
 * temporary files. Throws as `produce` does, and then nothing is left.
 */
export async function loadThrough(
  storage: Storage,
  hooks: readonly Hook[],
  files: readonly HookedFile[],
  signal: AbortSignal,
): Promise<Loaded | null> {
  const hooked = files.flatMap((file) => hookOf(hooks, file, 'load') ?? [])
  if (hooked.length === 0) return null
  const folder = mkdtempSync(join(tmpdir(), 'ckpt-load-'))
  const close = () => rmSync(folder, { recursive: true, force: true })
  const made = new Map<string, string>()
  try {
    for (const { chosen, values } of hooked) {
      const target = join(folder, `${made.size}-${basename(values.source)}`)
      await produce(storage, runHookProcess, chosen, { ...values, target }, signal)
      made.set(values.source, target)
    }
  } catch (error) {
    close()
    throw error
  }
  const open = async (path: string): Promise<ReadHandle> => {
    const handle = await storage.open(made.get(path) ?? path)
    return Object.defineProperty(handle, 'path', { value: path })
  }
  return { storage: { ...storage, open }, close }
}
