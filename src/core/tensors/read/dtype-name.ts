/** Dtypes as people type them. */
import { CkptError } from '../../errors.js'
import { bitsOf, isDtype, type Dtype } from '../../formats/safetensors/safetensors.js'
import { namesWithin, orList } from '../../nearest.js'
import { nameOfTorchDtype, torchDtypeNames } from './torch-dtypes.js'

/** torch's own short names (torch/__init__.py). */
const aliases = new Map([
  ['half', 'F16'],
  ['float', 'F32'],
  ['double', 'F64'],
  ['fp16', 'F16'],
  ['fp32', 'F32'],
  ['fp64', 'F64'],
])

/** `F16`, `float16`, `torch.half`. Throws CkptError `usage` with what there is. */
export function parseDtype(text: string): Dtype {
  const name = text.trim().replace(/^torch\./, '')
  const found = aliases.get(name.toLowerCase()) ?? nameOfTorchDtype(name.toLowerCase())
  if (isDtype(found)) return found
  const upper = name.toUpperCase()
  if (isDtype(upper)) return upper
  const known = Object.keys(bitsOf)
  const near = namesWithin(1, name, [...known, ...aliases.keys(), ...torchDtypeNames])
  const meant = near.length === 0 ? '' : `did you mean ${orList(near)}? `
  throw new CkptError('usage', `${text} is not a dtype`, { hint: `${meant}there are ${known.join(', ')}` })
}

/** Real floating-point numbers: `F32`, `BF16`, `F8_E4M3`. */
export function isFloatDtype(dtype: string): boolean {
  return /^B?F\d/.test(dtype)
}
