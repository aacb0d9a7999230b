/** What runs were started with. */
export { readHyperParameters, type FoundHyperParameters } from './read.js'
