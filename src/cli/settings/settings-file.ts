/** `ckpt.yaml`: what flags say, written down in a run or above it. */
export { findConfigs, readConfig } from './find-files.js'
export { parseConfig, type SettingEntry, type ParsedConfig } from './parse-file.js'
