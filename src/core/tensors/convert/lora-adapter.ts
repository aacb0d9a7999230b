/** An adapter as PEFT saves it: a folder of `adapter_config.json` and its tensors, or these beside their config. */
import { dirname, join } from 'node:path'
import { CkptError, FormatError } from '../../errors.js'
import { isJsonObject, parseJson, type JsonObject } from '../../formats/text/json.js'
import { sourceOf, withFile } from '../../storage/file-source.js'
import type { ReadStorage } from '../../storage/storage.js'
import { ensureSafe, openTensors, type TensorFile } from '../read/index.js'

export interface LoraAdapter {
  /** Close it. */
  readonly file: TensorFile
  readonly config: JsonObject
}

const configName = 'adapter_config.json'
const fileNames = ['adapter_model.safetensors', 'adapter_model.bin']
const largestConfig = 1 << 20

/** `path` is absolute, a folder or the file of tensors in it. Throws CkptError, as `openTensors` does too. */
export async function openLoraAdapter(storage: ReadStorage, path: string): Promise<LoraAdapter> {
  const [stat] = await storage.stat([path])
  if (stat?.ok === false) throw stat.error
  const isFolder = stat?.ok === true && stat.value.kind === 'directory'
  const folder = isFolder ? path : dirname(path)
  const config = await readConfig(storage, join(folder, configName))
  const file = await openTensors(storage, isFolder ? await fileIn(storage, folder) : path)
  try {
    ensureSafe(file)
    return { file, config }
  } catch (error) {
    await file.close()
    throw error
  }
}

async function fileIn(storage: ReadStorage, folder: string): Promise<string> {
  const paths = fileNames.map((name) => join(folder, name))
  const found = await storage.stat(paths)
  const there = paths.find((_, index) => found[index]?.ok === true)
  if (there !== undefined) return there
  throw new CkptError('not-found', `${folder}: no adapter of PEFT: neither ${fileNames.join(' nor ')} is there`)
}

async function readConfig(storage: ReadStorage, path: string): Promise<JsonObject> {
  const [stat] = await storage.stat([path])
  if (stat?.ok !== true) {
    throw new CkptError('not-found', `${path}: is not there, and tells how an adapter of PEFT is scaled`, {
      hint: 'name the folder that save_pretrained of peft wrote: --merge-lora FOLDER',
    })
  }
  const json = await withFile(storage, path, async (handle) => {
    if (handle.size > largestConfig)
      throw new FormatError(`${path}: ${handle.size} bytes, and ${largestConfig} at most are read`)
    return parseJson(await sourceOf(handle).read(0, handle.size))
  })
  if (isJsonObject(json)) return json
  throw new FormatError(`${path}: is not a JSON object`)
}
