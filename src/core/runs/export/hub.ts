/** Weights under the names of Hugging Face's libraries: which of several files a loader takes, and how they are named. */
import { addTo } from '../../grouped.js'
import type { Branch, FileThere } from './folders.js'
import { hubWeights, isShard, type HubWeights } from './names.js'

/** One set of weights that a loader finds in a folder. */
export interface FoundWeights {
  /** The file, or the index of several. */
  readonly file: FileThere
  readonly isSafetensors: boolean
  readonly isIndex: boolean
  /** From the model's folder on: `unet/diffusion_pytorch_model.safetensors`. */
  readonly to: string
}

type Named = HubWeights & { readonly file: FileThere }

/**
 * Of each name the file that `from_pretrained` would read: safetensors before pickles, one file before its index
 * (transformers: modeling_utils.py, `_get_resolved_checkpoint_files`). Of variants the one without a name; a lone
 * variant takes that name, so that it is found without being asked for.
 */
export function weightsOfBranch({ files, prefix }: Branch): FoundWeights[] {
  const byStem = new Map<string, Named[]>()
  for (const file of files) {
    const named = hubWeights(file.name)
    if (named !== null) addTo(byStem, named.stem, { ...named, file })
  }
  return [...byStem].flatMap(([stem, all]) => {
    const variants = new Set(all.map(({ variant }) => variant))
    const isPlain = variants.has('') || variants.size === 1
    const chosen = variants.has('') ? [''] : [...variants]
    return chosen.flatMap((variant): FoundWeights[] => {
      const [first] = all.filter((one) => one.variant === variant).sort((a, b) => a.rank - b.rank)
      if (first === undefined) return []
      const { file, isSafetensors, isIndex } = first
      const to = `${prefix}${stem}${isPlain ? '' : `.${variant}`}.safetensors`
      return [{ file, isSafetensors, isIndex, to }]
    })
  })
}

/** True for a file of weights, of whatever kind: what a loader does not take of them is left out. */
export function isWeightsName(name: string): boolean {
  return hubWeights(name) !== null || isShard(name) || /^(?:tf_model|flax_model|rust_model)\b/.test(name)
}
