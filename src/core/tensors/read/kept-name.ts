/**
 * Which name of tied weights a model's own loader looks for: the embedding, not the head that is tied to it. Follows
 * the pairs of `_tied_weights_keys` in transformers' models, which name the tied parameter and the one it is tied to.
 */
import { compareNatural } from '../../formats/text/natural-order.js'

/** A module that is there to be shared: T5's and BART's `shared`, of which encoder and decoder have further names. */
const shared = /(?:^|\.)shared\./
/** Output layers, DETR's `class_embed` and `bbox_embed` too, and UDOP's list of biases; a lone `decoder.weight` is BERT's. */
const head =
  /(?:^|[._])(?:lm_head|embed_out|lm_loss|vocab_projector|pred_layer|proj_out|output_projection|output_layer|head|output|logits|generator|classifier|(?:class|bbox)_embed|relative_bias)(?:\.|$)|unembed|(?:^|\.)decoder\.(?:weight|bias)$/i
const embedding = /embed|(?:^|\.)(?:wte|emb|tok_embd)(?:\.|$)/i

/** Of several names for one parameter, the one to keep. */
export function preferName(names: readonly string[]): string {
  const [first = '', ...others] = names
  return others.reduce((best, name) => (isBetter(name, best) ? name : best), first)
}

function isBetter(name: string, than: string): boolean {
  const difference = rankOf(name) - rankOf(than) || depthOf(name) - depthOf(than) || compareNatural(name, than)
  return difference < 0
}

function rankOf(name: string): number {
  if (shared.test(name)) return 0
  if (head.test(name)) return 3
  return embedding.test(name) ? 1 : 2
}

function depthOf(name: string): number {
  return name.split('.').length
}
