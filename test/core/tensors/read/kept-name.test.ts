import { describe, expect, it } from 'vitest'
import { preferName } from '../../../../src/core/tensors/read/kept-name.js'

/** `_tied_weights_keys` of transformers 5: the tied parameter, and the one that it is tied to. */
const pairs = [
  ['lm_head.weight', 'model.embed_tokens.weight'],
  ['lm_head.weight', 'transformer.wte.weight'],
  ['lm_head.weight', 'transformer.w.weight'],
  ['lm_head.weight', 'transformer.tokens_embed.weight'],
  ['lm_head.weight', 'transformer.word_embeddings.weight'],
  ['lm_head.weight', 'backbone.embeddings.weight'],
  ['lm_head.weight', 'gpt_neox.embed_in.weight'],
  ['lm_head.weight', 'model.decoder.embed_tokens.weight'],
  ['lm_head.weight', 'model.shared.weight'],
  ['lm_head.out_proj.weight', 'model.decoder.embed_tokens.weight'],
  ['encoder.embed_tokens.weight', 'shared.weight'],
  ['decoder.embed_tokens.weight', 'shared.weight'],
  ['model.encoder.embed_tokens.weight', 'model.shared.weight'],
  ['text_decoder.embed_tokens.weight', 'shared.weight'],
  ['decoder.word_embeddings.weight', 'word_embeddings.weight'],
  ['predictions.decoder.weight', 'albert.embeddings.word_embeddings.weight'],
  ['predictions.decoder.bias', 'predictions.bias'],
  ['cls.predictions.decoder.weight', 'bert.embeddings.word_embeddings.weight'],
  ['cls.predictions.decoder.bias', 'cls.predictions.bias'],
  ['lm_head.decoder.weight', 'roberta.embeddings.word_embeddings.weight'],
  ['lm_head.decoder.bias', 'lm_head.bias'],
  ['decoder.weight', 'model.embeddings.tok_embeddings.weight'],
  ['head.decoder.weight', 'model.embed_tokens.weight'],
  ['mlm_score.decoder.weight', 'vilt.embeddings.text_embeddings.word_embeddings.weight'],
  ['generator_lm_head.weight', 'electra.embeddings.word_embeddings.weight'],
  ['vocab_projector.weight', 'distilbert.embeddings.word_embeddings.weight'],
  ['pred_layer.proj.weight', 'transformer.embeddings.weight'],
  ['lm_loss.weight', 'transformer.word_embedding.weight'],
  ['embed_out.weight', 'gpt_neox_japanese.embed_in.weight'],
  ['output_projection.weight', 'biogpt.embed_tokens.weight'],
  ['decoder.output_projection.weight', 'decoder.embed_tokens.weight'],
  ['proj_out.weight', 'model.decoder.embed_tokens.weight'],
  ['output.weight', 'git.embeddings.word_embeddings.weight'],
  ['head.weight', 'rwkv.embeddings.weight'],
  ['codec_head.weight', 'model.codec_embedding.weight'],
  ['ctc_head.weight', 'encoder.out.weight'],
  ['unembedding_projection.weight', 'model.embed_tokens.embedding_projection.weight'],
  ['text_decoder_postnet.lm_head.weight', 'speecht5.decoder.prenet.embed_tokens.weight'],
  ['entity_predictions.decoder.weight', 'luke.entity_embeddings.entity_embeddings.weight'],
  ['bbox_embed.10.layers.0.weight', 'bbox_embed.2.layers.0.weight'],
  ['class_embed.1.weight', 'class_embed.0.weight'],
  ['decoder.class_embed.weight', 'enc_score_head.weight'],
  ['decoder.bbox_embed.layers.0.weight', 'enc_bbox_head.layers.0.weight'],
  ['model.decoder.bbox_embed.layers.0.weight', 'bbox_predictor.layers.0.weight'],
  [
    'decoder.relative_bias.biases.0.relative_attention_bias.weight',
    'encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight',
  ],
  // fairseq, ESPnet, OpenNMT, and language models of torch's examples.
  ['decoder.output_layer.weight', 'decoder.embed.0.weight'],
  ['generator.0.weight', 'decoder.embeddings.weight'],
  ['decoder.weight', 'encoder.weight'],
  ['_orig_mod.lm_head.weight', '_orig_mod.transformer.wte.weight'],
] as const

describe('of two names for one parameter', () => {
  it.each(pairs)('%s goes, %s stays', (tied, kept) => {
    expect(preferName([tied, kept])).toBe(kept)
    expect(preferName([kept, tied])).toBe(kept)
  })

  it('of several the shared module of encoder and decoder stays', () => {
    const names = ['lm_head.weight', 'decoder.embed_tokens.weight', 'encoder.embed_tokens.weight', 'shared.weight']
    expect(preferName(names)).toBe('shared.weight')
  })
})
