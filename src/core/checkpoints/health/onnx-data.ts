/** Files that the weights of an ONNX model lie in, beside it: where they are not whole, the model is not. */
import { dirname, join } from 'node:path'
import type { Finding } from '../../checkpoint.js'
import { checkOnnx } from '../../formats/protobuf/onnx-fields.js'
import { suffixOf } from '../../formats/text/suffix.js'
import { sourceOf, withFile } from '../../storage/file-source.js'
import type { ReadStorage } from '../../storage/storage.js'

export function isOnnx(name: string): boolean {
  return suffixOf(name).toLowerCase() === 'onnx'
}

/** `path` is absolute and of a sound file, `name` what messages call it. */
export async function findMissingData(storage: ReadStorage, path: string, name: string): Promise<Finding[]> {
  const needed = await withFile(storage, path, (handle) => checkOnnx(sourceOf(handle)))
  const files = [...needed]
  const stats = await storage.stat(files.map(([file]) => (isWithin(file) ? join(dirname(path), file) : path)))
  return files.flatMap(([file, bytes], index): Finding[] => {
    const shown = JSON.stringify(file.slice(0, 200))
    const findingOf = (grade: Finding['grade'], reason: string): Finding[] => [{ grade, file: name, reason }]
    if (!isWithin(file))
      return findingOf('corrupt', `its weights lie in ${shown}, outside of its folder, where none are read`)
    const stat = stats[index]
    if (stat?.ok !== true) return findingOf('partial', `its weights lie in ${shown}, which is not there`)
    const { size } = stat.value
    if (size >= bytes) return []
    return findingOf('corrupt', `its weights take ${bytes} bytes of ${shown}, which ends early: it has ${size}`)
  })
}

/** As ONNX asks of a location (onnx/checker.cc): relative, and not upwards. */
function isWithin(file: string): boolean {
  return !/^[/\\]|\0/.test(file) && !file.split(/[/\\]/).includes('..')
}
