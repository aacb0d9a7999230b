/** TensorFlow's index has a checksum of every tensor, of texts too, which is compared where all of it is read. */
import type { Finding } from '../../checkpoint.js'
import { CkptError, FormatError, StorageError } from '../../errors.js'
import type { ReadStorage } from '../../storage/storage.js'
import { openTensorFlowWithTexts, readThrough, type TensorFile } from '../../tensors/read/index.js'
import { findingOf, type MeasuredFile } from '../layouts/index.js'

/** Tensors that findings name. */
const mostNamed = 8

/** What is wrong with the tensors of the indexes among `files`. Throws CkptError `interrupted`. */
export async function inspectTensorFlow(
  storage: ReadStorage,
  files: readonly MeasuredFile[],
  signal: AbortSignal | undefined,
): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const { name, path } of files) {
    if (!name.endsWith('.index') || !files.some((file) => file.name.startsWith(name.replace(/index$/, 'data-'))))
      continue
    findings.push(...(await tensorsOf(storage, path, name, signal)))
  }
  return findings
}

async function tensorsOf(
  storage: ReadStorage,
  path: string,
  file: string,
  signal: AbortSignal | undefined,
): Promise<Finding[]> {
  let opened: TensorFile
  try {
    opened = await openTensorFlowWithTexts(storage, path)
  } catch (error) {
    return explain(error, file)
  }
  const findings: Finding[] = []
  try {
    for (const tensor of opened.tensors) {
      if (signal?.aborted === true) throw new CkptError('interrupted', 'interrupted while checking')
      if (findings.length === mostNamed) break
      try {
        await readThrough(await opened.dataOf(tensor))
      } catch (error) {
        findings.push(...explain(error, file))
      }
    }
  } finally {
    await opened.close()
  }
  return findings
}

function explain(error: unknown, file: string): Finding[] {
  if (error instanceof FormatError) {
    return error.code === 'refused' ? [] : [{ grade: 'corrupt', file, reason: error.message }]
  }
  if (!(error instanceof StorageError)) throw error
  const finding = findingOf(error, file)
  return finding === null ? [] : [finding]
}
