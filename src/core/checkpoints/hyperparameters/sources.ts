/** Where programs write down what a run was started with, and how each file is read. */
import { isMeta, type Meta, type MetaValue } from '../../checkpoint.js'
import { parseJson } from '../../formats/text/json.js'
import { plainValue } from '../../formats/yaml/plain-value.js'

export interface FileKind {
  /** Relative to a folder in or above the run. */
  readonly name: RegExp
  /** The folder right in that one that it lies in; absent: none. */
  readonly inside?: string
  /** How many folders above the run it may lie: names that any program may use are believed close by only. */
  readonly above: number
  readonly read: (bytes: Uint8Array) => MetaValue | Promise<MetaValue>
}

/** Checkpoints of Lightning lie in `<log>/version_0/checkpoints`, and Hydra's job has all that in its folder. */
const farAbove = 4
/** `save/`, `checkpoints/`, `weights/` within the folder of the experiment. */
const closeAbove = 1

/** Hydra's own record of what was typed, one override a line: words of the command. */
export const hydraOverrides: FileKind = {
  inside: '.hydra',
  name: /^overrides\.yaml$/,
  above: farAbove,
  read: async (bytes) => overrides(await readYaml(bytes)),
}

/** In one folder the first that has a name decides. */
export const fileKinds: readonly FileKind[] = [
  // speechbrain/core.py, create_experiment_directory.
  { name: /^hyperparams\.ya?ml$/, above: farAbove, read: readYaml },
  // lightning/pytorch/core/saving.py; TensorBoardLogger's and CSVLogger's.
  { name: /^hparams\.ya?ml$/, above: farAbove, read: readYaml },
  { name: /^hparams\.json$/, above: farAbove, read: parseJson },
  // hydra/_internal/utils and hydra/core/utils.py, `hydra.output_subdir`: the composed settings, and what was typed.
  { inside: '.hydra', name: /^config\.yaml$/, above: farAbove, read: readYaml },
  hydraOverrides,
  {
    name: /^(args|arguments|config|train_config|training_config|params|hyperparameters|hyper_params|train|train_args|training_args|flags|opts?|options|cfg|settings)\.ya?ml$/,
    above: closeAbove,
    read: readWandb,
  },
  {
    name: /^(args|arguments|config|train_config|training_config|params|hyperparameters|hyper_params|train_args|training_args|flags|opts?|options|cfg|settings)\.json$/,
    above: closeAbove,
    read: parseJson,
  },
]

/** `lr=0.3`, `+model.depth=4`, `~callbacks`: Hydra's grammar of overrides (hydra/grammar). */
function overrides(list: MetaValue): MetaValue {
  if (!Array.isArray(list)) return null
  const found = new Map<string, MetaValue>()
  for (const line of list as readonly MetaValue[]) {
    const match = typeof line === 'string' ? /^\+{0,2}([^=~+][^=]*)=(.*)$/s.exec(line) : null
    if (match !== null) found.set(match[1] ?? '', plainValue(match[2] ?? ''))
  }
  return found
}

/** The parser is loaded where there is such a file. */
export async function readYaml(bytes: Uint8Array): Promise<MetaValue> {
  return (await import('../../formats/yaml/tagged-yaml.js')).parseTaggedYaml(bytes)
}

/** YAML that W&B may have written. */
export async function readWandb(bytes: Uint8Array): Promise<MetaValue> {
  return withoutWandb(await readYaml(bytes))
}

/** Each value stands in a mapping with its description (wandb/sdk/internal/sender_config.py). */
function withoutWandb(value: MetaValue): MetaValue {
  if (!isMeta(value) || !isOfWandb(value)) return value
  const found = new Map<string, MetaValue>()
  for (const [key, one] of value) {
    if (key === '_wandb' || key === 'wandb_version') continue
    const inner = isMeta(one) ? one.get('value') : undefined
    found.set(key, inner === undefined ? one : inner)
  }
  return found
}

/** By its own entries, which a copy may lack: then by the form of all others. */
function isOfWandb(value: Meta): boolean {
  if (value.has('wandb_version') || value.has('_wandb')) return true
  const isDescribed = (one: MetaValue) => isMeta(one) && one.size === 2 && one.has('desc') && one.has('value')
  return value.size > 0 && [...value.values()].every(isDescribed)
}

/** One value a file (mlflow/store/tracking/file_store.py). */
export function readMlflowParameter(bytes: Uint8Array): MetaValue {
  return plainValue(new TextDecoder().decode(bytes).trimEnd())
}
