/** Making a name that a framework resumes from stand for the checkpoint that was chosen. */
import { dirname, join, relative } from 'node:path'
import type { Checkpoint } from '../checkpoint.js'
import type { Wait } from '../changes/disposal/index.js'
import { closeSite, openSite, linkOrCopyTree } from '../changes/publish/index.js'
import type { Storage } from '../storage/storage.js'
import type { StateLocation } from './run-with-state.js'

/**
 * A link is led to the checkpoint; anything else becomes a copy of it (blocks shared where they can be), for what the
 * framework writes under the name later must not reach the checkpoint. Built outside of the run and renamed over what
 * has the name, in one step. Throws CkptError; then the name is what it was.
 */
export async function pointTo(
  storage: Storage,
  checkpoint: Checkpoint,
  name: string,
  { stateDirectory, wait }: StateLocation & { readonly wait: Wait },
): Promise<void> {
  const target = join(checkpoint.run, name)
  const [there] = await storage.lstat([target])
  const site = await openSite(storage, checkpoint.run, dirname(target), stateDirectory)
  try {
    if (there?.ok === true && there.value.kind === 'link') {
      await storage.symbolicLink(relative(dirname(target), checkpoint.path), site.building)
    } else {
      const [real] = await storage.resolve([checkpoint.path])
      await linkOrCopyTree(storage, real?.ok === true ? real.value : checkpoint.path, site.building, { link: 'copy' })
    }
    await storage.rename(site.building, target)
    await storage.syncDirectory(dirname(target))
  } finally {
    await closeSite(storage, site, wait)
  }
}
