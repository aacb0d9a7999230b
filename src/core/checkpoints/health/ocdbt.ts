/**
 * Orbax keeps arrays in OCDBT, a tree in files of no suffix: that one of them was cut shows only to who follows the
 * tree from its manifest.
 */
import type { Finding } from '../../checkpoint.js'
import { FormatError, StorageError } from '../../errors.js'
import { walk, type ByteRange } from '../../formats/tensorstore/ocdbt/b-tree.js'
import { sourceOf } from '../../storage/file-source.js'
import type { ReadHandle, ReadStorage } from '../../storage/storage.js'
import { findingOf, type MeasuredFile } from '../layouts/index.js'

const manifestName = 'manifest.ocdbt'
/** Bytes of a manifest: it holds the latest versions alone. */
const largestManifest = 64 << 20
/** Each process writes one of its own; merged into the one above, which is what is read then. */
const ofProcess = /(^|\/)ocdbt\.process_\d+\/$/

/** What the manifests among `files`, which are all of one checkpoint, name and is not there at its full length. */
export async function inspectOcdbt(storage: ReadStorage, files: readonly MeasuredFile[]): Promise<Finding[]> {
  const names = new Map(files.map((file) => [file.name, file]))
  const findings: Finding[] = []
  for (const file of files) {
    if (!isOcdbtManifest(file.name) || file.stat?.kind !== 'file') continue
    const folder = file.name.slice(0, -manifestName.length)
    const isMerged = ofProcess.test(folder) && names.has(folder.replace(ofProcess, '$1') + manifestName)
    if (!isMerged && file.stat.size > 0) findings.push(...(await inspectOne(storage, names, folder, file)))
  }
  return findings
}

export function isOcdbtManifest(name: string): boolean {
  return name === manifestName || name.endsWith(`/${manifestName}`)
}

async function inspectOne(
  storage: ReadStorage,
  names: ReadonlyMap<string, MeasuredFile>,
  folder: string,
  manifest: MeasuredFile,
): Promise<Finding[]> {
  const open = new Map<string, ReadHandle>()
  const needed = new Map<string, number>()
  const note = ({ file, offset, length }: ByteRange): void => {
    needed.set(file, Math.max(needed.get(file) ?? 0, offset + length))
  }
  const [bytes] = await storage.read([manifest.path], largestManifest)
  if (bytes?.ok !== true) return []
  const read = async (range: ByteRange): Promise<Uint8Array> => {
    const path = names.get(folder + range.file)?.path
    const handle = path === undefined ? undefined : (open.get(path) ?? (await storage.open(path)))
    if (path === undefined || handle === undefined) throw new Gone()
    open.set(path, handle)
    if (handle.size < range.offset + range.length) throw new Gone()
    return sourceOf(handle).read(range.offset, range.length)
  }
  let broken: Finding[] = []
  try {
    for await (const found of walk(bytes.value, read)) {
      if (found.kind === 'node') note(found.range)
      else if (!(found.value instanceof Uint8Array)) note(found.value)
    }
  } catch (error) {
    broken = explain(error, manifest.name)
  } finally {
    for (const handle of open.values()) await handle.close()
  }
  return [...missingOrShort(names, folder, needed, manifest.name), ...broken]
}

/** A node that cannot be read; what is wrong with its file is reported there. */
class Gone extends Error {}

function explain(error: unknown, file: string): Finding[] {
  if (error instanceof Gone) return []
  if (error instanceof FormatError) {
    // Newer than what is known here: nothing is known against it.
    return error.code === 'refused' ? [] : [{ grade: 'corrupt', file, reason: error.message }]
  }
  if (error instanceof StorageError) {
    const finding = findingOf(error, file)
    return finding === null ? [] : [finding]
  }
  throw error
}

function missingOrShort(
  names: ReadonlyMap<string, MeasuredFile>,
  folder: string,
  needed: ReadonlyMap<string, number>,
  by: string,
): Finding[] {
  return [...needed].flatMap(([name, length]): Finding[] => {
    const file = folder + name
    const size = names.get(file)?.stat?.size
    if (size === undefined) return [{ grade: 'partial', file, reason: `not there, though ${by} leads to it` }]
    if (size >= length) return []
    return [{ grade: 'corrupt', file, reason: `ends early: ${size} of at least ${length} bytes, as ${by} says` }]
  })
}
