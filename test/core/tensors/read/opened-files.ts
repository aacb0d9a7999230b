/** Files of tensors opened while a test runs. */
import { whenTestIsOver } from '../../../when-over.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { openTensors, type TensorFile } from '../../../../src/core/tensors/read/index.js'

const open: TensorFile[] = []

whenTestIsOver(async () => {
  for (const file of open.splice(0)) await file.close()
})

/** Closed when the test ends. */
export function closedLater(file: TensorFile): TensorFile {
  open.push(file)
  return file
}

export async function opened(path: string): Promise<TensorFile> {
  return closedLater(await openTensors(localStorage(), path))
}
