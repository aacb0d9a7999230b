/** `ckpt.yaml`: what flags say, written down in a run or above it. */
export { findConfigs, type ConfigFile } from './find.js'
export { parseConfig, type Entry, type ParsedConfig } from './parse.js'
export { ConfigError, misplaced, placeText, unknownKey, YamlText, type Pair, type Place, type Scalar } from './yaml.js'
