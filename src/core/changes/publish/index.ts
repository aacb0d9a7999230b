/** Building something where no framework looks, and giving it its name once it is whole. */
export { clearStaging } from './staging-folders.js'
export { makeFolders, removeIfEmpty } from './folders.js'
export { hardLink, linkOrCopyTree, type LinkKind } from './link-or-copy-tree.js'
export { refuseTaken, moveToTarget, TakenError } from './publish.js'
export { ensureCanPublishFolder, publishFolder, type FolderOptions } from './publish-folder.js'
export { closeStaging, openStaging, type Staging } from './open-staging.js'
export { replaceName, type ReplaceOptions } from './replace.js'
export { syncTree } from './sync-tree.js'
