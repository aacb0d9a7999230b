/** Is all of a checkpoint there, as its framework leaves it? From names and facts; contents are for health. */
import { basename } from 'node:path'
import type { Finding, Meta } from '../../../checkpoint.js'
import type { DirectoryEntry } from '../../../storage/storage.js'
import { folderReason } from '../folders.js'
import { isPlain } from './candidates.js'
import type { Need } from '../spec.js'
import { hasBeside, isNamed } from './names-beside.js'
import type { Unit } from './unit-paths.js'

/** `facts` are all that is known of the unit; `title` is its framework's name. */
export function findingsOfWhole(unit: Unit, facts: Meta): Finding[] {
  const { whole } = unit.form
  const { title } = unit.spec
  if (unit.finding !== null) return []
  const odd = oddFindings(unit)
  if (whole === undefined) return odd
  const findings = [...odd]
  const { last, lastName = typeof last === 'string' ? last : undefined, needs = [], marker, unfinished } = whole
  if (last !== undefined && !unit.entries.some((entry) => isNamed(entry, last)) && whole.byHand?.(unit) !== true) {
    const reason = `not there; it is the last file that ${whole.writer ?? title} writes, so the save was not finished`
    findings.push({
      grade: 'unfinished',
      ...(lastName === undefined ? {} : { file: lastName.replace('{name}', () => unit.name) }),
      reason,
    })
  }
  if (marker !== undefined) findings.push(...markerFinding(unit, marker.replace('{name}', unit.name)))
  if (unfinished !== undefined) {
    const left = unit.entries.find((entry) => isNamed(entry, unfinished))
    if (left !== undefined) findings.push({ grade: 'unfinished', file: left.name, reason: 'there only during a save' })
  }
  const isDone = !findings.some(({ grade }) => grade === 'unfinished')
  if (isDone) for (const need of needs) findings.push(...needFinding(unit.entries, need))
  if (isDone) findings.push(...expectedFindings(unit, whole.expects?.(unit, facts) ?? []))
  findings.push(...(whole.check?.(unit, facts) ?? []))
  return findings
}

function markerFinding({ folder }: Unit, marker: string): Finding[] {
  if (!hasBeside(folder, marker)) return []
  return [
    {
      grade: 'unfinished',
      reason: `${basename(marker)} lies beside it: it is still being written, or was not finished`,
    },
  ]
}

function needFinding(entries: readonly DirectoryEntry[], { any, reason }: Need): Finding[] {
  if (entries.some((entry) => any.some((name) => isNamed(entry, name)))) return []
  return [{ grade: 'partial', reason }]
}

/** Ranks that a finding names. */
const mostNamed = 8

function expectedFindings({ entries }: Unit, expected: readonly string[]): Finding[] {
  const there = new Set(entries.map(({ name }) => name))
  const absent = expected.filter((name) => !there.has(name))
  const present = expected.length - absent.length
  return absent
    .slice(0, mostNamed)
    .map((file) => ({ grade: 'partial', file, reason: `not there; ${present} of ${expected.length} such files are` }))
}

/** What stands in place of a file that says something, and is none. */
function oddFindings({ entries, odd, form }: Unit): Finding[] {
  if (odd.size === 0 && isPlain(entries)) return none
  const read = (form.facts ?? []).flatMap((source) => ('file' in source ? (source.file ?? []) : []))
  return entries.flatMap((entry): Finding[] => {
    if (entry.kind !== 'directory' && !odd.has(entry.name)) return none
    const isRead = read.some((file) => isNamed(entry, file))
    if (!isRead && !entry.name.endsWith('.json')) return none
    const finding = odd.get(entry.name)
    if (finding !== undefined) return [finding]
    // A folder in place of a file of facts was reported when that file was read.
    return isRead ? none : [{ grade: 'corrupt', file: entry.name, reason: folderReason }]
  })
}

const none: Finding[] = []
