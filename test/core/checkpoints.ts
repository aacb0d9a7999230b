/** Checkpoints for tests of what is decided about them, without a disk. */
import { healthFrom, type Checkpoint, type Meta, type MetaValue } from '../../src/core/checkpoint.js'

type Facts = Partial<Omit<Checkpoint, 'meta'>> & { readonly meta?: Readonly<Record<string, MetaValue>> | Meta }

/** A whole, measured checkpoint of the run `/run`; its `unixtime`, `step` and `epoch` come from its meta. */
export function checkpoint(name: string, facts: Facts = {}): Checkpoint {
  const { meta: given, ...rest } = facts
  const meta: Meta = given instanceof Map ? given : new Map(Object.entries(given ?? {}))
  return {
    name,
    path: `/run/${name}`,
    members: [{ path: `/run/${name}`, kind: 'directory' }],
    run: '/run',
    layout: 'speechbrain',
    kind: 'directory',
    meta,
    step: numberIn(meta, 'step'),
    epoch: numberIn(meta, 'epoch'),
    unixtime: numberIn(meta, 'unixtime'),
    modified: null,
    files: [{ key: 'model', path: `/run/${name}/model.ckpt`, size: 10, role: 'weights' }],
    size: 100,
    health: healthFrom('quick', []),
    pointsTo: [],
    ...rest,
  }
}

function numberIn(meta: Meta, key: string): number | null {
  const value = meta.get(key)
  return typeof value === 'number' ? value : null
}

/** Health of a checkpoint with one thing wrong. */
export function damaged(grade: 'partial' | 'corrupt' | 'unfinished', reason = 'model.ckpt: 0 bytes') {
  return healthFrom('quick', [{ grade, reason }])
}

export function namesOf(checkpoints: readonly Checkpoint[]): string[] {
  return checkpoints.map(({ name }) => name)
}
