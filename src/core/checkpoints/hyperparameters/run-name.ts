/** What a run is called by the program that it was started by, where that has written it down. */
import { dirname } from 'node:path'
import { isMeta, type MetaValue, type Run } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { prefixOf } from '../layouts/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { readYaml } from './sources.js'

/** Bytes: a few lines, or all of Hydra's own settings. */
const largest = 1 << 20
/** Folders above the run that are looked into, as for hyper-parameters. */
const highest = 4
/** A name is shown in a row. */
const longest = 256

interface Place {
  readonly file: string
  readonly read: (bytes: Uint8Array) => string | null | Promise<string | null>
}

/** In one folder the first that tells one decides. */
const places: readonly Place[] = [
  // mlflow/store/tracking/file_store.py; before MLflow 2 a tag had it (mlflow/utils/mlflow_tags.py, MLFLOW_RUN_NAME).
  { file: 'meta.yaml', read: async (bytes) => nameInMlflow(await readYaml(bytes)) },
  { file: 'tags/mlflow.runName', read: (bytes) => new TextDecoder().decode(bytes) },
  // hydra/conf/__init__.py, JobConf: what was typed, as one word, and the program's name.
  { file: '.hydra/hydra.yaml', read: async (bytes) => nameInHydra(await readYaml(bytes)) },
]

/** The nearest one; null where nothing tells it. Never throws for a file that cannot be read. */
export async function readRunName(storage: ReadStorage, { path }: Run): Promise<string | null> {
  let folder = path
  for (let above = 0; above <= highest; above += 1) {
    const name = await nameFrom(storage, folder)
    if (name !== null) return name
    if (dirname(folder) === folder) break
    folder = dirname(folder)
  }
  return null
}

async function nameFrom(storage: ReadStorage, folder: string): Promise<string | null> {
  const files = places.map(({ file }) => prefixOf(folder) + file)
  const contents = await storage.read(files, largest)
  for (const [index, { read }] of places.entries()) {
    const bytes = contents[index]
    const text = bytes?.ok === true ? await readable(() => read(bytes.value)) : null
    const name = text?.trim() ?? ''
    if (name !== '' && name.length <= longest) return name
  }
  return null
}

async function readable(read: () => string | null | Promise<string | null>): Promise<string | null> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof CkptError) return null
    throw error
  }
}

/** Of a run: the folder of an experiment has such a file too, with a name of its own. */
function nameInMlflow(value: MetaValue): string | null {
  if (!isMeta(value) || !(value.has('run_id') || value.has('run_uuid'))) return null
  return textAt(value, 'run_name')
}

function nameInHydra(value: MetaValue): string | null {
  const job = mappingAt(mappingAt(value, 'hydra'), 'job')
  return textAt(job, 'override_dirname') ?? textAt(job, 'name')
}

function mappingAt(value: MetaValue, key: string): MetaValue {
  return isMeta(value) ? (value.get(key) ?? null) : null
}

function textAt(value: MetaValue, key: string): string | null {
  const text = mappingAt(value, key)
  return typeof text === 'string' && text.trim() !== '' ? text : null
}
