/**
 * Stable-Baselines3 (common/save_util.py, common/callbacks.py): `<prefix>_<N>_steps.zip`, N steps over all
 * environments, `best_model.zip`, and whatever `save` was told: an archive with `data` (JSON) and torch files in it. The
 * replay buffer and the normalisation of a step lie beside it and belong to it.
 */
import { isMeta, type Finding, type MetaValue } from '../../../checkpoint.js'
import { FormatError, StorageError } from '../../../errors.js'
import type { FileLook, Form, LayoutIo, LayoutSpec, Reading, Unit } from '../spec.js'

const proof: Form['proof'] = {
  sure: [{ all: [{ zip: 'data' }, { zip: '_stable_baselines3_version' }] }],
}

export const stableBaselines3: LayoutSpec = {
  id: 'stable-baselines3',
  title: 'Stable-Baselines3',
  looks: '<prefix>_<N>_steps.zip, best_model.zip',
  forms: [
    {
      kind: 'group',
      name: /^(?<unit>\w+?_(?:(?:replay_buffer|vecnormalize)_)?(?<step>\d+)_steps)\.(?<part>zip)$/,
      main: /\.zip$/,
      proof: { ...proof, typical: /_\d+_steps\.zip$/ },
      files: [{ name: /\.zip$/, role: 'all', key: 'model' }],
    },
    { kind: 'file', name: /^(?!.*_\d+_steps).+\.zip$/, proof },
  ],
  read: readAll,
}

/** What every algorithm's archive has (save_util.py, `save_to_zip_file`); the weights are in the last. */
const members = ['data', 'policy.pth'] as const

async function readAll(units: readonly Unit[], io: LayoutIo): Promise<ReadonlyMap<Unit, Reading>> {
  const readings = new Map<Unit, Reading>()
  for (const unit of units) readings.set(unit, await readOne(unit, io))
  return readings
}

/** The count of steps is in `data`: `best_model.zip` has none in its name. */
async function readOne(unit: Unit, io: LayoutIo): Promise<Reading> {
  const named = unit.named.get('step')
  const byName = new Map<string, MetaValue>(named === undefined ? [] : [['step', Number(named)]])
  if (unit.finding !== null) return { meta: byName }
  try {
    const look = await io.look(unit.path)
    const names = (await look.zip()) ?? new Map<string, number>()
    const findings = members.filter((name) => !names.has(name)).map(missingMember)
    const steps = await stepsIn(look)
    return { meta: steps === null ? byName : new Map<string, MetaValue>([['step', steps]]), findings }
  } catch (error) {
    if (error instanceof FormatError) return { meta: byName, findings: [{ grade: 'corrupt', reason: error.message }] }
    if (error instanceof StorageError) return { meta: byName }
    throw error
  }
}

async function stepsIn(look: FileLook): Promise<number | null> {
  const data = await look.zipJson('data')
  const steps = isMeta(data) ? data.get('num_timesteps') : undefined
  return typeof steps === 'number' ? steps : null
}

function missingMember(name: string): Finding {
  return { grade: 'partial', reason: `${name} is not in the archive` }
}
