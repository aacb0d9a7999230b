import { describe, expect, it } from 'vitest'
import { compileMapping } from '../../../../src/core/tensors/names/index.js'
import { combinedFlags, findNearMisses, suggestFlags } from '../../../../src/core/tensors/transfer/near-misses.js'
import { nameRules } from '../../../../src/core/tensors/transfer/name-rules.js'

const tensor = (name: string, shape: readonly number[] = [4]) => ({ name, dtype: 'F32', shape, bytes: 16 })

describe('names that libraries are known to change', () => {
  it.each([
    ['conv.weight_g', 'conv.parametrizations.weight.original0'],
    ['conv.parametrizations.weight.original1', 'conv.weight_v'],
    ['lstm.weight_hh_l0_g', 'lstm.parametrizations.weight_hh_l0.original0'],
    ['fc.weight_orig', 'fc.parametrizations.weight.original'],
    ['base_model.model.l.q.lora_A.weight', 'base_model.model.l.q.lora_A.default.weight'],
    ['base_model.model.l.q.lora_B.default.weight', 'base_model.model.l.q.lora_B.weight'],
    ['base_model.model.l.q.base_layer.weight', 'l.q.weight'],
    ['l.q.weight', 'base_model.model.l.q.base_layer.bias'.replace('bias', 'weight')],
    ['enc._orig_mod.l.0.weight', 'enc.l.0.weight'],
    ['net.module.fc.weight', 'net.fc.weight'],
    ['backbone.layer1.weight', 'layer1.weight'],
    ['model.backbone.layer1.weight', 'model.layer1.weight'],
    ['bert.LayerNorm.gamma', 'bert.LayerNorm.weight'],
    ['module.conv.weight_g', 'vocoder.conv.parametrizations.weight.original0'],
    ['enc._orig_mod.conv.weight_v', 'enc.conv.parametrizations.weight.original1'],
    ['base_model.model.enc.module.q.lora_A.default.weight', 'base_model.model.enc.q.lora_A.weight'],
  ])('%s is nearly %s, and the flags that are suggested lead there', async (source, target) => {
    const near = findNearMisses([tensor(source)], [tensor(target)])
    expect(near.map((one) => [one.source.name, one.target.name])).toEqual([[source, target]])
    const flags = combinedFlags(suggestFlags(near), [source], new Set([target]))
    expect(flags).not.toEqual([])
    const values = (wanted: string) => flags.flatMap(({ flag, value }) => (flag === wanted ? [value] : []))
    const { rename } = await compileMapping({
      stripPrefixes: values('--strip-prefix'),
      renames: values('--rename'),
      map: new Map(values('--map').map((one) => one.split('=') as [string, string])),
      addPrefix: values('--add-prefix').join(''),
    })
    expect(rename(source)).toBe(target)
  })

  it('are not near misses where the shapes differ', () => {
    expect(findNearMisses([tensor('conv.weight_g')], [tensor('conv.parametrizations.weight.original0', [5])])).toEqual([]) // prettier-ignore
  })

  it('are changed by ckpt as each rule says it in the manner of sed', async () => {
    const names = ['a.weight_g', 'a.weight_v', 'a.parametrizations.weight.original0', 'a.parametrizations.w.original1', 'a.weight_orig', 'a.parametrizations.weight.original', 'q.lora_A.default.weight', 'q.lora_A.weight', 'q.lora_embedding_A', 'q.lora_embedding_A.default', 'q.base_layer.weight', 'q.weight', 'n.gamma', 'n.beta', '_orig_mod.module.backbone.a', 'x.module.module.b'] // prettier-ignore
    for (const { sed, apply } of nameRules) {
      const { rename } = await compileMapping({ renames: [sed] })
      for (const name of names) expect([sed, rename(name)]).toEqual([sed, apply(name)])
    }
  })
})
