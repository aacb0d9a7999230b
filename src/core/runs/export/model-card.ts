/** The README.md of a model that has none: the fields that a hub reads, and where the weights come from. */
import type { Checkpoint } from '../../checkpoint.js'

export interface CardFacts {
  /** Paths of what is exported. */
  readonly files: readonly string[]
  /** `config.json` and `adapter_config.json`, as far as they are there. */
  readonly configs: readonly Readonly<Record<string, unknown>>[]
}

/** Metrics named on a card; a run may log hundreds. */
const mostMetrics = 20

export function modelCard(checkpoint: Checkpoint, facts: CardFacts): string {
  const library = libraryOf(checkpoint.layout, facts.files)
  const base = baseModelOf(facts.configs)
  const fields = [
    ...(library === null ? [] : [`library_name: ${library}`]),
    ...(base === null ? [] : [`base_model: ${JSON.stringify(base)}`]),
  ]
  const { name, step, epoch } = checkpoint
  const counts = [
    ...(step === null ? [] : [`- step: ${step}`]),
    ...(epoch === null ? [] : [`- epoch: ${epoch}`]),
    ...metricsOf(checkpoint).map(([key, value]) => `- ${key}: ${value}`),
  ]
  return [
    '---',
    ...fields,
    '---',
    '',
    `Weights of the checkpoint ${code(name)}, exported for inference by ckpt.`,
    ...(counts.length === 0 ? [] : ['', ...counts]),
    '',
  ].join('\n')
}

/** The names that the hub has for its libraries. */
function libraryOf(layout: string, files: readonly string[]): string | null {
  const has = (name: string): boolean => files.includes(name)
  if (has('modules.json')) return 'sentence-transformers'
  if (has('model_index.json') || files.some((file) => file.endsWith('diffusion_pytorch_model.safetensors')))
    return 'diffusers'
  if (has('adapter_config.json')) return 'peft'
  if (layout === 'hf-trainer' && has('config.json')) return 'transformers'
  const others: Readonly<Record<string, string>> = { speechbrain: 'speechbrain', keras: 'keras', nemo: 'nemo' }
  return others[layout] ?? null
}

function baseModelOf(configs: CardFacts['configs']): string | null {
  const named = configs.map((config) => config['base_model_name_or_path'] ?? config['_name_or_path'])
  const found = named.find((one) => typeof one === 'string' && /^[\w.-]+\/[\w.-]+$/.test(one))
  return typeof found === 'string' ? found : null
}

function metricsOf({ meta }: Checkpoint): [string, string][] {
  return [...meta]
    .flatMap(([key, value]): [string, string][] =>
      typeof value === 'number' && /^[\w./-]{1,100}$/.test(key) && !/^(?:unixtime|step|epoch)$/.test(key)
        ? [[key, String(value)]]
        : [],
    )
    .slice(0, mostMetrics)
}

/** Names of files can hold anything. */
function code(text: string): string {
  const safe = text.replace(/[^\x20-\x7E]|`/g, '?')
  return `\`${safe}\``
}
