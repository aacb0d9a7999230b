/** Whether two files hold the very same tensors. */
import { readerOf } from '../read/reader.js'
import type { TensorFile, TensorInfo } from '../read/tensor.js'

const stride = 1 << 20

/** The same names, dtypes, shapes and bytes; it stops at the first difference. Throws as reading does. */
export async function haveSameValues(a: TensorFile, b: TensorFile): Promise<boolean> {
  const theirs = new Map(b.tensors.map((tensor) => [tensor.name, tensor]))
  if (theirs.size !== a.tensors.length) return false
  const pairs = a.tensors.map((tensor) => [tensor, theirs.get(tensor.name)] as const)
  if (!pairs.every(([own, other]) => other !== undefined && formOf(own) === formOf(other))) return false
  const buffers = [new Uint8Array(stride), new Uint8Array(stride)] as const
  for (const [own, other = own] of pairs) if (!(await areSame(a, own, b, other, buffers))) return false
  return true
}

function formOf({ dtype, shape }: TensorInfo): string {
  return `${dtype} ${shape.join()}`
}

async function areSame(
  fileA: TensorFile,
  a: TensorInfo,
  fileB: TensorFile,
  b: TensorInfo,
  buffers: readonly [Uint8Array, Uint8Array],
): Promise<boolean> {
  const [one, other] = [readerOf(await fileA.dataOf(a), buffers[0]), readerOf(await fileB.dataOf(b), buffers[1])]
  try {
    for (let left = a.bytes; left > 0; left -= stride) {
      const count = Math.min(stride, left)
      if (Buffer.compare(await one.take(count), await other.take(count)) !== 0) return false
    }
    return true
  } finally {
    await one.close()
    await other.close()
  }
}
