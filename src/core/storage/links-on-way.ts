/** Whose links a path leads over: each of them has a say in what it leads to. */
import * as fs from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { storageErrorOf } from './storage-errors.js'

export interface LinksOnWay {
  /** Where it leads, with all links resolved. */
  readonly real: string
  /** Those whose links led there, by their numbers. */
  readonly owners: ReadonlySet<number>
  /** Whom that belongs to, or the nearest folder above where nothing is there yet. */
  readonly endsWith: number
  readonly isThere: boolean
}

/** As many links as the system follows (path_resolution(7)). */
const mostLinks = 40

/** `path` is absolute. Throws the system's errors, but for names at its end that are not there. */
export function followLinks(path: string): LinksOnWay {
  const owners = new Set<number>()
  const waiting = partsOf(path).reverse()
  let real = '/'
  let endsWith = fs.lstatSync(real).uid
  for (let links = 0, name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (name === '..') {
      real = dirname(real)
      endsWith = fs.lstatSync(real).uid
      continue
    }
    const at = join(real, name)
    const stats = fs.lstatSync(at, { throwIfNoEntry: false })
    if (stats === undefined) return { real: join(at, ...waiting.reverse()), owners, endsWith, isThere: false }
    if (!stats.isSymbolicLink()) {
      real = at
      endsWith = stats.uid
      continue
    }
    if ((links += 1) > mostLinks) throw storageErrorOf(path, 'ELOOP')
    owners.add(stats.uid)
    const target = fs.readlinkSync(at)
    if (isAbsolute(target)) real = '/'
    waiting.push(...partsOf(target).reverse())
  }
  return { real, owners, endsWith, isThere: true }
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}
