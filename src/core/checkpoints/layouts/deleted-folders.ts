/** Folders of a run into which its framework moves what it deletes: what lies there is nobody's run. */
import { basename } from 'node:path'
import type { Checkpoint } from '../../checkpoint.js'
import type { Folder } from './layout.js'
import { findLayout } from './registry.js'

/** `checkpoints` are those of the run that the folder lies in; none where it lies in no run. */
export function isForDeleted({ path, entries }: Folder, checkpoints: readonly Checkpoint[]): boolean {
  const layouts = new Set(checkpoints.map(({ layout }) => layout))
  return [...layouts].some((id) => findLayout(id)?.isForDeleted?.(basename(path), entries) === true)
}
