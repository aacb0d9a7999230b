/** Turns `--file` and `--meta` into the files and meta that core saves. */
import { resolve } from 'node:path'
import { CkptError } from '../../core/errors.js'
import type { PyValue } from '../../core/formats/pyyaml/index.js'
import { parseMetaValue, type FileToSave } from '../../core/changes/saving/index.js'

/** What stands for standard input. */
const standardInput = '-'

/** Paths become absolute. Throws CkptError `usage`. */
export function readFiles(flags: readonly string[], input: AsyncIterable<Uint8Array>): Map<string, FileToSave> {
  const files = new Map<string, FileToSave>()
  let reader: string | undefined
  for (const [key, path] of flags.map((flag) => split(flag, 'file', 'PATH'))) {
    if (files.has(key)) throw new CkptError('usage', `--file ${key}=… was given twice`)
    if (path === '') throw new CkptError('usage', `--file ${key}= names no file`, { hint: `--file ${key}=PATH` })
    if (path === standardInput && reader !== undefined) {
      throw new CkptError('usage', `standard input cannot be read twice, for ${reader} and for ${key}`)
    }
    if (path === standardInput) reader = key
    const title = `${key}: standard input`
    files.set(
      key,
      path === standardInput ? { kind: 'bytes', bytes: input, title } : { kind: 'path', path: resolve(path) },
    )
  }
  if (files.size > 0) return files
  throw new CkptError('usage', 'there is nothing to save', { hint: 'name what to save: --file model=out/model.pt' })
}

/** Throws CkptError `usage`. */
export async function readMeta(flags: readonly string[]): Promise<Map<string, PyValue>> {
  const meta = new Map<string, PyValue>()
  for (const [key, text] of flags.map((flag) => split(flag, 'meta', 'VALUE'))) {
    if (meta.has(key)) throw new CkptError('usage', `--meta ${key}=… was given twice`)
    meta.set(key, await parseMetaValue(text))
  }
  return meta
}

const usual: Readonly<Record<string, string>> = { file: 'model=out/model.pt', meta: 'loss=0.25' }

function split(flag: string, name: string, what: string): [key: string, value: string] {
  const at = flag.indexOf('=')
  if (at > 0) return [flag.slice(0, at), flag.slice(at + 1)]
  const example = usual[name]
  const hint = example === undefined ? {} : { hint: `--${name} ${example}` }
  throw new CkptError('usage', `--${name} takes KEY=${what}, not ${JSON.stringify(flag)}`, hint)
}
