/** `ckpt.yaml`: what flags say, written down in a run or above it. */
export { findConfigs, type ConfigFile, type ConfigPlaces } from './find.js'
export { parseConfig, type Entry, type ParsedConfig, type Section } from './parse.js'
export { ensureTrusted } from './trust.js'
