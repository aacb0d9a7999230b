/**
 * Checkpoints that several processes write together: are the files of all of them there, at their full length? What
 * was written says how many there were (docs/health.md).
 */
import { basename } from 'node:path'
import type { Finding } from '../../checkpoint.js'
import { FormatError } from '../../errors.js'
import { readDcpLengths } from '../../formats/torch/dcp-metadata.js'
import { isJsonObject, parseJson } from '../../formats/text/json.js'
import { countOf, itemsOf, type PickleNode } from '../../formats/pickle/index.js'
import { groupBy } from '../../grouped.js'
import type { ReadStorage } from '../../storage/storage.js'
import { findingOf, type MeasuredFile } from '../layouts/index.js'
import { inspectOneSave } from './one-save.js'
import { byFolder, missing, mostRanks, pad, range, readRoot, valueOf, type Folder } from './process-files.js'
import { inspectRandomStates } from './random-states.js'
import { countRanks, findMissingRanks, inspectModelParallel } from './ranks.js'

/** Bytes of a `.metadata`, of which a model of a hundred thousand pieces has 30 MB. */
const largestMetadata = 512 << 20

/** What is missing or too short among `files`, which are all of one checkpoint. */
export async function inspectDistributed(storage: ReadStorage, files: readonly MeasuredFile[]): Promise<Finding[]> {
  const folders = byFolder(files)
  const findings: Finding[] = []
  if (!files.some(isOfProcesses)) {
    for (const [folder, here] of folders) findings.push(...(await inspectIntegrity(storage, folder, here)))
    return [...findings, ...(await inspectLatest(storage, folders))]
  }
  let processes = 0
  for (const [folder, here] of folders) {
    const dcp = await inspectDcp(storage, folder, here)
    const deepSpeed = await inspectDeepSpeed(storage, folder, here)
    findings.push(...dcp.findings, ...deepSpeed.findings, ...(await inspectIntegrity(storage, folder, here)))
    processes = Math.max(processes, dcp.processes, deepSpeed.processes)
  }
  const together = Math.max(processes, countRanks(files))
  findings.push(...(await inspectLatest(storage, folders)), ...(await inspectRandomStates(storage, files, together)))
  findings.push(...(await inspectModelParallel(storage, folders)), ...findMissingRanks(files))
  return findings
}

/** False where `inspectDistributed` finds nothing in files of these names. */
export function mayBeDistributed(names: readonly string[]): boolean {
  return names.some((name) => name.includes('/') || name === integrityFile || signs.some((sign) => name.includes(sign)))
}

/** Names of files that one process of several wrote have one of these in them. */
const signs = ['.metadata', 'rank', 'rng_state_', 'random_states_', 'layer_']

function isOfProcesses({ name }: MeasuredFile): boolean {
  return signs.some((sign) => name.includes(sign))
}

/** What one folder's files tell. */
interface Inspected {
  readonly findings: readonly Finding[]
  /** At least this many processes took part; 0 if unknown. */
  readonly processes: number
}

const nothing: Inspected = { findings: [], processes: 0 }

/** `__3_0.distcp` is the first file of rank 3; without coordination each rank has a `.metadata` of its own. */
const dcpFile = /^__(\d+)_\d+\.distcp$/
const dcpMetadata = /^(__\d+)?\.metadata$/

async function inspectDcp(storage: ReadStorage, folder: string, here: Folder): Promise<Inspected> {
  const findings: Finding[] = []
  let processes = 0
  for (const [own, file] of here) {
    if (!dcpMetadata.test(own) || file.stat?.kind !== 'file') continue
    const read = await readLengths(storage, file)
    if ('findings' in read) {
      findings.push(...read.findings)
      continue
    }
    const { lengths, isMegatrons } = read
    for (const name of lengths.keys()) processes = Math.max(processes, Number(dcpFile.exec(name)?.[1] ?? -1) + 1)
    findings.push(...findShort(folder, here, lengths, file.name))
    if (isMegatrons && !here.has('metadata.json')) findings.push(...missing([`${folder}metadata.json`], megatronReason))
  }
  return { findings, processes }
}

interface DcpFacts {
  /** By name, how long a file is at least. */
  readonly lengths: ReadonlyMap<string, number>
  readonly isMegatrons: boolean
}

/** Megatron's own `.metadata` (core/dist_checkpointing/strategies/torch.py, `MCoreMetadata`). */
const megatronsClass = 'megatron.core.dist_checkpointing'
const megatronReason = 'not there; Megatron writes it last, and takes a folder without it for no checkpoint'

