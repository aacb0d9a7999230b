/** What a run is called by the program that it was started by, where that has written it down. */
import { isMeta, type MetaValue, type Run } from '../../checkpoint.js'
import type { ReadStorage } from '../../storage/storage.js'
import { mlflowRunIn } from './mlflow.js'
import { firstFound, foldersUp, readable, type FileToAsk } from './nearest.js'
import { readYaml } from './sources.js'
import { wandbLogIn, wandbRunAt } from './wandb.js'

/** Bytes: a few lines, or all of Hydra's own settings. */
const largest = 1 << 20
/** A name is shown in a row. */
const longest = 256

/** In one folder the first that tells one decides. */
const filesToAsk: readonly FileToAsk[] = [
  // mlflow/store/tracking/file_store.py; before MLflow 2 a tag had it (mlflow/utils/mlflow_tags.py, MLFLOW_RUN_NAME).
  { file: 'meta.yaml', read: async (bytes) => fitting(nameInMlflow(await readYaml(bytes))) },
  { file: 'tags/mlflow.runName', read: (bytes) => fitting(new TextDecoder().decode(bytes)) },
  // hydra/conf/__init__.py, JobConf: what was typed, as one word, and the program's name.
  { file: '.hydra/hydra.yaml', read: async (bytes) => fitting(nameInHydra(await readYaml(bytes))) },
]

/** The nearest one; null where nothing tells it. Never throws for a file that cannot be read. */
export async function readRunName(storage: ReadStorage, { path }: Run): Promise<string | null> {
  for (const [above, folder] of foldersUp(path).entries()) {
    const found = await firstFound(storage, folder, filesToAsk, largest)
    if (found !== null) return found.text
    const mlflow = await mlflowRunIn(storage, { folder, run: path, above })
    const beside = mlflow === null ? null : await firstFound(storage, mlflow, filesToAsk, largest)
    if (beside !== null) return beside.text
    const name = above <= 1 ? await readable(async () => nameInWandb(storage, folder)) : null
    if (name !== null) return name
  }
  return null
}

async function nameInWandb(storage: ReadStorage, folder: string): Promise<string | null> {
  const run = await wandbRunAt(storage, folder)
  return run === null ? null : fitting((await wandbLogIn(storage, run))?.name ?? null)
}

function fitting(name: string | null): string | null {
  const text = name?.trim() ?? ''
  return text !== '' && text.length <= longest ? text : null
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
