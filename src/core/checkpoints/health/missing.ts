/** What can be known of a checkpoint's files from their names alone. */
import { groupBy } from '../../grouped.js'
import { basename } from 'node:path'
import { isUnlisted, type Checkpoint, type Finding } from '../../checkpoint.js'

/** So many others must have a file before its absence means something. */
export const fewestWitnesses = 2

/**
 * For each checkpoint of a run, by its path, what its names show to be missing: a file that every other one has,
 * or a part of a sharded model. Those still being written are not witnesses.
 */
export function findMissing(siblings: readonly Checkpoint[]): ReadonlyMap<string, readonly Finding[]> {
  const found = findings.get(siblings) ?? findMissingIn(siblings)
  findings.set(siblings, found)
  return found
}

/** By list, which may be asked about for each of its thousands. */
const findings = new WeakMap<readonly Checkpoint[], ReadonlyMap<string, readonly Finding[]>>()

function findMissingIn(siblings: readonly Checkpoint[]): ReadonlyMap<string, readonly Finding[]> {
  const found = new Map<string, Finding[]>()
  for (const group of groupBy(siblings, ({ layout }) => layout).values()) {
    for (const [path, findings] of missingAmong(group)) found.set(path, findings)
  }
  for (const checkpoint of siblings) {
    if (!checkpoint.files.some((file) => file.path.includes(shardMark))) continue
    const findings = findMissingShards(checkpoint.files.map((file) => basename(file.path)))
    if (findings.length > 0) found.set(checkpoint.path, [...findings, ...(found.get(checkpoint.path) ?? [])])
  }
  return found
}

function missingAmong(group: readonly Checkpoint[]): Map<string, Finding[]> {
  const witnesses = group.filter((checkpoint) => canWitness(checkpoint))
  const counts = countKeys(witnesses)
  const missing = new Map<string, Finding[]>()
  for (const checkpoint of group) {
    if (isUnlisted(checkpoint)) continue
    const others = witnesses.length - (canWitness(checkpoint) ? 1 : 0)
    if (others < fewestWitnesses) continue
    // A file that it lacks and all others have is counted exactly as often as there are others.
    if (checkpoint.files.length === counts.size && witnesses.length === group.length) continue
    const keys = new Set([...checkpoint.files.map((file) => file.key), ...droppedKeys(checkpoint)])
    for (const [key, { count, name, optional }] of counts) {
      if (count !== others || optional || keys.has(key)) continue
      const reason = `not there, and each of the ${others} other checkpoints has it`
      const findings = missing.get(checkpoint.path) ?? []
      missing.set(checkpoint.path, findings)
      findings.push({ grade: 'partial', file: name, reason })
    }
  }
  return missing
}

function canWitness(checkpoint: Checkpoint): boolean {
  return checkpoint.files.length > 0 && checkpoint.health.findings.every((finding) => finding.grade !== 'unfinished')
}

function droppedKeys(checkpoint: Checkpoint): string[] {
  return (checkpoint.demoted ?? []).flatMap(({ key }) => (key === null ? [] : [key]))
}

interface Count {
  count: number
  readonly name: string
  readonly optional: boolean
}

function countKeys(checkpoints: readonly Checkpoint[]): Map<string, Count> {
  const counts = new Map<string, Count>()
  for (const checkpoint of checkpoints) {
    for (const file of checkpoint.files) {
      const known = counts.get(file.key)
      if (known !== undefined) {
        known.count += 1
        continue
      }
      counts.set(file.key, { count: 1, name: basename(file.path), optional: file.optional === true })
    }
  }
  // What a demotion took was there: its absence elsewhere still means something.
  for (const checkpoint of checkpoints) {
    for (const key of droppedKeys(checkpoint)) {
      const known = counts.get(key)
      if (known !== undefined) known.count += 1
    }
  }
  return counts
}

/** `model-00001-of-00003.safetensors` (huggingface_hub, serialization/_base.py). */
const shard = /^(.*)-(\d{5})-of-(\d{5})(\.[^./]+)$/
/** What every such name holds. */
const shardMark = '-of-'
/** Parts that one checkpoint's findings name. */
const mostNamed = 8

/**
 * Parts that are not there, by the count in the names of the others, and the index that is written after them all.
 * Where there is an index, it says which parts there must be: an older sharding may have left some of its own.
 */
export function findMissingShards(names: readonly string[]): Finding[] {
  const here = new Set(names)
  const findings: Finding[] = []
  for (const { stem, suffix, total } of shardSets(names)) {
    const index = `${stem}${suffix}.index.json`
    if (here.has(index)) continue
    const parts = Array.from({ length: total }, (_, part) => shardName(stem, part + 1, total, suffix))
    const absent = parts.filter((name) => !here.has(name))
    const present = total - absent.length
    for (const file of absent.slice(0, mostNamed)) {
      findings.push({ grade: 'partial', file, reason: `not there; ${present} of ${total} parts are` })
    }
    const reason = `not there; it is written after the ${total} parts, of which ${present} are there`
    findings.push({ grade: 'partial', file: index, reason })
  }
  return findings
}

interface ShardSet {
  readonly stem: string
  readonly suffix: string
  readonly total: number
}

function shardSets(names: readonly string[]): ShardSet[] {
  const sets = new Map<string, ShardSet>()
  for (const name of names) {
    const [, stem, , total, suffix] = shard.exec(name) ?? []
    if (stem === undefined || total === undefined || suffix === undefined) continue
    sets.set(`${stem}/${total}${suffix}`, { stem, suffix, total: Number(total) })
  }
  return [...sets.values()]
}

function shardName(stem: string, part: number, total: number, suffix: string): string {
  const digits = (count: number): string => String(count).padStart(5, '0')
  return `${stem}-${digits(part)}-of-${digits(total)}${suffix}`
}
