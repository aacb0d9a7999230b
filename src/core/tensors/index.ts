/** Tensors of any format, and casts between their dtypes. */
export { canCast, createCast } from './cast.js'
export type { Cast } from './cast.js'
export { openTensors } from './open.js'
export { chunksOf } from './tensor.js'
export type { Dtype, Extent, Shape, TensorFile, TensorInfo } from './tensor.js'
