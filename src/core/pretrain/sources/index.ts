/** Where the files of a pretraining come from. */
export { guessSource, splitPath } from './guess.js'
export { sourceKinds } from './registry.js'
export { readExpression } from './run.js'
export type { Fields, HubSettings, LocalFile, Located, RemoteFile, Source, SourceContext, Wanted } from './source.js'
export { splitUrl } from './web.js'
export { folderSource } from './folder.js'
