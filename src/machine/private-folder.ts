/** Folders into which nobody but the user can put anything. bin/run.js does the same for compiled code. */
import { lstatSync, mkdirSync, readlinkSync, type Stats } from 'node:fs'
import { dirname, join, parse, sep } from 'node:path'

const user = process.geteuid?.()
const othersMayWrite = 0o022
const sticky = 0o1000
/** As many links as the system follows (path_resolution(7)). */
const mostLinks = 40

/** True for a real folder (absolute) of the user's alone, in whose place nobody else can put another. */
export function isPrivateFolder(folder: string): boolean {
  if (user === undefined) return true
  try {
    return isFixed(folder) && isOwnFolder(lstatSync(folder))
  } catch {
    return false
  }
}

/**
 * Makes what is missing of it, each level by itself, for Node never comes back from making several in /proc, where some
 * services have their home; and only in folders of the user's or root's, so that the superuser leaves nothing in
 * somebody's home. False where it is none then.
 */
export function makePrivateFolder(folder: string): boolean {
  try {
    makeAbove(folder)
  } catch {
    return false
  }
  return isPrivateFolder(folder)
}

function makeAbove(folder: string): void {
  if (lstatSync(folder, { throwIfNoEntry: false }) !== undefined) return
  const parent = dirname(folder)
  makeAbove(parent)
  if (user === undefined || isFixed(parent)) mkdirSync(folder, { mode: 0o700 })
}

function isOwnFolder(stats: Stats): boolean {
  return stats.isDirectory() && stats.uid === user && (stats.mode & othersMayWrite) === 0
}

/**
 * Each folder and link on the way there belongs to the user or to root, and others may write in these folders only
 * where they cannot rename what is not theirs.
 */
function isFixed(folder: string): boolean {
  const left = folder.split(sep)
  let at = parse(folder).root
  for (let links = 0; left.length > 0 && links < mostLinks;) {
    const next = join(at, left.shift() ?? '')
    const stats = lstatSync(next)
    if (stats.uid !== user && stats.uid !== 0) return false
    if (stats.isSymbolicLink()) {
      links += 1
      left.unshift(...readlinkSync(next).split(sep))
      if (left[0] === '') at = parse(folder).root
    } else if ((stats.mode & othersMayWrite) !== 0 && (stats.mode & sticky) === 0) return false
    else at = next
  }
  return left.length === 0
}
