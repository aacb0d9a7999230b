/** Are all values of all tensors finite? (`verify --finite`) */
import { withHealth, type Checkpoint, type Finding } from '../../checkpoint.js'
import { CkptError, FormatError, StorageError } from '../../errors.js'
import { isIndexName } from '../../formats/safetensors/weight-map.js'
import { findLayout, listFiles, ScanTree, uniteFindings, type MeasuredFile } from '../layouts/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import {
  canBeNonFinite,
  findNonFinite,
  openTensors,
  type NonFinite,
  type TensorFile,
  type TensorInfo,
} from '../../tensors/read/index.js'
import type { HealthOptions } from './check.js'

/** Tensors that a finding names. */
const mostNamed = 3

/**
 * The checkpoints in order, with a finding for each file that has tensors with NaN or infinite values. Files that are
 * no tensors' (or damaged, which `checkHealth` tells) are passed over. Throws CkptError `interrupted`.
 */
export async function checkFinite(
  remembering: ReadStorage,
  checkpoints: readonly Checkpoint[],
  { onProgress, signal }: HealthOptions = {},
): Promise<Checkpoint[]> {
  const storage = ScanTree.readingFiles(remembering)
  const contents = await listFiles(storage, checkpoints)
  let total = 0
  for (const { files } of contents.values()) for (const { stat } of files) total += stat?.size ?? 0
  let done = 0
  const onBytes = (count: number): void => {
    if (signal?.aborted === true) throw new CkptError('interrupted', 'interrupted while reading')
    done += count
    onProgress?.(Math.min(done, total), total)
  }
  const scanned: Checkpoint[] = []
  for (const checkpoint of checkpoints) {
    const findings: Finding[] = []
    const layout = findLayout(checkpoint.layout)
    const isBookkeeping = (tensor: string) => layout?.isBookkeeping?.(tensor) === true
    for (const file of contents.get(checkpoint)?.files ?? []) {
      // An index opens as all of its shards, which are files of their own here.
      if (file.stat?.kind === 'file' && !isIndexName(file.name))
        findings.push(...(await scanFile(storage, file, isBookkeeping, onBytes)))
    }
    const { level } = checkpoint.health
    const all = uniteFindings(checkpoint.health.findings, findings)
    scanned.push(findings.length === 0 ? checkpoint : withHealth(checkpoint, level, all))
  }
  return scanned
}

async function scanFile(
  storage: ReadStorage,
  file: MeasuredFile,
  isBookkeeping: (tensor: string) => boolean,
  onBytes: (count: number) => void,
): Promise<Finding[]> {
  const tensors = await openIfTensors(storage, file.path)
  if (tensors === null) return []
  try {
    const judged = tensors.tensors.filter(
      ({ name, dtype, noted }) => noted !== true && canBeNonFinite(dtype) && !isBookkeeping(name),
    )
    return await scanTensors(tensors, judged, file.name, onBytes)
  } catch (error) {
    // It was cut while it was read, or its bytes are not what its header says: no values to judge.
    if (error instanceof FormatError || error instanceof StorageError) return []
    throw error
  } finally {
    await tensors.close()
  }
}

async function openIfTensors(storage: ReadStorage, path: string): Promise<TensorFile | null> {
  try {
    return await openTensors(storage, path)
  } catch (error) {
    if (error instanceof CkptError) return null
    throw error
  }
}

async function scanTensors(
  file: TensorFile,
  tensors: readonly TensorInfo[],
  name: string,
  onBytes: (count: number) => void,
): Promise<Finding[]> {
  const found: { readonly tensor: string; readonly values: NonFinite }[] = []
  for (const tensor of tensors) {
    const values = await findNonFinite(tensor.dtype, await file.dataOf(tensor), onBytes)
    if (values !== null) found.push({ tensor: tensor.name, values })
  }
  if (found.length === 0) return []
  const named = found.slice(0, mostNamed).map(({ tensor, values }) => describe(tensor, values))
  const more = found.length > mostNamed ? `; and ${found.length - mostNamed} more tensors` : ''
  return [{ grade: 'corrupt', file: name, reason: `values that are not finite: ${named.join('; ')}${more}` }]
}

function describe(tensor: string, { nan, infinite, first }: NonFinite): string {
  const parts = [...(nan > 0 ? [`${nan} NaN`] : []), ...(infinite > 0 ? [`${infinite} infinite`] : [])]
  return `${JSON.stringify(tensor)} has ${parts.join(' and ')}, the first at element ${first}`
}
