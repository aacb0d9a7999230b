/** Files that the weights of an ONNX model lie in, beside it: where they are not whole, the model is not. */
import { dirname, join } from 'node:path'
import type { Finding } from '../../checkpoint.js'
import { checkOnnx } from '../../formats/protobuf/onnx-fields.js'
import { suffixOf } from '../../formats/text/suffix.js'
import { sourceOf, withFile } from '../../storage/file-source.js'
import type { ReadStorage, Result, Stat } from '../../storage/storage.js'
import { SummedFindings } from './summed-findings.js'

export function isOnnx(name: string): boolean {
  return suffixOf(name).toLowerCase() === 'onnx'
}

const kinds = {
  elsewhere: { grade: 'corrupt', what: 'do not lie in its folder' },
  absent: { grade: 'partial', what: 'are not there' },
  cut: { grade: 'corrupt', what: 'end early' },
} as const

/** `path` is absolute and of a sound file, `name` what messages call it. */
export async function findMissingData(storage: ReadStorage, path: string, name: string): Promise<Finding[]> {
  const needed = await withFile(storage, path, (handle) => checkOnnx(sourceOf(handle)))
  const within = [...needed.keys()].filter(isWithin)
  const stats = await storage.stat(within.map((file) => join(dirname(path), file)))
  const statOf = new Map(within.map((file, index) => [file, stats[index]]))
  const findings = new SummedFindings(name, kinds)
  for (const [file, bytes] of needed) {
    const fault = faultOf(bytes, statOf.get(file))
    if (fault === null) continue
    findings.add(fault.kind, () => {
      const reason = `its weights ${fault.reason(JSON.stringify(file.slice(0, 200)))}`
      return { grade: kinds[fault.kind].grade, file: name, reason }
    })
  }
  return findings.summedUp()
}

interface Fault {
  readonly kind: keyof typeof kinds
  /** What is said of the file, which goes by `shown`. */
  reason(shown: string): string
}

/** What is wrong with a file that must have so many bytes; `stat` is undefined for one that is not looked at. */
function faultOf(bytes: number, stat: Result<Stat> | undefined): Fault | null {
  if (stat === undefined)
    return { kind: 'elsewhere', reason: (shown) => `lie in ${shown}, outside of its folder, where none are read` }
  if (!stat.ok) return { kind: 'absent', reason: (shown) => `lie in ${shown}, which is not there` }
  const { size } = stat.value
  if (size >= bytes) return null
  return { kind: 'cut', reason: (shown) => `take ${bytes} bytes of ${shown}, which ends early: it has ${size}` }
}

/** As ONNX asks of a location (onnx/checker.cc): relative, and not upwards. */
function isWithin(file: string): boolean {
  return !/^[/\\]|\0/.test(file) && !file.split(/[/\\]/).includes('..')
}
