/** `ckpt.yaml`: what flags say, written down in a run or above it. */
export { findConfigs, type ConfigFile } from './find.js'
export { ConfigError, parseConfig, type Entry, type Place, type Scalar } from './parse.js'
