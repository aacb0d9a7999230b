/** A token for a page that others on the network can reach: kept in a file that its owner alone can read. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { CkptError } from '../core/errors.js'
import { quoteWord } from '../core/formats/text/shell-words.js'

const shortest = 16
const longest = 512
const ofOthers = 0o077

/** Throws CkptError `refused` and `usage`. `path` is absolute. */
export function readTokenFile(path: string): string {
  const token = readText(path).trim()
  if (token.length < shortest || !/^[A-Za-z0-9_-]+$/.test(token)) {
    throw new CkptError('usage', `${path}: a token is ${shortest} to ${longest} letters, digits, - and _`, {
      hint: `(umask 077; head -c 24 /dev/urandom | base64 | tr '+/' '-_' > ${quoteWord(path)})`,
    })
  }
  return token
}

function readText(path: string): string {
  let fd: number | null = null
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw new CkptError('refused', `${path}: a token is read from a file`)
    if (stat.uid !== (process.geteuid?.() ?? stat.uid)) {
      throw new CkptError('refused', `${path}: it belongs to user ${stat.uid}, and so it is not a secret of yours`, {
        hint: 'name a file of your own',
      })
    }
    if ((stat.mode & ofOthers) !== 0) {
      throw new CkptError('refused', `${path}: others can read it, and so it is not a secret`, {
        hint: `chmod 600 ${quoteWord(path)}`,
      })
    }
    const buffer = Buffer.alloc(longest + 2)
    return buffer.toString('utf8', 0, readSync(fd, buffer))
  } catch (error) {
    if (error instanceof CkptError) throw error
    throw new CkptError('usage', `${path}: ${(error as Error).message}`, { cause: error })
  } finally {
    if (fd !== null) closeSync(fd)
  }
}
