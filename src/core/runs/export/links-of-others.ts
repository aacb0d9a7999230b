/** Refuses links that another user made: an export must not copy, with the exporter's permissions, files that user cannot read. */
import { dirname, join, sep } from 'node:path'
import { CkptError } from '../../errors.js'
import type { Identity, ReadStorage, Stat } from '../../storage/storage.js'

/**
 * Which file each of those is (absolute) that somebody else could put another one in the place of: the run or the name
 * is neither the user's nor root's. Throws CkptError `refused` where one lies outside of the run and that one could not
 * have read it: it belongs to somebody else, and is not for everybody.
 */
export async function ensureNoneIsLent(
  storage: ReadStorage,
  run: string,
  paths: readonly string[],
): Promise<ReadonlyMap<string, Identity>> {
  const seen = new Map<string, Identity>()
  const { user } = storage.custody
  if (user === null) return seen
  const [home, ...real] = await storage.resolve([run, ...paths])
  if (home?.ok !== true) return seen
  const owners = await storage.lstat([home.value, ...paths])
  const [ofRun, ...ofNames] = owners
  for (const [index, path] of paths.entries()) {
    const at = real[index]
    if (at?.ok !== true) continue
    const strangers = [ofRun, ofNames[index]].flatMap((one) =>
      one?.ok === true && one.value.owner !== user && one.value.owner !== 0 ? [one.value.owner] : [],
    )
    const [file] = strangers.length === 0 ? [] : await storage.lstat([at.value])
    if (file?.ok === true) seen.set(path, file.value)
    if (at.value.startsWith(join(home.value, sep))) continue
    for (const stranger of strangers) {
      if (!(await couldRead(storage, stranger, at.value))) throw lent(path, at.value)
    }
  }
  return seen
}

/** True where the file (its real path) is that user's own, or anybody can come to it and read it. */
async function couldRead(storage: ReadStorage, reader: number, path: string): Promise<boolean> {
  const above: string[] = []
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    above.push(folder)
    if (dirname(folder) === folder) break
  }
  const [file, ...folders] = await storage.lstat([path, ...above])
  if (file?.ok !== true) return false
  const isOpen = (stat: Stat, bit: number): boolean => stat.owner === reader || (stat.mode & bit) !== 0
  return isOpen(file.value, 0o4) && folders.every((folder) => folder.ok && isOpen(folder.value, 0o1))
}

function lent(path: string, real: string): CkptError {
  return new CkptError(
    'refused',
    `${path}: is a link out of another user's run, to ${real}, which not everybody may read`,
    {
      hint: 'copy the run, and put the file in the place of the link if it is meant',
    },
  )
}
