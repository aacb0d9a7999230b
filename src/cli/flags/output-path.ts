/** The path of an output when only its folder was given. */
import { basename, extname, join, resolve } from 'node:path'
import { outputName } from '../../core/tensors/convert/index.js'
import type { TensorFile } from '../../core/tensors/read/index.js'
import type { ReadStorage } from '../../core/storage/storage.js'
import { formatFor, formatOfName, type OutputFormat } from '../../core/tensors/write/index.js'

/** One that is there, or that is written as one. */
export async function isFolderOutput(storage: ReadStorage, output: string): Promise<boolean> {
  const [there] = await storage.stat([resolve(output)])
  return there?.ok === true ? there.value.kind === 'directory' : /[/\\]$/.test(output)
}

/**
 * The absolute path of an output that takes after `model`: in a folder it has the model's name, or what `ckpt convert`
 * would give it there where the format is another one.
 */
export async function outputLike(
  storage: ReadStorage,
  output: string,
  model: TensorFile,
  format: OutputFormat | undefined,
): Promise<string> {
  const path = resolve(output)
  if (!(await isFolderOutput(storage, output))) return path
  const own = basename(model.path).replace(/\.index\.json$/, '')
  const wanted = format ?? formatFor(own, model)
  const saysFormat = formatOfName(own) === wanted || (wanted === 'torch' && extname(own) !== '')
  if (formatFor(own, model) === wanted && saysFormat) return join(path, own)
  const [config] = await storage.stat([join(path, 'config.json')])
  return join(path, outputName(model.path, wanted, config?.ok === true))
}
