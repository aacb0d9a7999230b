/**
 * What NeMo 1 saves with a model that is shared out: each rank's part under the same name, in a folder of the rank beside
 * the others, `mp_rank_00/x.ckpt`, or `tp_rank_00_pp_rank_000/x.ckpt` where there are stages too
 * (nemo/utils/model_utils.py, `inject_model_parallel_rank`). All ranks together are the checkpoint `x.ckpt`.
 */
import { dirname } from 'node:path'
import { healthFrom, type Checkpoint, type Finding, type ParamFile } from '../../../checkpoint.js'
import { groupBy } from '../../../grouped.js'
import { compareText } from '../folders.js'

const rankFolder = /^(?:mp_rank_\d+|tp_rank_\d+_pp_rank_\d+)$/

/** True for the name of a folder that holds one rank's parts. */
export function isRankFolder(name: string): boolean {
  return rankFolder.test(name)
}

/** The rank's folder, and the name that all ranks have in common; null for a name of no rank. */
function partsOf(name: string): { readonly rank: string; readonly shared: string } | null {
  const slash = name.indexOf('/')
  const rank = name.slice(0, Math.max(slash, 0))
  return isRankFolder(rank) ? { rank, shared: name.slice(slash + 1) } : null
}

/** The name without the folder of a rank that it may begin with. */
export function withoutRank(name: string): string {
  return partsOf(name)?.shared ?? name
}

/** The same part of every rank becomes one checkpoint. One that a single rank has stays what it is, and is partial. */
export function joinRanks(checkpoints: readonly Checkpoint[]): readonly Checkpoint[] {
  const ranked = checkpoints.filter(({ name }) => partsOf(name) !== null)
  const ranks = [...new Set(ranked.map(({ name }) => partsOf(name)?.rank ?? ''))].sort(compareText)
  if (ranks.length < 2) return checkpoints
  const taken = new Set(checkpoints.map(({ name }) => name))
  const joined = new Map<Checkpoint, Checkpoint>()
  const names = new Map<string, string>()
  for (const [shared, parts] of groupBy(ranked, ({ name }) => partsOf(name)?.shared ?? name)) {
    const [first] = parts
    if (first === undefined) continue
    const name = parts.length < 2 || taken.has(shared) ? first.name : shared
    joined.set(first, joinAll(first, name, parts, absentFrom(ranks, shared, parts)))
    for (const part of parts) names.set(part.name, name)
  }
  return checkpoints.flatMap((one) => {
    const whole = joined.get(one)
    if (whole !== undefined) return [renamed(whole, names)]
    return names.has(one.name) ? [] : [renamed(one, names)]
  })
}

function absentFrom(ranks: readonly string[], shared: string, parts: readonly Checkpoint[]): Finding[] {
  const there = new Set(parts.map(({ name }) => name))
  const absent = ranks.map((rank) => `${rank}/${shared}`).filter((name) => !there.has(name))
  const others = `${parts.length} of ${ranks.length} ranks have it`
  return absent.map((name) => ({ grade: 'partial', reason: `${name} is not there; ${others}` }))
}

function joinAll(
  first: Checkpoint,
  name: string,
  parts: readonly Checkpoint[],
  absent: readonly Finding[],
): Checkpoint {
  const own = parts.flatMap((part) =>
    part.health.findings.map((finding): Finding => ({ ...finding, file: finding.file ?? part.name })),
  )
  const health = healthFrom('none', [...absent, ...own])
  if (parts.length < 2) return { ...first, health }
  return {
    ...first,
    name,
    path: `${first.run}/${name}`,
    kind: 'group',
    members: parts.flatMap(({ members }) => members).sort((a, b) => compareText(a.path, b.path)),
    files: parts.flatMap(filesOfRank).sort((a, b) => compareText(a.key, b.key)),
    health,
  }
}

function filesOfRank({ name, files }: Checkpoint): ParamFile[] {
  return files.map((file) => ({ ...file, key: `${dirname(name)}/${file.key}` }))
}

/** What pointed to a rank's part points to the whole. */
function renamed(checkpoint: Checkpoint, names: ReadonlyMap<string, string>): Checkpoint {
  const pointsTo = checkpoint.pointsTo.map((pointer) => ({ ...pointer, name: names.get(pointer.name) ?? pointer.name }))
  const { sameAs, ...rest } = checkpoint
  const original = sameAs === undefined ? undefined : (names.get(sameAs) ?? sameAs)
  return { ...rest, pointsTo, ...(original === undefined || original === rest.name ? {} : { sameAs: original }) }
}
