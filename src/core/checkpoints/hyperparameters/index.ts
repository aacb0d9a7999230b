/** What runs were started with. */
export { readHyperParameters, type FoundHyperParameters } from './read.js'
export { readCodeVersion, type CodeVersion } from './code-version.js'
export { readRunName } from './run-name.js'
export { filesOfKind } from './find-files.js'
export { fileKinds, hydraOverrides, readWandb, readYaml, type FileKind } from './sources.js'
