/**
 * Stable-Baselines3 (common/save_util.py, common/callbacks.py): `<prefix>_<N>_steps.zip`, N steps over all
 * environments, `best_model.zip`, and whatever `save` was told: an archive with `data` (JSON) and torch files in it. The
 * replay buffer and the normalisation of a step lie beside it and belong to it.
 */
import type { Form, LayoutSpec } from '../spec.js'

const proof: Form['proof'] = {
  sure: [{ all: [{ zip: 'data' }, { zip: '_stable_baselines3_version' }, { zip: 'policy.pth' }] }],
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
    },
    { kind: 'file', name: /^(?!.*_\d+_steps).+\.zip$/, proof },
  ],
}
