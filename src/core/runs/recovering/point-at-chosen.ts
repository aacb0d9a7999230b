/** Making a name that a framework resumes from stand for the checkpoint that was chosen. */
import { dirname, join, relative } from 'node:path'
import type { Checkpoint } from '../../checkpoint.js'
import { linkOrCopyTree, replaceName, type ReplaceOptions } from '../../changes/publish/index.js'
import type { Storage } from '../../storage/storage.js'

/**
 * A link is led to the checkpoint; anything else becomes a copy of it (blocks shared where they can be), for what the
 * framework writes under the name later must not reach the checkpoint. Built outside of the run and renamed over what
 * has the name, in one step. Throws CkptError; then the name is what it was.
 */
export async function pointTo(
  storage: Storage,
  checkpoint: Checkpoint,
  name: string,
  options: ReplaceOptions,
): Promise<void> {
  const target = join(checkpoint.run, name)
  const [there] = await storage.lstat([target])
  const isLink = there?.ok === true && there.value.kind === 'link'
  const build = async (building: string): Promise<boolean> => {
    if (isLink) await storage.symbolicLink(relative(dirname(target), checkpoint.path), building)
    else {
      const [real] = await storage.resolve([checkpoint.path])
      await linkOrCopyTree(storage, real?.ok === true ? real.value : checkpoint.path, building, {
        link: 'copy',
        named: checkpoint.path,
        wait: options.wait,
      })
    }
    return true
  }
  await replaceName(storage, checkpoint.run, target, build, options)
}
