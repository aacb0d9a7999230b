/** A layout that is data, as those see it that ask about one checkpoint. */
import type { DirectoryEntry } from '../../storage/storage.js'
import type { Role } from '../../checkpoint.js'
import { completeSpec } from './engine/complete-counts.js'
import { roleIn } from './engine/files.js'
import { scanSpecs } from './engine/scan-specs.js'
import type { HistorySource, Layout } from './layout.js'
import type { LayoutSpec, TableSource } from './spec.js'

export function layoutOf(spec: LayoutSpec): Layout {
  return {
    id: spec.id,
    title: spec.title,
    scan: (storage, folder) => scanSpecs(storage, folder, [spec]),
    complete: (storage, checkpoints) => completeSpec(storage, spec, checkpoints),
    roleOf: (entry) => roleOf(spec, entry),
    ...(spec.pointers === undefined ? {} : { pointers: spec.pointers }),
    history: historiesOf(spec),
    ...(spec.isForDeleted === undefined ? {} : { isForDeleted: spec.isForDeleted }),
    ...(spec.isBookkeeping === undefined ? {} : { isBookkeeping: spec.isBookkeeping }),
    ...(spec.resumesFrom === undefined ? {} : { resumesFrom: spec.resumesFrom }),
    ...(spec.lacksAlone === undefined ? {} : { lacksAlone: spec.lacksAlone }),
    ...(spec.pointersTo === undefined ? {} : { pointersTo: spec.pointersTo }),
    ...(spec.leftover === undefined ? {} : { explainLeftover: spec.leftover }),
  }
}

/** The spec's own logs, and the tables of which it takes facts; each file once. */
function historiesOf({ history = [], forms }: LayoutSpec): HistorySource[] {
  const tables = new Set(forms.flatMap(({ facts = [] }) => facts.filter(isTable)))
  const byPlace = new Map<string, HistorySource>()
  for (const table of tables) if (!byPlace.has(table.beside)) byPlace.set(table.beside, historyOf(table))
  return [...history, ...byPlace.values()]
}

function isTable(source: { readonly from: string }): source is TableSource {
  return source.from === 'csv' || source.from === 'jsonl'
}

function historyOf({ from, beside, by, column = by, offset = 0, rows }: TableSource): HistorySource {
  const counts = by === 'name' ? {} : { columns: { [by]: column }, add: { [by]: -offset } }
  return { from, beside, ...counts, ...(rows === undefined ? {} : { rows }) }
}

function roleOf({ forms }: LayoutSpec, entry: DirectoryEntry): Role {
  return forms.map((form) => roleIn(form, entry)).find((role) => role !== 'other') ?? 'other'
}
