/** A layout that is data, as those see it that ask about one checkpoint. */
import type { DirectoryEntry } from '../../storage/storage.js'
import type { Role } from '../../checkpoint.js'
import { completeSpec } from './engine/complete.js'
import { roleIn } from './engine/files.js'
import { scanSpecs } from './engine/scan.js'
import type { Layout } from './layout.js'
import type { LayoutSpec } from './spec.js'

export function layoutOf(spec: LayoutSpec): Layout {
  return {
    id: spec.id,
    title: spec.title,
    scan: (storage, folder) => scanSpecs(storage, folder, [spec]),
    complete: (storage, checkpoints) => completeSpec(storage, spec, checkpoints),
    roleOf: (entry) => roleOf(spec, entry),
    ...(spec.pointers === undefined ? {} : { pointers: spec.pointers }),
    ...(spec.isBookkeeping === undefined ? {} : { isBookkeeping: spec.isBookkeeping }),
    ...(spec.resumesFrom === undefined ? {} : { resumesFrom: spec.resumesFrom }),
    ...(spec.lacksAlone === undefined ? {} : { lacksAlone: spec.lacksAlone }),
    ...(spec.pointersTo === undefined ? {} : { pointersTo: spec.pointersTo }),
    ...(spec.leftover === undefined ? {} : { explainLeftover: spec.leftover }),
  }
}

function roleOf({ forms }: LayoutSpec, entry: DirectoryEntry): Role {
  return forms.map((form) => roleIn(form, entry)).find((role) => role !== 'other') ?? 'other'
}
