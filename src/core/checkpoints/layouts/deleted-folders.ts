/** Folders of a run into which its framework moves what it deletes: what lies there is nobody's run. */
import { basename } from 'node:path'
import type { Folder } from './layout.js'
import { findLayout } from './registry.js'

/** `layouts` are those of the run that the folder lies in, each once; none where it lies in no run. */
export function isForDeleted({ path, entries }: Folder, layouts: readonly string[]): boolean {
  return layouts.some((id) => findLayout(id)?.isForDeleted?.(basename(path), entries) === true)
}
