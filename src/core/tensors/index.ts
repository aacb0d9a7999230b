/** Tensors in files, whatever the format. */
export { canBeNonFinite, findNonFinite, type NonFinite } from './finite.js'
export { openTensors } from './open.js'
export { plainShape, type Dtype, type Extent, type Shape, type TensorFile, type TensorInfo } from './tensor.js'