async function readLengths(
  storage: ReadStorage,
  file: MeasuredFile,
): Promise<DcpFacts | { readonly findings: readonly Finding[] }> {
  const [bytes] = await storage.read([file.path], largestMetadata)
  if (bytes === undefined) return { findings: [] }
  if (!bytes.ok) {
    const finding = findingOf(bytes.error, file.name)
    return { findings: finding === null ? [] : [finding] }
  }
  try {
    return { lengths: readDcpLengths(bytes.value), isMegatrons: Buffer.from(bytes.value).includes(megatronsClass) }
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    return { findings: [{ grade: 'corrupt', file: file.name, reason: error.message }] }
  }
}

function findShort(folder: string, here: Folder, lengths: ReadonlyMap<string, number>, by: string): Finding[] {
  const absent = [...lengths.keys()].filter((name) => !here.has(name)).sort()
  const there = lengths.size - absent.length
  const reason = `not there, though ${by} names it; ${there} of its ${lengths.size} files are`
  const short = [...lengths].flatMap(([name, length]): Finding[] => {
    const size = here.get(name)?.stat?.size
    if (size === undefined || size >= length || size === 0) return []
    return [
      {
        grade: 'corrupt',
        file: folder + name,
        reason: `ends early: ${size} of at least ${length} bytes, as ${by} says`,
      },
    ]
  })
  return [
    ...missing(
      absent.map((name) => folder + name),
      reason,
    ),
    ...short,
  ]
}

/** deepspeed/runtime/engine.py: `_get_zero_ckpt_name`, `_get_rank_zero_ckpt_name`, `_get_expert_ckpt_name`. */
const zeroFile = /^(?<head>.*?)zero_pp_rank_(?<dp>\d+)_mp_rank_(?<mp>\d+)(?<tail>_(?:optim|model)_states\.pt)$/
const expertFile = /^(?<head>expp_rank_)(?<dp>\d+)_mp_rank_(?<mp>\d+)(?<tail>_optim_states\.pt)$/
const modelFile = /^mp_rank_(\d+)_model_states\.pt$/

async function inspectDeepSpeed(storage: ReadStorage, folder: string, here: Folder): Promise<Inspected> {
  const names = [...here.keys()].filter((name) => zeroFile.test(name) || modelFile.test(name) || expertFile.test(name))
  if (names.length === 0) return nothing
  const world = await readWorld(
    storage,
    names.flatMap((name) => here.get(name) ?? []),
  )
  const dp = Math.max(world.dp, ...names.map((name) => rankIn(name, 'dp') + 1))
  const mp = Math.max(
    world.mp,
    ...names.map((name) => Math.max(rankIn(name, 'mp'), Number(modelFile.exec(name)?.[1] ?? -1)) + 1),
  )
  const kinds = new Map(names.map((name) => [kindOf(name), name]))
  const expected = new Set([...kinds.values()].flatMap((name) => likeIt(name, dp, mp)))
  // Each part of the optimizer goes with a state of the model: one for all, or in stage 3 one for each process.
  if (!names.some((name) => name.endsWith(modelTail))) for (const m of range(mp)) expected.add(modelName(m))
  const absent = [...expected].filter((name) => !here.has(name)).sort()
  const sure = `dp_world_size is ${dp} and mp_world_size ${mp}`
  const reason = `not there; ${expected.size - absent.length} of ${expected.size} files of this kind are, and ${sure}`
  const gone = missing(
    absent.map((name) => folder + name),
    reason,
  )
  return { findings: [...gone, ...(await inspectSaves(storage, here, names))], processes: dp * mp }
}

/** The files of the model's states say their steps to each other, and so do those of each kind of optimizer states. */
async function inspectSaves(storage: ReadStorage, here: Folder, names: readonly string[]): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const [, alike] of groupBy(names, (name) => (name.endsWith(modelTail) ? modelTail : kindOf(name)))) {
    findings.push(
      ...(await inspectOneSave(
        storage,
        alike.flatMap((name) => here.get(name) ?? []),
      )),
    )
  }
  return findings
}

const modelTail = '_model_states.pt'

function modelName(rank: number): string {
  return `mp_rank_${pad(rank, 2)}${modelTail}`
}

function rankIn(name: string, which: 'dp' | 'mp'): number {
  const { groups } = zeroFile.exec(name) ?? expertFile.exec(name) ?? {}
  return Number(groups?.[which] ?? -1)
}

/** What names of the same files of several ranks have in common; that of an expert's file is of no other. */
function kindOf(name: string): string {
  const { head, tail } = zeroFile.exec(name)?.groups ?? {}
  if (head !== undefined && tail !== undefined) return `${head}*${tail}`
  return modelFile.test(name) ? modelTail : name
}

/** The names of the same kind for all ranks: two digits for those of the model's parts. */
function likeIt(name: string, dp: number, mp: number): string[] {
  const zero = zeroFile.exec(name)?.groups
  if (zero !== undefined) {
    const { head = '', tail = '' } = zero
    const most = Math.max(1, Math.floor(mostRanks / mp))
    return range(mp).flatMap((m) =>
      range(Math.min(dp, most)).map((d) => `${head}zero_pp_rank_${d}_mp_rank_${pad(m, 2)}${tail}`),
    )
  }
  return modelFile.test(name) ? range(mp).map(modelName) : [name]
}

