/** What a text means, as SpeechBrain's Pretrainer takes it: a folder that is there, an address, else a repository. */
import { resolve } from 'node:path'
import { CkptError } from '../../errors.js'
import type { ReadStorage } from '../../storage/storage.js'
import { folderSource } from './folder.js'
import { hubSource, parseRepository } from './hub.js'
import type { Source } from './source.js'
import { splitUrl, webSource } from './web.js'

/** A text that begins so is the path of a folder, whether it is there or not. */
const pathStart = /^(?:\/|\.{1,2}(?:\/|$))/

/** `base` is what relative paths are relative to. Throws CkptError `usage`. */
export async function guessSource(storage: ReadStorage, text: string, base: string): Promise<Source> {
  if (isAddress(text)) return webSource(text)
  const folder = resolve(base, text)
  const [stat] = await storage.stat([folder])
  if (pathStart.test(text) || (stat?.ok === true && stat.value.kind === 'directory')) return folderSource(folder)
  const repository = parseRepository(text)
  if (repository !== null) return hubSource(repository, folder)
  throw new CkptError(
    'usage',
    `${JSON.stringify(text)}: there is no folder ${folder}, and no repository has such a name`,
  )
}

/**
 * A path is a source, a slash and the name of a file in it; a name alone is that of a file in the base folder (both as
 * SpeechBrain's `split_path`, utils/parameter_transfer.py).
 */
export function splitPath(text: string): { readonly source: string; readonly file: string } {
  if (isAddress(text)) {
    const { base, file } = splitUrl(text)
    return { source: base, file }
  }
  const slash = text.lastIndexOf('/')
  return { source: slash === -1 ? './' : text.slice(0, slash) || '/', file: text.slice(slash + 1) }
}

function isAddress(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
}
