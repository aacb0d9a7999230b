/**
 * EvalCallback's `evaluations.npz` (stable_baselines3/common/callbacks.py): `timesteps`, and of each evaluation a row of
 * `results`, the rewards of its episodes. Their mean is what it takes its best by.
 */
import { isMeta, type Meta, type MetaValue } from '../../../checkpoint.js'
import { elementTypes } from '../../../formats/bytes/elements.js'
import { readSmallEntry, readZip, type ZipArchive } from '../../../formats/archives/zip.js'
import type { ByteSource } from '../../../formats/bytes/byte-source.js'
import { arrayType, parseNpyHeader } from '../../../formats/numpy/npy.js'
import type { FileLook, Question } from '../spec.js'

/** Bytes of one array. */
const largestArray = 64 << 20

/** Rows with `step` and `mean_reward`. Throws FormatError. */
export async function evaluationsIn(look: FileLook): Promise<readonly Meta[]> {
  if (!look.is.has('zip') || look.broken !== null) return []
  return look.answer(evaluations)
}

const evaluations: Question<readonly Meta[]> = {
  text: 'evaluations of stable-baselines3',
  fits: (value): value is readonly Meta[] => Array.isArray(value) && (value as readonly MetaValue[]).every(isMeta),
  ask: async ({ source }) => {
    const archive = await readZip(source)
    const [steps, results] = [await arrayIn(source, archive, 'timesteps'), await arrayIn(source, archive, 'results')]
    if (steps === null || results === null || steps.length === 0) return []
    const each = results.length / steps.length
    if (!Number.isInteger(each) || each === 0) return []
    return steps.map((step, at): Meta => {
      return new Map([
        ['step', step],
        ['mean_reward', pairwiseSum(results.slice(at * each, (at + 1) * each)) / each],
      ])
    })
  },
}

/** In the order of rows; null for what is not there, or holds no real numbers. */
async function arrayIn(source: ByteSource, archive: ZipArchive, name: string): Promise<number[] | null> {
  const entry = archive.find(`${name}.npy`)
  if (entry === undefined) return null
  const bytes = await readSmallEntry(source, archive, entry, largestArray)
  const { descr, shape, isFortran, dataStart } = parseNpyHeader(bytes)
  const type = arrayType(descr)
  const reader = type === null ? undefined : elementTypes.get(type.name)
  if (type === null || reader === undefined || (isFortran && shape.length > 1)) return null
  const count = Math.floor((bytes.length - dataStart) / type.size)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: count }, (_, index) =>
    Number(reader.read(view, dataStart + index * type.size, type.littleEndian)),
  )
}

/** As numpy adds, so that the mean is the same to the last digit (numpy/_core/src/umath/loops_utils.h.src, `pairwise_sum`). */
function pairwiseSum(values: readonly number[]): number {
  if (values.length < 8) return values.reduce((sum, value) => sum + value, 0)
  if (values.length > 128) {
    const half = Math.floor(values.length / 2)
    const first = half - (half % 8)
    return pairwiseSum(values.slice(0, first)) + pairwiseSum(values.slice(first))
  }
  const whole = values.length - (values.length % 8)
  const sums = values.slice(0, 8)
  for (let at = 8; at < whole; at += 1) sums[at % 8] = (sums[at % 8] ?? 0) + (values[at] ?? 0)
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = sums
  return values.slice(whole).reduce((sum, value) => sum + value, a + b + (c + d) + (e + f + (g + h)))
}
