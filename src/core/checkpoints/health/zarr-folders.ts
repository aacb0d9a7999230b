/** Orbax without OCDBT: each array is a folder, with a file for each chunk, and what is not there is read as no error. */
import type { Finding } from '../../checkpoint.js'
import { FormatError, StorageError } from '../../errors.js'
import { parseZarr2, parseZarr3, type ZarrArray } from '../../formats/tensorstore/zarr.js'
import type { ReadStorage } from '../../storage/storage.js'
import { listOrbaxArrays } from '../../tensors/read/index.js'
import type { MeasuredFile } from '../layouts/index.js'
import { missing } from './process-files.js'

const treeName = '_METADATA'
/** Bytes of what describes one array. */
const largestArray = 1 << 20

/** What the trees among `files`, which are all of one checkpoint, name and is not there, or has no bytes. */
export async function inspectZarrFolders(storage: ReadStorage, files: readonly MeasuredFile[]): Promise<Finding[]> {
  const names = new Map(files.map((file) => [file.name, file]))
  const findings: Finding[] = []
  for (const { name, path, stat } of files) {
    if (!isZarrTree(name) || stat?.kind !== 'file' || stat.size === 0) continue
    const above = name.slice(0, -treeName.length)
    if (names.has(`${above}manifest.ocdbt`) || files.some((file) => file.name.startsWith(`${above}ocdbt.process_`)))
      continue
    const arrays = await orElse(listOrbaxArrays(storage, path.slice(0, -treeName.length - 1)), [])
    for (const array of arrays) findings.push(...(await inspectArray(storage, names, above + array, name)))
  }
  return findings
}

export function isZarrTree(name: string): boolean {
  return name === treeName || name.endsWith(`/${treeName}`)
}

async function inspectArray(
  storage: ReadStorage,
  names: ReadonlyMap<string, MeasuredFile>,
  array: string,
  tree: string,
): Promise<Finding[]> {
  for (const [own, parse] of [
    ['.zarray', parseZarr2],
    ['zarr.json', parseZarr3],
  ] as const) {
    const file = names.get(`${array}/${own}`)
    if (file === undefined) continue
    const [bytes] = await storage.read([file.path], largestArray)
    // What is broken about it is reported for the file itself.
    if (bytes?.ok !== true) return []
    const keys = await orElse(keysOf(array, parse, bytes.value), [])
    return inspectChunks(
      names,
      keys.map((key) => `${array}/${key}`),
      file.name,
    )
  }
  return [{ grade: 'partial', file: `${array}/.zarray`, reason: `not there, though ${tree} names this array` }]
}

async function keysOf(array: string, parse: (bytes: Uint8Array) => ZarrArray, bytes: Uint8Array): Promise<string[]> {
  const { chunkKeys } = await import('../../tensors/read/zarr-array.js')
  return chunkKeys(array, parse(bytes))
}

function inspectChunks(names: ReadonlyMap<string, MeasuredFile>, chunks: readonly string[], by: string): Finding[] {
  const absent = chunks.filter((name) => !names.has(name))
  const reason = `not there; ${chunks.length - absent.length} of ${chunks.length} chunks are that ${by} tells of`
  const empty = chunks.filter((name) => names.get(name)?.stat?.size === 0)
  return [...missing(absent, reason), ...empty.map((file): Finding => ({ grade: 'corrupt', file, reason: '0 bytes' }))]
}

/** What cannot be read, or is of a kind that is not known here, says nothing. */
async function orElse<T>(asked: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof FormatError || error instanceof StorageError) return otherwise
    throw error
  }
}
