/** Turns a layout that is data into the functions that the rest of core calls for one checkpoint. */
import type { DirectoryEntry } from '../../storage/storage.js'
import type { Role } from '../../checkpoint.js'
import { completeSpec } from './engine/complete-counts.js'
import { roleIn } from './engine/files.js'
import type { HistorySource, Layout } from './layout.js'
import type { Form, LayoutSpec, TableSource } from './spec.js'

export function layoutOf(spec: LayoutSpec): Layout {
  return {
    id: spec.id,
    title: spec.title,
    complete: (storage, checkpoints) => completeSpec(storage, spec, checkpoints),
    keysAreNames: spec.forms.every(
      ({ kind, files = [] }) => kind === 'folder' && files.every(({ key }) => key === undefined),
    ),
    tellsEnd: spec.forms.every(({ whole }) => whole?.last !== undefined),
    roleOf: (entry) => roleOf(spec, entry),
    ...(spec.pointers === undefined ? {} : { pointers: spec.pointers }),
    history: historiesOf(spec),
    ...(spec.holdsNoRun === undefined ? {} : { holdsNoRun: spec.holdsNoRun }),
    ...(spec.isOwnRestart === undefined ? {} : { isOwnRestart: spec.isOwnRestart }),
    ...(spec.isBookkeeping === undefined ? {} : { isBookkeeping: spec.isBookkeeping }),
    ...(spec.resumesFrom === undefined ? {} : { resumesFrom: spec.resumesFrom }),
    ...(spec.lacksAlone === undefined ? {} : { lacksAlone: spec.lacksAlone }),
    ...(spec.mayLackMore === undefined ? {} : { mayLackMore: spec.mayLackMore }),
    ...(spec.pointersTo === undefined ? {} : { pointersTo: spec.pointersTo }),
    ...(spec.inFolderOfStart === undefined ? {} : { inFolderOfStart: spec.inFolderOfStart }),
    ...(spec.cutSave === undefined ? {} : { explainCutSave: spec.cutSave }),
    ...(spec.leftover === undefined ? {} : { explainLeftover: spec.leftover }),
  }
}

/** The spec's own logs, and the tables of which it takes facts; what one form counts by epochs another may by steps. */
function historiesOf({ history = [], forms }: LayoutSpec): HistorySource[] {
  const found = new Map<string, { readonly table: TableSource; readonly forms: Form[] }>()
  for (const form of forms) {
    for (const table of (form.facts ?? []).filter(isTable)) {
      const id = `${table.beside}\n${table.by}`
      const known = found.get(id) ?? { table, forms: [] }
      found.set(id, { table: known.table, forms: [...known.forms, form] })
    }
  }
  const formOf = (name: string) => forms.find((form) => form.name.test(name))
  const tables = [...found.values()].map(({ table, forms: those }): HistorySource => {
    const isOnly = [...found.values()].every((other) => other.table === table || other.table.beside !== table.beside)
    if (isOnly) return historyOf(table)
    return { ...historyOf(table), countsFor: (name) => those.some((one) => one === formOf(name)) }
  })
  return [...history, ...tables]
}

function isTable(source: { readonly from: string }): source is TableSource {
  return source.from === 'csv' || source.from === 'jsonl'
}

function historyOf({ from, beside, by, column = by, offset = 0, rows, requires = [] }: TableSource) {
  const counts = by === 'name' ? {} : { columns: { [by]: column }, add: { [by]: -offset } }
  return { from, beside, requires, ...counts, ...(rows === undefined ? {} : { rows }) }
}

function roleOf({ forms }: LayoutSpec, entry: DirectoryEntry): Role {
  return forms.map((form) => roleIn(form, entry)).find((role) => role !== 'other') ?? 'other'
}
