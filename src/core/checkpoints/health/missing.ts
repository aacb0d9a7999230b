/** Which files of a checkpoint are missing, judged from names alone. */
import { groupBy } from '../../grouped.js'
import { basename, extname } from 'node:path'
import { isUnlisted, type Checkpoint, type Finding, type Role } from '../../checkpoint.js'
import {
  isStemOfProcess,
  pathOfProcess,
  processPart,
  type ProcessPart,
} from '../../formats/safetensors/process-parts.js'
import { alikeByFiles, findLayout, type Alike } from '../layouts/index.js'
import { isMissed } from './random-states.js'
import { missedIn } from './weights-alone.js'

/** At least this many others must have a file before its absence counts as damage. */
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
    const kinds = alikeByFiles(group)
    addMissing(found, group, kinds)
    for (const checkpoint of kinds.filter(mayBeSharded).flatMap(({ checkpoints }) => checkpoints)) {
      if (!checkpoint.files.some((file) => file.path.includes(shardMark))) continue
      const findings = findMissingShards(checkpoint.files.map((file) => basename(file.path)))
      if (findings.length > 0) found.set(checkpoint.path, [...findings, ...(found.get(checkpoint.path) ?? [])])
    }
  }
  return found
}

/** Where a layout takes keys from the names, the keys are searched: tens of thousands of paths would take long. */
function mayBeSharded({ layout, files }: Alike): boolean {
  return findLayout(layout)?.keysAreNames !== true || files.some(({ key }) => key.includes(shardMark))
}

/** Of the checkpoints of one layout. */
function addMissing(found: Map<string, Finding[]>, group: readonly Checkpoint[], kinds: readonly Alike[]): void {
  const witnesses = group.filter(canWitness)
  const areAll = witnesses.length === group.length
  const counts = countKeys(areAll ? kinds : alikeByFiles(witnesses))
  for (const { files, checkpoints } of kinds) {
    // With every key there is, it lacks nothing.
    if (areAll && files.length === counts.size) continue
    for (const checkpoint of checkpoints) {
      const findings = missingFrom(checkpoint, witnesses.length - (canWitness(checkpoint) ? 1 : 0), counts)
      if (findings.length > 0) found.set(checkpoint.path, findings)
    }
  }
}

function missingFrom(checkpoint: Checkpoint, others: number, counts: ReadonlyMap<string, Count>): Finding[] {
  if (isUnlisted(checkpoint) || others < fewestWitnesses) return []
  const keys = new Set([...checkpoint.files.map((file) => file.key), ...droppedKeys(checkpoint)])
  const reason = `not there, and each of the ${others} other checkpoints has it`
  const lacking = [...counts].filter(
    ([key, { count, name, optional }]) => count === others && !optional && !keys.has(key) && isMissed(checkpoint, name),
  )
  const missed = missedIn(
    checkpoint,
    lacking.map(([, known]) => known),
  )
  return missed.map((known) => ({ grade: 'partial', file: nameBeside(checkpoint, known), reason }))
}

/** A file beside a checkpoint that is a file has the checkpoint's name in its own: `last-EMA.ckpt` of `last.ckpt`. */
function nameBeside(checkpoint: Checkpoint, { name, of }: Count): string {
  const stem = stemOf(of)
  if (checkpoint.kind !== 'file' || !name.startsWith(stem)) return name
  return stemOf(checkpoint) + name.slice(stem.length)
}

function stemOf({ path }: Checkpoint): string {
  return basename(path, extname(path))
}

function canWitness(checkpoint: Checkpoint): boolean {
  const { files, health } = checkpoint
  return files.length > 0 && !health.findings.some(({ grade }) => grade === 'unfinished')
}

function droppedKeys(checkpoint: Checkpoint): string[] {
  return (checkpoint.demoted ?? []).flatMap(({ key }) => (key === null ? [] : [key]))
}

interface Count {
  count: number
  readonly name: string
  /** The first that has it. */
  readonly of: Checkpoint
  readonly role: Role
  readonly optional: boolean
}

function countKeys(kinds: readonly Alike[]): Map<string, Count> {
  const counts = new Map<string, Count>()
  for (const { files, checkpoints } of kinds) {
    for (const file of files) {
      const known = counts.get(file.key)
      if (known !== undefined) {
        known.count += checkpoints.length
        continue
      }
      const [of] = checkpoints
      if (of === undefined) continue
      const { role, optional = false } = file
      counts.set(file.key, { count: checkpoints.length, name: basename(file.path), of, role, optional })
    }
  }
  // What a demotion took was there: its absence elsewhere still means something.
  for (const checkpoint of kinds.flatMap(({ checkpoints }) => checkpoints)) {
    if (checkpoint.demoted === undefined) continue
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
 * Where there is an index, it says which parts there must be: an older sharding may have left some of its own. One part
 * of one needs none: a program that writes an index gives what is not split a plain name (torchtune does not).
 */
export function findMissingShards(names: readonly string[]): Finding[] {
  const here = new Set(names)
  const findings: Finding[] = findMissingProcesses(names)
  for (const { stem, suffix, total } of shardSets(names)) {
    // A process may have nothing for one of them, and writes no index.
    if (isStemOfProcess(stem)) continue
    const index = `${stem}${suffix}.index.json`
    // torchtune calls the index of model-….bin as the Hub calls that of pytorch_model-….bin.
    if (here.has(index) || here.has(`pytorch_${index}`)) continue
    const parts = Array.from({ length: total }, (_, part) => shardName(stem, part + 1, total, suffix))
    const absent = parts.filter((name) => !here.has(name))
    const present = total - absent.length
    for (const file of absent.slice(0, mostNamed)) {
      findings.push({ grade: 'partial', file, reason: `not there; ${present} of ${total} parts are` })
    }
    if (total === 1 && present === 1) continue
    const reason = `not there; it is written after the ${total} parts, of which ${present} are there`
    findings.push({ grade: 'partial', file: index, reason })
  }
  return findings
}

/** Of those who saved together each has its own. */
function findMissingProcesses(names: readonly string[]): Finding[] {
  const found = new Map<string, { numbers: Set<number>; first: ProcessPart }>()
  for (const name of names) {
    const part = name.includes(shardMark) ? processPart(name) : null
    if (part === null) continue
    const known = found.get(part.start) ?? { numbers: new Set(), first: part }
    known.numbers.add(part.process)
    found.set(part.start, known)
  }
  return [...found.values()].flatMap(({ numbers, first }) => {
    const findings: Finding[] = []
    const reason = `not there; each of the ${numbers.size} other processes has its own`
    const highest = Math.max(...numbers)
    for (let number = 1; number < highest && findings.length < mostNamed; number += 1) {
      if (numbers.has(number)) continue
      findings.push({ grade: 'partial', file: pathOfProcess(first, number), reason })
    }
    return findings
  })
}

interface ShardSet {
  readonly stem: string
  readonly suffix: string
  readonly total: number
}

function shardSets(names: readonly string[]): ShardSet[] {
  const sets = new Map<string, ShardSet>()
  for (const name of names) {
    const [, stem, , total, suffix] = (name.includes(shardMark) ? shard.exec(name) : null) ?? []
    if (stem === undefined || total === undefined || suffix === undefined) continue
    sets.set(`${stem}/${total}${suffix}`, { stem, suffix, total: Number(total) })
  }
  return [...sets.values()]
}

function shardName(stem: string, part: number, total: number, suffix: string): string {
  const digits = (count: number): string => String(count).padStart(5, '0')
  return `${stem}-${digits(part)}-of-${digits(total)}${suffix}`
}
