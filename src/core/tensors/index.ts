/** Tensors in files, whatever the format. */
export { openTensors } from './open.js'
export type { Dtype, Extent, TensorFile, TensorInfo } from './tensor.js'
