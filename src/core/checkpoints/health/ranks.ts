/** One file, or folder, for each process: of some of them only their own numbers tell how many there must be. */
import type { Finding } from '../../checkpoint.js'
import { countOf } from '../../formats/pickle/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import type { MeasuredFile } from '../layouts/index.js'
import { missing, mostRanks, pad, range, readRoot, valueOf, type Folder } from './process-files.js'
import { rankOfRandomState } from './random-states.js'

/** `mp_rank_01_003_002/`: the part of the tensors, of the pipeline, of the experts (megatron/training/checkpointing.py, `get_checkpoint_name`). */
const modelRank = /^(?<above>(?:.*\/)?)mp_rank_(?<t>\d{2})(?:_(?<p>\d{3}))?(?:_(?<e>\d{3}))?\/$/

/** What each folder has; the state of the data loader (`maybe_save_dataloader_state`) lies in the first alone. */
const ofEachRank = /^(?!train_dataloader_).*\.pt$/

/** Megatron's folders of the parts of a model: their number stands in what each saved, and each has the same files. */
export async function inspectModelParallel(
  storage: ReadStorage,
  folders: ReadonlyMap<string, Folder>,
): Promise<Finding[]> {
  const ranks = [...folders].filter(([name]) => modelRank.test(name))
  const [first] = ranks
  if (first === undefined) return []
  const above = modelRank.exec(first[0])?.groups?.['above'] ?? ''
  const expected = await expectedParts(storage, ranks)
  const here = new Set(ranks.map(([name]) => name))
  const all = new Set([...expected.map((name) => `${above}${name}/`), ...here])
  const names = new Set(ranks.flatMap(([, files]) => [...files.keys()].filter((name) => ofEachRank.test(name))))
  const absent = [...all].flatMap((folder) =>
    [...names].filter((name) => !folders.get(folder)?.has(name)).map((name) => folder + name),
  )
  return missing(absent.sort(), `not there; ${here.size} of ${all.size} parts of the model are`)
}

async function expectedParts(storage: ReadStorage, ranks: readonly (readonly [string, Folder])[]): Promise<string[]> {
  const sizes = { t: 1, p: 1, e: 1 }
  const listed = await readSizes(storage, ranks)
  for (const part of ['t', 'p', 'e'] as const) {
    const seen = ranks.map(([name]) => Number(modelRank.exec(name)?.groups?.[part] ?? 0) + 1)
    sizes[part] = Math.max(listed[part], ...seen)
  }
  if (sizes.t * sizes.p * sizes.e > mostRanks) return []
  // The second number is there where the pipeline has parts, the third where the experts have.
  const [hasP, hasE] = [sizes.p > 1, sizes.e > 1]
  return range(sizes.t).flatMap((t) =>
    range(sizes.p).flatMap((p) =>
      range(sizes.e).map((e) => `mp_rank_${pad(t, 2)}${hasP ? `_${pad(p, 3)}` : ''}${hasE ? `_${pad(e, 3)}` : ''}`),
    ),
  )
}

/** As the command line that Megatron saves with the model says; 0 where it does not. */
async function readSizes(
  storage: ReadStorage,
  ranks: readonly (readonly [string, Folder])[],
): Promise<{ readonly t: number; readonly p: number; readonly e: number }> {
  for (const [, files] of ranks) {
    const file = files.get('model_optim_rng.pt') ?? files.get('model_rng.pt')
    if (file?.stat?.kind !== 'file' || file.stat.size === 0) continue
    const args = valueOf(await readRoot(storage, file.path), 'args')
    const size = (name: string): number => countOf(valueOf(args, name)) ?? 0
    if (args !== undefined) {
      return {
        t: size('tensor_model_parallel_size'),
        p: size('pipeline_model_parallel_size'),
        e: size('expert_model_parallel_size'),
      }
    }
  }
  return { t: 0, p: 0, e: 0 }
}

/** Names with a process's number: FSDP's local states (`pytorch_model_fsdp_0_rank3.bin`), `model-rank-2.pt`. */
const rankFile = /^(?<head>.*[-_.]rank[-_]?)(?<rank>\d+)(?<tail>\.(?:bin|pt|pth|ckpt|safetensors|pkl))$/
/** DeepSpeed's layers of a pipeline (runtime/pipe/module.py, `ckpt_layer_path`), one file for each part of the tensors. */
const layerFile = /^(?<head>(?:.*\/)?layer_\d+-model_)(?<rank>\d+)(?<tail>-model_states\.pt)$/
/** DeepSpeed's experts (runtime/engine.py, `_get_expert_ckpt_name`), numbered within their layer. */
const expertFile = /^(?<head>(?:.*\/)?layer_\d+_expert_)(?<rank>\d+)(?<tail>_mp_rank_\d+_model_states\.pt)$/

/**
 * Files that the processes of others of their kind have: none of a process that took part is missing. Where the lowest
 * number is not 0, it is the disk of another node.
 */
export function findMissingRanks(files: readonly MeasuredFile[]): Finding[] {
  const names = files.map(({ name }) => name)
  const states = names.flatMap((name) => rankOfRandomState(name) ?? [])
  return [
    ...missingIn(sharedFamilies(names), states),
    ...missingIn(familiesOf(names, expertFile), [], 'each'),
    ...missingIn(familiesOf(names, layerFile), [0]),
  ]
}

/** At least this many processes wrote a file of their own; 0 if none did, or their files lie on another node. */
export function countRanks(files: readonly MeasuredFile[]): number {
  const families = sharedFamilies(files.map(({ name }) => name))
  const ranks = families.flatMap((family) => [...family.ranks])
  return ranks.includes(0) ? Math.max(...ranks) + 1 : 0
}

/** A lone file with a number is mostly what one process alone writes; FSDP's local states are of all. */
function sharedFamilies(names: readonly string[]): Family[] {
  return familiesOf(names, rankFile).filter(({ ranks, nameOf }) => ranks.size > 1 || /fsdp/i.test(nameOf(0)))
}

interface Family {
  readonly nameOf: (rank: number) => string
  readonly ranks: Set<number>
}

function familiesOf(names: readonly string[], pattern: RegExp): Family[] {
  const families = new Map<string, Family>()
  for (const name of names) {
    const { head, rank, tail } = pattern.exec(name)?.groups ?? {}
    if (head === undefined || rank === undefined || tail === undefined) continue
    const key = JSON.stringify([head, tail])
    const family = families.get(key) ?? {
      nameOf: (one: number) =>
        head + (rank.length > 1 && rank.startsWith('0') ? pad(one, rank.length) : String(one)) + tail,
      ranks: new Set<number>(),
    }
    families.set(key, family)
    family.ranks.add(Number(rank))
  }
  return [...families.values()]
}

/** `others` are processes that are known otherwise; `each`: a family says nothing of another. */
function missingIn(families: readonly Family[], others: readonly number[], how: 'all' | 'each' = 'all'): Finding[] {
  const together = [...others, ...families.flatMap(({ ranks }) => [...ranks])]
  return families.flatMap(({ nameOf, ranks }) => {
    const known = how === 'all' ? together : [...ranks]
    const [first, end] = [Math.min(...known), Math.min(Math.max(...known) + 1, mostRanks)]
    const absent = range(end - first)
      .map((rank) => first + rank)
      .filter((rank) => !ranks.has(rank))
    return missing(absent.map(nameOf), `not there; there are those of ${ranks.size} of ${end - first} processes`)
  })
}
