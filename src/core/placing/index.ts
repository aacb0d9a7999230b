/** Building something where no framework looks, and giving it its name once it is whole. */
export { clearStaging } from './box.js'
export { makeFolders, removeIfEmpty } from './folders.js'
export { hardLink, placeTree, type LinkKind } from './place-tree.js'
export { refuseTaken, reveal, TakenError } from './reveal.js'
export { closeSite, openSite, type Site } from './site.js'
export { syncTree } from './sync-tree.js'
