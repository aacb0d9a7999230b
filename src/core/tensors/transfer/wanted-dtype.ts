/** The dtype that is asked for (`--dtype`), tensor by tensor of the target. */
import type { Dtype } from '../../formats/safetensors/safetensors.js'
import { isFloatDtype } from '../read/dtype-name.js'
import { quantisedIn, tellSpared } from '../read/quantised.js'
import type { TensorFile, TensorInfo } from '../read/tensor.js'

/** Only floats are cast, and none of what is quantised; undefined for a tensor that keeps its own. */
export function dtypesWanted(target: TensorFile, dtype: Dtype | undefined): (tensor: TensorInfo) => Dtype | undefined {
  if (dtype === undefined) return () => undefined
  const quantised = quantisedIn(target.tensors)
  return (tensor) => (isFloatDtype(tensor.dtype) && !quantised.has(tensor.name) ? dtype : undefined)
}

/** For people: what is quantised in the target, and keeps its dtype though another one was asked for. */
export function sparedFrom(target: TensorFile, dtype: Dtype | undefined): string[] {
  if (dtype === undefined) return []
  const quantised = quantisedIn(target.tensors)
  const isSpared = (tensor: TensorInfo) =>
    quantised.has(tensor.name) && isFloatDtype(tensor.dtype) && tensor.dtype !== dtype
  return tellSpared(target.tensors.filter(isSpared).map(({ name }) => name))
}
