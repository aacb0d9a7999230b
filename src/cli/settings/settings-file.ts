/** `ckpt.yaml`: what flags say, written down in a run or above it. */
export { findConfigs, readConfig, type ConfigPlaces } from './find-files.js'
export { parseConfig, type Entry, type ParsedConfig, type Section } from './parse-file.js'
