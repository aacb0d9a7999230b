/**
 * Which files a loader of a model looks for, by their names (transformers: utils/__init__.py, `WEIGHTS_NAME` and those
 * beside it, tokenization_utils_base.py, processing_utils.py; diffusers: utils/constants.py; peft: utils/constants.py;
 * sentence_transformers: `modules.json` and a folder for each module).
 */
import { basename, extname } from 'node:path'

/** Weights under the names of Hugging Face's libraries. */
export interface HubWeights {
  /** What `from_pretrained` looks for, without its extension: `model`, `adapter_model`, accelerate's `model_1`. */
  readonly stem: string
  /** `fp16` of `model.fp16.safetensors`; empty for the usual. */
  readonly variant: string
  /** The order in which loaders look. */
  readonly rank: number
  readonly isSafetensors: boolean
  readonly isIndex: boolean
}

const hubName =
  /^(?<stem>adapter_model|model|pytorch_model|diffusion_pytorch_model|pytorch_lora_weights|open_clip_model)(?:_fsdp)?(?<number>_\d+)?(?:\.(?<variant>[\w-]+))?\.(?<kind>safetensors|bin)(?<index>\.index(?:\.(?<late>[\w-]+))?\.json)?$/

/** Null for any other name. */
export function hubWeights(name: string): HubWeights | null {
  const groups = hubName.exec(name)?.groups
  if (groups === undefined) return null
  const { stem = '', number = '', variant = '', kind, index, late = '' } = groups
  const isSafetensors = kind === 'safetensors'
  return {
    stem: `${stem === 'pytorch_model' ? 'model' : stem}${number}`,
    variant: variant === '' ? late : variant,
    rank: (isSafetensors ? 0 : 2) + (index === undefined ? 0 : 1),
    isSafetensors,
    isIndex: index !== undefined,
  }
}

/** One part of a model in several files. */
export function isShard(name: string): boolean {
  return /-\d{4,}-of-\d{4,}\.\w+$/.test(name)
}

/** Folders that hold nothing of a model that is done: logs, other checkpoints, the state of a distributed optimizer. */
export function isForeignFolder(name: string): boolean {
  return /^(?:\..*|runs|logs?|tb|tensorboard|wandb|mlruns|lightning_logs|checkpoint[-_]\d+|tmp-checkpoint-.*|global_step\d+|optimizer(_\d+)?|pytorch_model_fsdp(_\d+)?|__pycache__)$/.test(
    name,
  )
}

/** What is read as text, and binary vocabularies: never a pickle, an array or a log of events. */
const companion =
  /\.(?:json|txt|model|jinja|py|md|tiktoken|spm|spp|bpe|codes|vocab|ya?ml|toml|tsv)$|^(?:licen[cs]e|notice)\b/i

/** What a training keeps for itself under such a name. */
const ofTraining =
  /^(?:trainer_state|training_args|trainer_config|training_metadata|dataset_info|state|progress|(?:all|train|eval|test|predict)_results|CKPT)\.\w+$|_results\.json$|^zero_to_\w+\.py$|^latest|(?:^|[_-])(?:log|logs|history|metrics)(?:[_.-]|$)|^env\.|^requirements|\.index(?:\.[\w-]+)?\.json$/i

/** True in a checkpoint's own folder for what a loader may want beside the weights. */
export function isCompanion(name: string): boolean {
  return companion.test(name) && !ofTraining.test(name) && !name.startsWith('.')
}

/** A run's folder may be a project's: there only names that stand for a model's own files are taken. */
const knownCompanion =
  /^(?:config|generation_config|adapter_config|model_index|modules|config_sentence_transformers|sentence_\w+_config|tokenizer\w*|special_tokens_map|added_tokens|vocab\w*|normalizer|\w*processor_config|\w*feature_extractor\w*|image_processor\w*|chat_template\w*|hyperparams|hparams|args|train|params)\.(?:json|ya?ml|toml|jinja)$|^(?:vocab\w*|merges|bpe\w*|dict\w*|label_encoder\w*|labels)\.(?:txt|json)$|\.(?:model|tiktoken|spm|bpe|codes|jinja)$|^(?:modeling|configuration|tokenization|processing|image_processing|feature_extraction)_\w+\.py$/i

export function isKnownCompanion(name: string): boolean {
  return isCompanion(name) && knownCompanion.test(name)
}

/** What a training was started with, as frameworks write it one folder above their checkpoints. */
export function isTrainingConfig(name: string): boolean {
  return /^(?:hparams|hyperparams|config|args|train)\.(?:ya?ml|toml)$|^label_encoder\w*\.txt$|\.model$/i.test(name)
}

/** Files that only their own framework's loader reads, whole: nothing in them can be left out. */
export function keepsOwnForm(layout: string, path: string): boolean {
  if (layout === 'speechbrain') return true
  return /\.(?:keras|h5|hdf5|nemo|pdparams|pdckpt|gguf|onnx|msgpack|zip|json|ubj|cbm)$/i.test(path)
}

/** Layouts whose whole folder their framework's loader reads, and which holds nothing that only resuming needs. */
export function keepsOwnFolder(layout: string): boolean {
  return layout === 'spacy'
}

/** `model.safetensors` for the only weights of a checkpoint, else by their own keys. */
export function ownName(key: string, isOnly: boolean, extension: string): string {
  const safe = key.replace(/[^\w.=+-]+/g, '_').replace(/^\.+/, '')
  return `${isOnly || safe === '' ? 'model' : safe}${extension}`
}

/** The name without what tells its format: `best` of `best.pth.tar`. */
export function stemOf(path: string): string {
  const name = basename(path).replace(/\.(?:pth|pt)\.tar$/, '')
  return name.slice(0, name.length - extname(name).length) || name
}
