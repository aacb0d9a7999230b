/** Tensors in files, whatever the format. */
export { canBeNonFinite, findNonFinite, type NonFinite } from './finite.js'
export { canCast } from './cast.js'
export { isFloatDtype, parseDtype } from './dtype-name.js'
export { nameFilter, type NameFilter } from './glob.js'
export { measureTensor, type Measured, type MeasureOptions, type TensorStats } from './measure-tensor.js'
export { isTensorFile, openTensors } from './open.js'
export { ensureSafe, plainShape, type TensorFile, type TensorInfo } from './tensor.js'
export type { Dtype } from '../../formats/safetensors.js'
