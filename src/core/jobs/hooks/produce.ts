/** What a hook makes of a file, checked before it may get its name. */
import { syncTree } from '../../changes/publish/index.js'
import { positionText } from '../../formats/yaml/config-yaml.js'
import { CkptError } from '../../errors.js'
import type { Storage } from '../../storage/storage.js'
import type { ChosenHook } from './choose.js'
import type { Values } from './placeholders.js'
import { runHook, type RunProcess } from './run.js'

/**
 * Runs the hook to make something at `values.target` (absolute, nothing is there, in a place that the caller removes
 * when this throws), and makes it durable. Throws as `runHook` does; CkptError `hook-failed` also when nothing was
 * made, or an empty file.
 */
export async function produce(
  storage: Storage,
  run: RunProcess,
  chosen: ChosenHook,
  values: Values & { readonly target: string },
  signal?: AbortSignal,
): Promise<void> {
  const { target } = values
  await runHook(run, chosen, values, signal)
  const [made] = await storage.lstat([target])
  if (made?.ok !== true) throw produced(chosen, 'exited 0 and made nothing', 'it must write to {target}')
  if (made.value.kind === 'file' && made.value.size === 0) {
    throw produced(chosen, 'exited 0 and made an empty file', 'did what writes it fail? With shell: true, try set -e')
  }
  await syncTree(storage, target)
}

function produced({ command, step }: ChosenHook, what: string, hint: string): CkptError {
  return new CkptError('hook-failed', `${positionText(command.position)}: the ${step} hook ${what}: ${command.text}`, {
    hint,
  })
}
