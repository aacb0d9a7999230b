/**
 * Weights of which a file has codes and, under a name beside them, the scale that makes values of them. Without their
 * scale the codes are no weights, though their shape may be right: bitsandbytes' `weight` and `SCB` (nn/modules.py,
 * `Linear8bitLt`), `weight_scale` of compressed-tensors and torch's float8 checkpoints, `weight_scale_inv` of
 * DeepSeek-V3, `scale_weight` of ComfyUI's.
 */
import { CkptError } from '../../errors.js'
import { isFloatDtype } from '../read/dtype-name.js'

interface Coded {
  readonly name: string
  readonly dtype: string
}

interface CodedPair {
  readonly source: Coded
  readonly target: Coded
}

const codeDtype = /^(?:[IU]8|F8_E[45]M[23](?:FNUZ)?)$/

/** Names that the scale of a tensor may have. */
function scalesOf(name: string): string[] {
  const [, stem = '', leaf = name] = /^(.*\.)?([^.]+)$/.exec(name) ?? []
  const beside = ['SCB', `scale_${leaf}`, `${leaf}_scale`, `${leaf}_scale_inv`]
  return [...beside.map((one) => stem + one), `${name}.scale`, `${name}._scale`, `${name}.absmax`]
}

/** Throws CkptError `refused` where codes would be taken for values: the target is to have floats, and no scale. */
export function ensureScaled(
  matched: readonly CodedPair[],
  sources: readonly Coded[],
  targets: readonly Coded[],
): void {
  const ofSource = new Set(sources.map(({ name }) => name))
  const ofTarget = new Set(targets.map(({ name }) => name))
  const isLeft = (scale: string) => ofSource.has(scale) && !ofTarget.has(scale)
  for (const { source, target } of matched) {
    if (!codeDtype.test(source.dtype) || !isFloatDtype(target.dtype) || codeDtype.test(target.dtype)) continue
    const scale = scalesOf(source.name).find(isLeft)
    if (scale === undefined) continue
    const [name, other] = [JSON.stringify(source.name), JSON.stringify(scale)]
    throw new CkptError(
      'refused',
      `${name} is quantised: ${source.dtype} codes, to be multiplied by ${other}, which the target (${target.dtype}) has no place for`,
      { hint: `bring it to floats with the program that quantised it, or leave it out: --exclude ${source.name}` },
    )
  }
}
