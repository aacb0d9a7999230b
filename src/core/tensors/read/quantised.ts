/**
 * Weights of which a file has codes and, under a name beside them, the scale that makes values of them. Without their
 * scale the codes are no weights, though their shape may be right: bitsandbytes' `weight` and `SCB` (nn/modules.py,
 * `Linear8bitLt`) and `weight.absmax` (functional.py, `QuantState`), `weight_scale` of compressed-tensors and torch's
 * float8 checkpoints, `weight_scale_inv` of DeepSeek-V3, `scale_weight` of ComfyUI's, `qweight` and `scales` of GPTQ
 * and AWQ, `weight_packed` and `weight_scale` of compressed-tensors, `W_q` and `scale` of HQQ, `weight._data` and
 * `weight._scale` of quanto (`weight._data._data` of four bits), `_weight_qdata` and `_weight_scale` of torchao.
 */
import { CkptError } from '../../errors.js'
import { isFloatDtype } from './dtype-name.js'
import { quoteWord } from '../../formats/text/shell-words.js'

interface Named {
  readonly name: string
  readonly dtype: string
}

const codeDtype = /^(?:[IU]8|F8_E[45]M[23](?:FNUZ)?)$/

/** Codes that are packed into wider integers, and their scale: known by their names. */
const packed: ReadonlyMap<string, string> = new Map([
  ['qweight', 'scales'],
  ['weight_packed', 'weight_scale'],
  ['W_q', 'scale'],
])

/** Names of modules whose own names for codes and scale have one stem. */
const dataSuffix = /_q?data$/

/** `['layer.', 'weight']`. */
function splitName(name: string): readonly [stem: string, leaf: string] {
  const end = name.lastIndexOf('.') + 1
  return [name.slice(0, end), name.slice(end)]
}

/** Names that the scale of a tensor may have. */
function scalesOf({ name, dtype }: Named): string[] {
  const [stem, leaf] = splitName(name)
  const own = packed.get(leaf)
  if (own !== undefined && !isFloatDtype(dtype)) return [stem + own]
  if (!codeDtype.test(dtype)) return []
  const beside = ['SCB', `scale_${leaf}`, `${leaf}_scale`, `${leaf}_scale_inv`]
  const paired = dataSuffix.test(leaf) ? [leaf.replace(dataSuffix, '_scale')] : []
  const below = ['scale', '_scale', 'absmax'].map((one) => `${name}.${one}`)
  // Several codes of quanto's to a byte are a tensor of their own: `weight._data._data` beside `weight._scale`.
  const above = leaf === '_data' && stem.endsWith('._data.') ? [`${stem.slice(0, -'_data.'.length)}_scale`] : []
  return [...[...beside, ...paired].map((one) => stem + one), ...above, ...below]
}

/** The scale among `names` that makes values of a tensor's codes; undefined for plain values. */
export function scaleOf(tensor: Named, names: ReadonlySet<string>): string | undefined {
  return scalesOf(tensor).find((name) => names.has(name))
}

/** What makes values of codes beside it, by the last part of its name: scales, zero points, tables. */
const companion = /^(?:SCB|scale_.*|.*_?scales?(?:_inv)?|q?zeros?|.*_?zero_?point|_?shift)$/i

/**
 * Names of codes, and of what makes values of them: their bits are one thing, and none of them is changed alone. Each
 * with the codes that it belongs to.
 */
export function quantisedIn(tensors: readonly Named[]): ReadonlyMap<string, Named> {
  const names = new Set(tensors.map(({ name }) => name))
  const codes = new Map<string, Named>()
  const stems = new Map<string, Named>()
  for (const tensor of tensors) {
    if (scaleOf(tensor, names) === undefined) continue
    codes.set(tensor.name, tensor)
    const [stem, leaf] = splitName(tensor.name.replace(/\._data\._data$/, '._data'))
    stems.set(stem, tensor)
    // quanto's `weight._data` belongs to the module of the weight, which has `input_scale` and `output_scale`.
    if (leaf === '_data') stems.set(splitName(stem.slice(0, -1))[0], tensor)
  }
  const found = new Map<string, Named>()
  if (codes.size === 0) return found
  for (const { name } of tensors) {
    const [stem, leaf] = splitName(name)
    // `weight.absmax`, and `weight.quant_state.bitsandbytes__nf4`.
    const above = stem.slice(0, -1)
    const owner = codes.get(name) ?? codes.get(above) ?? codes.get(splitName(above)[0].slice(0, -1))
    const own = owner ?? (companion.test(leaf) ? stems.get(stem) : undefined)
    if (own !== undefined) found.set(name, own)
  }
  return found
}

/** For people: names of what is quantised, and would have been cast. */
export function tellSpared(names: readonly string[]): string[] {
  const [first] = names
  if (first === undefined) return []
  const some = names.length === 1 ? '' : ` and ${names.length - 1} more`
  return [`not cast, as codes of quantised weights or their scales: ${JSON.stringify(first.slice(0, 200))}${some}`]
}

interface Pair {
  readonly source: Named
  readonly target: Named
}

/**
 * Throws CkptError `refused` where codes would be taken for values, or values for codes: one side has a scale, and the
 * other one floats and no such scale.
 */
export function ensureScaled(matched: readonly Pair[], sources: readonly Named[], targets: readonly Named[]): void {
  const ofSource = new Set(sources.map(({ name }) => name))
  const ofTarget = new Set(targets.map(({ name }) => name))
  for (const { source, target } of matched) {
    const scale = scaleOf(source, ofSource)
    if (scale !== undefined && isPlain(target) && !ofTarget.has(scale)) {
      const place = `which the target (${target.dtype}) has no place for`
      throw refused(source, `to be multiplied by ${JSON.stringify(scale)}, ${place}`, source.name)
    }
    const own = scaleOf(target, ofTarget)
    if (own !== undefined && isPlain(source) && !ofSource.has(own)) {
      const what = `multiplied by ${JSON.stringify(own)}, and the source has values (${source.dtype})`
      throw refused(target, `${what} that are not divided by it`, source.name)
    }
  }
}

function isPlain({ dtype }: Named): boolean {
  return isFloatDtype(dtype) && !codeDtype.test(dtype)
}

/** Throws CkptError `refused` for the first codes among tensors that are wanted: they have no mean. */
export function ensureNotQuantised(path: string, tensors: readonly Named[], isWanted: (name: string) => boolean): void {
  const names = new Set(tensors.map(({ name }) => name))
  const codes = tensors.find((tensor) => isWanted(tensor.name) && scaleOf(tensor, names) !== undefined)
  if (codes === undefined) return
  const scale = JSON.stringify(scaleOf(codes, names))
  throw refused(codes, `to be multiplied by ${scale}, of which no mean can be taken: ${path}`, codes.name)
}

function refused({ name, dtype }: Named, why: string, left: string): CkptError {
  return new CkptError('refused', `${JSON.stringify(name)} is quantised: ${dtype} codes, ${why}`, {
    hint: `bring it to floats with the program that quantised it, or leave it out: --exclude ${quoteWord(left)}`,
  })
}
