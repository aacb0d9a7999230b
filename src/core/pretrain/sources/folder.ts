/** A folder of files: `{folder: pretrained/asr}`. */
import { basename, join, resolve } from 'node:path'
import { CkptError } from '../../errors.js'
import { didYouMean } from '../../choosing/expression/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import type { LocalFile, Source, SourceKind } from './source.js'

export const folderKind: SourceKind = {
  name: 'folder',
  options: [],
  read: async (fields, base) => folderSource(resolve(base, fields.get('folder')?.text ?? '')),
}

/** `folder` is absolute. A key's file has the name that SpeechBrain's Pretrainer gives it: `KEY.ckpt`. */
export function folderSource(folder: string): Source {
  return {
    kind: 'folder',
    text: folder,
    identify: () => null,
    nameOf: ({ key, file }) => basename(file ?? `${key}.ckpt`),
    beside: () => null,
    locate: ({ key, file }, { storage }) => fileAt(storage, folder, file ?? `${key}.ckpt`),
  }
}

async function fileAt(storage: ReadStorage, folder: string, name: string): Promise<LocalFile> {
  const path = join(folder, name)
  const [stat] = await storage.stat([path])
  if (stat?.ok === true && stat.value.kind !== 'directory') {
    return { kind: 'local', path, size: stat.value.size, checkpoint: null }
  }
  if (stat?.ok === true) throw new CkptError('not-found', `${path}: a folder, where a file is wanted`)
  if (stat !== undefined && stat.error.code !== 'not-found') throw stat.error
  throw new CkptError('not-found', `${path}: there is no such file`, await hintFor(storage, folder, name))
}

async function hintFor(storage: ReadStorage, folder: string, name: string): Promise<{ hint?: string }> {
  const [listing] = await storage.list([folder])
  if (listing?.ok !== true) return { hint: `there is no folder ${folder}` }
  const hint = didYouMean(
    name,
    listing.value.map((entry) => entry.name).filter((one) => !one.startsWith('.')),
  )
  return hint === undefined ? {} : { hint }
}
