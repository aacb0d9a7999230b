/** Files beside a checkpoint that are of no use without it, and it is not the same without them: NeMo's averaged twin and its marker. */
import { basename, dirname } from 'node:path'
import { healthFrom, type Checkpoint, type Finding, type Member, type ParamFile } from '../../../checkpoint.js'
import { compareText } from '../folders.js'
import { joinRanks } from './rank-folders.js'

/** `X-EMA.ckpt` is loaded with `X.ckpt` and removed with it (nemo/collections/common/callbacks/ema.py). */
const twin = /^(?<stem>.+)-EMA(?<suffix>\.ckpt)$/
/** NeMo's, beside a checkpoint while its ranks write or remove it (nemo/utils/callbacks/nemo_model_checkpoint.py). */
const unfinishedSuffix = '-unfinished'

/** `names` are those in the run's folder. A pair is one checkpoint, of both files, and so are all ranks; a marker is one of its files. */
export function joinTogether(checkpoints: readonly Checkpoint[], names: readonly string[]): Checkpoint[] {
  return markTogether(
    joinRanks(joinTwins(checkpoints)),
    new Set(names.filter((name) => name.endsWith(unfinishedSuffix))),
  )
}

function joinTwins(checkpoints: readonly Checkpoint[]): readonly Checkpoint[] {
  const byName = new Map(checkpoints.map((one) => [one.name, one]))
  const twins = new Map<Checkpoint, Checkpoint>()
  for (const one of checkpoints) {
    const { stem, suffix } = twin.exec(one.name)?.groups ?? {}
    const original = stem === undefined ? undefined : byName.get(`${stem}${suffix ?? ''}`)
    if (original !== undefined && isFile(original) && isFile(one)) twins.set(original, one)
  }
  if (twins.size === 0) return checkpoints
  const joined = new Set(twins.values())
  return checkpoints.flatMap((one) => {
    if (joined.has(one)) return []
    const other = twins.get(one)
    return [other === undefined ? one : joinTwo(one, other)]
  })
}

function isFile({ kind, members }: Checkpoint): boolean {
  return kind === 'file' && members.length === 1
}

function joinTwo(original: Checkpoint, averaged: Checkpoint): Checkpoint {
  const findings = [original, averaged].flatMap(({ name, health }) =>
    health.findings.map((finding): Finding => ({ file: basename(name), ...finding })),
  )
  const files: ParamFile[] = [
    ...original.files,
    ...averaged.files.map((file): ParamFile => ({ ...file, key: 'ema', role: 'other' })),
  ]
  return {
    ...withMembers(original, averaged.members),
    kind: 'group',
    files: files.sort((a, b) => compareText(a.key, b.key)),
    health: healthFrom('none', findings),
    ...(original.contents === undefined ? {} : { contents: [...original.contents, 'ema'] }),
  }
}

function withMembers(checkpoint: Checkpoint, more: readonly Member[]): Checkpoint {
  const members = [...checkpoint.members, ...more].sort((a, b) => compareText(a.path, b.path))
  return { ...checkpoint, members }
}

/** The marker has the checkpoint's name without the folder of its rank, its suffix, and what its averaged twin adds. */
export function markerOf(name: string): string {
  const stem = basename(name)
    .replace(/\.(ckpt|nemo)$/, '')
    .replace(/-EMA$/, '')
  return stem + unfinishedSuffix
}

function markTogether(checkpoints: readonly Checkpoint[], markers: ReadonlySet<string>): Checkpoint[] {
  if (markers.size === 0) return [...checkpoints]
  return checkpoints.map((checkpoint) => {
    const marker = markerOf(checkpoint.name)
    if (!markers.has(marker)) return checkpoint
    const reason = `${marker} lies beside it: its save, or its removal, was not finished, and NeMo removes it at its next start`
    const health = healthFrom('none', [{ grade: 'unfinished', reason }, ...checkpoint.health.findings])
    // Below a rank's folder the marker is of all ranks, and no file of this one.
    const isBeside = dirname(checkpoint.path) === checkpoint.run
    const path = `${checkpoint.run}/${marker}`
    return { ...(isBeside ? withMembers(checkpoint, [{ path, kind: 'file', isMarker: true }]) : checkpoint), health }
  })
}
