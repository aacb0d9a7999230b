/**
 * Stable-Baselines3 (common/save_util.py, common/callbacks.py): `<prefix>_<N>_steps.zip`, N steps over all
 * environments, `best_model.zip`, and any name that `save` was given: an archive with `data` (JSON) and torch files in it. The
 * replay buffer and the normalisation of a step lie beside it and belong to it. Rewards are in `evaluations.npz`.
 */
import { isMeta, type Finding, type Meta } from '../../../checkpoint.js'
import { evaluationsIn } from './stable-baselines3-evaluations.js'
import type { FactSource, FileLook, Form, LayoutSpec, Picked, Unit } from '../spec.js'

const proof: Form['proof'] = {
  sure: [{ all: [{ zip: 'data' }, { zip: '_stable_baselines3_version' }] }],
}

/** What every algorithm's archive has (save_util.py, `save_to_zip_file`); the weights are in the last. */
const members = ['data', 'policy.pth'] as const

const inside: FactSource = { from: 'look', tell: lookInto }

/** What EvalCallback logged: `log_path` is where it saves the best, or `results` beside, as in the documentation. */
const evaluated: FactSource = {
  from: 'rows',
  beside: [
    'evaluations.npz',
    '../evaluations.npz',
    'results/evaluations.npz',
    '../results/evaluations.npz',
    // `log_path` under any other name.
    '../*/evaluations.npz',
  ],
  by: 'step',
  belongs: isOfOneRun,
  rows: evaluationsIn,
}

export const stableBaselines3: LayoutSpec = {
  id: 'stable-baselines3',
  title: 'Stable-Baselines3',
  looks: '<prefix>_<N>_steps.zip, best_model.zip',
  best: /^best_model\.zip$/,
  judge: (facts) => (facts.has('mean_reward') ? [['mean_reward', 'max']] : []),
  forms: [
    {
      kind: 'group',
      name: /^(?<unit>.+?)(?<part>_replay_buffer|_vecnormalize)?(?<tail>_(?<step>\d+)_steps)\.(?:zip|pkl)$/,
      main: /\.zip$/,
      proof: { ...proof, typical: /_\d+_steps\.zip$/ },
      facts: [{ ...inside, file: /\.zip$/ }, { from: 'name' }, evaluated],
      resumable: hasOptimizer,
      files: [
        { name: /\.zip$/, role: 'all', key: 'model' },
        { name: /_replay_buffer_\d+_steps\.pkl$/, role: 'resume', key: 'replay_buffer', optional: true },
        { name: /_vecnormalize_\d+_steps\.pkl$/, role: 'loop', key: 'vecnormalize', optional: true },
      ],
    },
    { kind: 'file', name: /^(?!.*_\d+_steps).+\.zip$/, proof, facts: [inside, evaluated], resumable: hasOptimizer },
  ],
}

/** What one run keeps in one folder each: its steps, its best, and what it saved under any name. */
const kinds = [/_\d+_steps\.zip$/, /^best_model\.zip$/, /^(?!best_model\.zip$|.*_\d+_steps\.zip$).+\.zip$/]

/**
 * The folders of one run lie side by side (`models/`, `best/`, `logs/`), and so do the folders of several runs: those
 * have two of a kind, or evaluations beside models of their own.
 */
function isOfOneRun(around: ReadonlyMap<string, readonly string[]>, holder: string | null): boolean {
  const isRun = (around.get(holder ?? '') ?? []).some((name) => name.endsWith('.zip') && name !== 'best_model.zip')
  const folders = [...around.values()]
  return !isRun && kinds.every((kind) => folders.filter((names) => names.some((one) => kind.test(one))).length < 2)
}

/** The count of steps is in `data`: `best_model.zip` has none in its name. */
async function lookInto(look: FileLook): Promise<Picked> {
  const names = (await look.zip()) ?? new Map<string, number>()
  const data = await look.zipJson('data')
  const steps = isMeta(data) ? data.get('num_timesteps') : undefined
  return {
    meta: [
      ...(typeof steps === 'number' ? [['step', steps] as const] : []),
      ['#optimizer', [...names.keys()].some((name) => name.endsWith('optimizer.pth'))] as const,
    ],
    findings: members.filter((name) => !names.has(name)).map(missingMember),
  }
}

/** `save` has a parameter for what to leave out. */
function hasOptimizer(_: Unit, facts: Meta): boolean {
  return facts.get('#optimizer') !== false
}

function missingMember(name: string): Finding {
  return { grade: 'partial', reason: `${name} is not in the archive` }
}