/** How many processes shared the data and the model, as the first file says that can be read. 0 where none says it. */
async function readWorld(storage: ReadStorage, files: readonly MeasuredFile[]): Promise<{ dp: number; mp: number }> {
  // The state of the model tells both; that of the optimizer into how many parts it was cut.
  const sorted = files.toSorted((a, b) => Number(isOptimizer(a)) - Number(isOptimizer(b)))
  for (const { path, stat } of sorted) {
    if (stat?.kind !== 'file' || stat.size === 0) continue
    const root = await readRoot(storage, path)
    const dp = countOf(valueOf(root, 'dp_world_size')) ?? partitionsIn(valueOf(root, 'optimizer_state_dict'))
    if (dp !== undefined) return { dp, mp: countOf(valueOf(root, 'mp_world_size')) ?? 0 }
  }
  return { dp: 0, mp: 0 }
}

function isOptimizer({ name }: MeasuredFile): boolean {
  return name.endsWith('_optim_states.pt')
}

/** A number, or one for each group of parameters. */
function partitionsIn(state: PickleNode | undefined): number | undefined {
  const count = valueOf(state, 'partition_count')
  const counts = (itemsOf(count) ?? [count]).flatMap((one) => countOf(one) ?? [])
  return counts.length === 0 ? undefined : Math.max(...counts)
}

/** DeepSpeed finds its folder by `latest` beside it, which is written when all ranks are through; without, it starts anew. */
async function inspectLatest(storage: ReadStorage, folders: ReadonlyMap<string, Folder>): Promise<Finding[]> {
  const tags = [...folders.keys()].filter((folder) => folder !== '' && isDeepSpeed(folders.get(folder)))
  const findings: Finding[] = []
  for (const parent of new Set(tags.map((folder) => folder.slice(0, folder.lastIndexOf('/', folder.length - 2) + 1)))) {
    const latest = folders.get(parent)?.get('latest')
    if (latest === undefined) {
      const reason = 'not there; DeepSpeed writes it when all ranks are through, and finds its folder by it'
      findings.push({ grade: 'partial', file: `${parent}latest`, reason })
      continue
    }
    const [text] = await storage.read([latest.path], 4096)
    if (text?.ok !== true) continue
    const tag = new TextDecoder().decode(text.value).trim()
    if (tag === '')
      findings.push({ grade: 'corrupt', file: latest.name, reason: '0 bytes, and not the name of a folder' })
    else if (!folders.has(`${parent}${tag}/`)) {
      findings.push({ grade: 'partial', file: latest.name, reason: `names ${JSON.stringify(tag)}, which is not there` })
    }
  }
  return findings
}

function isDeepSpeed(folder: Folder | undefined): boolean {
  return [...(folder?.keys() ?? [])].some((name) => zeroFile.test(name) || modelFile.test(name))
}

/** Megatron's list of what belongs to it (megatron/core/dist_checkpointing/validation.py). */
const integrityFile = 'integrity.json'

async function inspectIntegrity(storage: ReadStorage, folder: string, here: Folder): Promise<Finding[]> {
  const file = here.get(integrityFile)
  if (file === undefined) return []
  const listed = await readIntegrity(storage, file)
  const absent = [...(listed?.keys() ?? [])].filter((name) => !here.has(name)).sort()
  return missing(
    absent.map((name) => folder + name),
    `not there, though ${file.name} lists it`,
  )
}

/** By name in the checkpoint, the SHA-256 that its framework wrote down. */
export async function expectedSums(
  storage: ReadStorage,
  files: readonly MeasuredFile[],
): Promise<ReadonlyMap<string, string>> {
  const expected = new Map<string, string>()
  for (const file of files) {
    if (basename(file.name) !== integrityFile) continue
    const folder = file.name.slice(0, -integrityFile.length)
    for (const [name, sum] of (await readIntegrity(storage, file)) ?? []) expected.set(folder + name, sum)
  }
  return expected
}

/** By name the SHA-256 in lower-case hexadecimal digits; null where it holds no such list. */
async function readIntegrity(storage: ReadStorage, file: MeasuredFile): Promise<ReadonlyMap<string, string> | null> {
  const [bytes] = await storage.read([file.path], largestMetadata)
  if (bytes?.ok !== true) return null
  try {
    const list = parseJson(bytes.value)
    const sums = isJsonObject(list) && list.get('algorithm') === 'sha256' ? list.get('files') : undefined
    if (!isJsonObject(sums)) return null
    return new Map([...sums].flatMap(([name, sum]) => (typeof sum === 'string' ? [[name, sum.toLowerCase()]] : [])))
  } catch (error) {
    // That it is not JSON is reported for the file itself.
    if (error instanceof FormatError) return null
    throw error
  }
}
