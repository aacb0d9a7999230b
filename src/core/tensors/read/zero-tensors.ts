/** Tensors of DeepSpeed's ZeRO: their places in the files of all processes, and their values, in float32. */
import { FormatError } from '../../errors.js'
import type { ZeroModel, ZeroOptimizer, ZeroSlice, ZeroTensor } from '../../formats/torch/deepspeed-zero.js'
import { isDtype, type Dtype } from '../../formats/safetensors/safetensors.js'
import { innermost } from '../../formats/torch/tensor.js'
import { isFloatDtype } from './dtype-name.js'
import type { ListedTensor } from './listed-file.js'
import { castTo, sliceOf } from './slices.js'
import { joinParts, type TensorData, type TensorInfo } from './tensor.js'
import { itemSizeOf, type Opened } from './zero-files.js'

export interface Processes {
  readonly models: readonly Opened<ZeroModel>[]
  readonly optimizers: readonly Opened<ZeroOptimizer>[]
}

export function describeZero({ name, shape, slices }: ZeroTensor, processes: Processes): ListedTensor {
  const count = shape.reduce((product, size) => product * size, 1)
  const [first] = slices()
  const own = first === undefined ? 'F32' : dtypeOf(first, processes)
  const dtype = isFloatDtype(own) ? 'F32' : own
  return {
    name,
    dtype,
    shape,
    bytes: count * (isFloatDtype(own) ? 4 : sizeOf(first, processes)),
    location: name,
    open: async () => joinParts(slices().map((slice) => partOf(slice, processes, dtype))),
  }
}

function partOf(slice: ZeroSlice, processes: Processes, dtype: string) {
  const info = tensorOf(slice, processes)
  const size = itemSizeOf(info)
  const cast = isDtype(info.dtype) && isDtype(dtype) ? { from: info.dtype, to: dtype } : null
  const each = cast !== null && cast.from !== cast.to ? 4 : size
  return {
    length: slice.count * each,
    open: async (): Promise<TensorData> => {
      const data = await fileOf(slice, processes).file.dataOf(info)
      const part = sliceOf(data, slice.offset * size, slice.count * size)
      return cast === null ? part : castTo(part, cast.from, cast.to satisfies Dtype)
    },
  }
}

function fileOf({ rank, from }: ZeroSlice, { models, optimizers }: Processes): Opened<unknown> {
  const opened = from === 'model' ? models[rank] : optimizers[rank]
  if (opened === undefined) throw new RangeError(`there is no process ${rank}`)
  return opened
}

function tensorOf(slice: ZeroSlice, processes: Processes): TensorInfo {
  const { file, byNode } = fileOf(slice, processes)
  const info = byNode.get(innermost(slice.node))
  if (info === undefined) throw new FormatError(`${file.path}: a piece of the weights is not among its tensors`)
  return info
}

function dtypeOf(slice: ZeroSlice, processes: Processes): string {
  return tensorOf(slice, processes).dtype
}

function sizeOf(slice: ZeroSlice | undefined, processes: Processes): number {
  return slice === undefined ? 4 : itemSizeOf(tensorOf(slice, processes))
}
