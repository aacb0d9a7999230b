/** Runs the hooks of `ckpt.yaml` that save, copy or check files in place of ckpt itself. */
import { basename, join } from 'node:path'
import { wait } from '../machine/clock.js'
import { healthFrom, type Checkpoint, type Finding } from '../core/checkpoint.js'
import { removeTree } from '../core/changes/disposal/index.js'
import { CkptError } from '../core/errors.js'
import { chooseHook, produce, runHook, type ChosenHook, type Hook, type Values } from '../core/jobs/hooks/index.js'
import { uniteFindings } from '../core/checkpoints/layouts/index.js'
import { ensureCanPublish, publishFile, temporaryPath, type WrittenOutput } from '../core/tensors/write/index.js'
import type { Verified } from '../core/runs/index.js'
import { fileNameOf, type FileToSave, type Through } from '../core/changes/saving/index.js'
import type { Storage } from '../core/storage/storage.js'
import { runHookProcess } from '../machine/run-hook.js'
import { hookOf, type HookedFile } from './settings/hooks.js'

/** Files that are saved through a hook: chosen by the key and the name that the file gets in the checkpoint. */
export function throughHooks(
  files: ReadonlyMap<string, FileToSave>,
  hooks: readonly Hook[],
  storage: Storage,
): Map<string, FileToSave> {
  return new Map(
    [...files].map(([key, source]) => {
      const chosen = chooseHook(hooks, { key, name: fileNameOf(key) }, 'save')
      if (chosen === null || source.kind === 'written') return [key, source]
      const through: Through = (given, target, signal) =>
        produce(storage, runHookProcess, chosen, { source: given, target, key }, signal)
      return [key, { ...source, through }]
    }),
  )
}

/**
 * Files of a checkpoint that are placed in another run through a hook: that for transferring, else that for loading,
 * so that the job there finds what was saved. Others are placed as they are.
 */
export function placingHooks(storage: Storage, hooks: readonly Hook[], checkpoint: Checkpoint, signal: AbortSignal) {
  return (source: string): ((target: string) => Promise<void>) | null => {
    const file = checkpoint.files.find(({ path }) => basename(path) === basename(source))
    if (file === undefined) return null
    const subject = { path: file.path, checkpoint }
    const hook = hookOf(hooks, subject, 'transfer') ?? hookOf(hooks, subject, 'load')
    if (hook === null) return null
    return (target) =>
      produce(storage, runHookProcess, hook.chosen, { ...hook.values, source, template: source, target }, signal)
  }
}

/** A transfer that a hook does in place of matching tensors by name. */
export interface TransferHook {
  readonly chosen: ChosenHook
  readonly values: Values
  /** Absolute, as is the other. */
  readonly source: string
  /** The file whose structure is to be kept. */
  readonly template: string
}

/** Null where there is none for the source: by its key, else by its name. */
export function transferHook(hooks: readonly Hook[], from: HookedFile, template: string): TransferHook | null {
  const hook = hookOf(hooks, from, 'transfer')
  return hook === null ? null : { ...hook, source: from.path, template }
}

/**
 * Makes the file `output` (absolute) in a folder beside it, under its own last name, and gives it its place in one step.
 * Throws as `produce`, and CkptError `refused` when something is there and `force` is not given, or no file was made;
 * then nothing is left.
 */
export async function publishHooked(
  storage: Storage,
  { chosen, values, template }: TransferHook,
  output: string,
  { force, signal }: { readonly force: boolean; readonly signal: AbortSignal },
): Promise<WrittenOutput> {
  await ensureCanPublish(storage, output, force)
  const workshop = temporaryPath(output)
  const draft = join(workshop, basename(output))
  try {
    await storage.makeDirectory(workshop)
    await produce(storage, runHookProcess, chosen, { ...values, template, target: draft }, signal)
    const [made] = await storage.lstat([draft])
    if (made?.ok !== true) throw made?.error ?? new CkptError('system', `${draft} is gone`)
    const { kind, size } = made.value
    if (kind !== 'file') throw new CkptError('refused', `${output}: the hook made a ${kind} of it, and no file`)
    await publishFile(storage, draft, output, force)
    return { path: output, files: [output], bytes: size }
  } finally {
    await removeTree(storage, workshop, wait)
  }
}

/** Runs the verify hooks of all files: one that fails is a finding. Throws CkptError `interrupted`. */
export async function withVerifyHooks(
  hooks: readonly Hook[],
  verified: Verified,
  signal: AbortSignal,
): Promise<Verified> {
  if (hooks.length === 0) return verified
  const checkpoints: Checkpoint[] = []
  for (const checkpoint of verified.checkpoints) {
    const found: Finding[] = []
    for (const { path } of checkpoint.files) found.push(...(await findingsOf(hooks, checkpoint, path, signal)))
    const { level, findings } = checkpoint.health
    const health = found.length === 0 ? checkpoint.health : healthFrom(level, uniteFindings(findings, found))
    checkpoints.push({ ...checkpoint, health })
  }
  return { ...verified, checkpoints }
}

async function findingsOf(
  hooks: readonly Hook[],
  checkpoint: Checkpoint,
  path: string,
  signal: AbortSignal,
): Promise<Finding[]> {
  const hook = hookOf(hooks, { path, checkpoint }, 'verify')
  if (hook === null) return []
  try {
    await runHook(runHookProcess, hook.chosen, hook.values, signal)
    return []
  } catch (error) {
    if (!(error instanceof CkptError) || error.code !== 'hook-failed') throw error
    return [{ grade: 'corrupt', file: basename(path), reason: error.message.replaceAll(/\s*\n\s*/g, ' | ') }]
  }
}
