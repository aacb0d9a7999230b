/** Folders of a run that are its framework's own, such as the one into which it moves what it deletes: no run is in them. */
import { basename } from 'node:path'
import type { Folder } from './layout.js'
import { findLayout } from './registry.js'

/** A folder that lies in one with these entries. */
export interface FolderWithin {
  readonly folder: Folder
  readonly beside: Folder['entries']
}

/** `layouts` are those of the run that the folder lies in, each once; none where it lies in no run. */
export function holdsNoRun({ folder: { path, entries }, beside }: FolderWithin, layouts: readonly string[]): boolean {
  return layouts.some((id) => findLayout(id)?.holdsNoRun?.(basename(path), entries, beside) === true)
}
