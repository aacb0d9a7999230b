/**
 * How libraries rename the same parameters: each rule as sed's substitution, to be pasted, and as what it does. The
 * names are torch's (torch/nn/utils/weight_norm.py, torch/nn/utils/parametrizations.py), PEFT's
 * (peft/tuners/tuners_utils.py, peft/utils/save_and_load.py) and those of wrappers around modules.
 */

export interface NameRule {
  /** For `--rename`. */
  readonly sed: string
  readonly apply: (name: string) => string
}

function rule(sed: string, pattern: RegExp, replacement: string): NameRule {
  return { sed, apply: (name) => name.replace(pattern, replacement) }
}

/** Rules that belong together are tried together: weight_norm has two tensors. */
export const nameRules: readonly NameRule[] = [
  rule('s/([A-Za-z0-9_]+)_g$/parametrizations.\\1.original0/', /([A-Za-z0-9_]+)_g$/, 'parametrizations.$1.original0'),
  rule('s/([A-Za-z0-9_]+)_v$/parametrizations.\\1.original1/', /([A-Za-z0-9_]+)_v$/, 'parametrizations.$1.original1'),
  rule(
    's/parametrizations\\.([A-Za-z0-9_]+)\\.original0$/\\1_g/',
    /parametrizations\.([A-Za-z0-9_]+)\.original0$/,
    '$1_g',
  ),
  rule(
    's/parametrizations\\.([A-Za-z0-9_]+)\\.original1$/\\1_v/',
    /parametrizations\.([A-Za-z0-9_]+)\.original1$/,
    '$1_v',
  ),
  rule(
    's/([A-Za-z0-9_]+)_orig$/parametrizations.\\1.original/',
    /([A-Za-z0-9_]+)_orig$/,
    'parametrizations.$1.original',
  ),
  rule(
    's/parametrizations\\.([A-Za-z0-9_]+)\\.original$/\\1_orig/',
    /parametrizations\.([A-Za-z0-9_]+)\.original$/,
    '$1_orig',
  ),
  rule('s/\\.default\\././', /\.default\./, '.'),
  rule('s/\\.default$//', /\.default$/, ''),
  rule('s/(lora_[AB]|lora_magnitude_vector)\\./\\1.default./', /(lora_[AB]|lora_magnitude_vector)\./, '$1.default.'),
  rule('s/(lora_embedding_[AB])$/\\1.default/', /(lora_embedding_[AB])$/, '$1.default'),
  rule('s/\\.base_layer\\././', /\.base_layer\./, '.'),
  rule('s/\\.gamma$/.weight/', /\.gamma$/, '.weight'),
  rule('s/\\.beta$/.bias/', /\.beta$/, '.bias'),
  ...['_orig_mod', 'module', 'backbone', '_fsdp_wrapped_module', '_checkpoint_wrapped_module'].map((word) =>
    rule(`s/(^|\\.)${word}\\./\\1/g`, new RegExp(`(^|\\.)${word}\\.`, 'g'), '$1'),
  ),
]

/** PEFT wraps single modules: of each kind one rule, so that the parameters of others keep their names. */
function wrapRule(word: string): NameRule {
  return rule(
    `s/(^|\\.)${word}\\.(weight|bias)$/\\1${word}.base_layer.\\2/`,
    new RegExp(`(^|\\.)${word}\\.(weight|bias)$`),
    `$1${word}.base_layer.$2`,
  )
}

/** The rules that may lead from this name to another. */
export function rulesFor(name: string): readonly NameRule[] {
  const word = /(?:^|\.)(\w+)\.(?:weight|bias)$/.exec(name)?.[1]
  return word === undefined ? nameRules : [...nameRules, wrapRule(word)]
}

/** The rule that a `--rename` stands for; undefined for one that is none of these. */
export function ruleOf(sed: string): NameRule | undefined {
  const word = sed.endsWith('.base_layer.\\2/') ? /^s\/\(\^\|\\\.\)(\w+)\\\./.exec(sed)?.[1] : undefined
  return word === undefined ? nameRules.find((one) => one.sed === sed) : wrapRule(word)
}

/** What a name has in common with those that it has in other libraries' hands. */
export function canonical(name: string): string {
  return name
    .replace(
      /(?:^|(?<=\.))(?:_orig_mod|module|backbone|_fsdp_wrapped_module|_checkpoint_wrapped_module|base_layer|default)(?:\.|$)/g,
      '',
    )
    .replace(/^(?:base_model\.model\.)/, '')
    .replace(/parametrizations\.([A-Za-z0-9_]+)\.original0$/, '$1_g')
    .replace(/parametrizations\.([A-Za-z0-9_]+)\.original1$/, '$1_v')
    .replace(/parametrizations\.([A-Za-z0-9_]+)\.original$/, '$1_orig')
    .replace(/\.gamma$/, '.weight')
    .replace(/\.beta$/, '.bias')
    .replace(/\.$/, '')
}

/** A lone adapter: its tensors change those of another model. */
export function isAdapter(names: readonly string[]): boolean {
  return (
    names.length > 0 &&
    names.every((name) => /\.(?:lora_[AB]|lora_embedding_[AB]|lora_magnitude_vector|modules_to_save)\b/.test(name))
  )
}
