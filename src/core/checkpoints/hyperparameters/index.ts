/** What runs were started with. */
export { readHyperParameters, type FoundHyperParameters } from './read.js'
export { readCodeVersion, type CodeVersion } from './code-version.js'
