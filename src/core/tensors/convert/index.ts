/** Writes the tensors of a file in another format, and merges LoRA adapters. */
export { convert, planConversion, type Conversion, type ConvertOptions } from './convert.js'
export { planLora, type LoraMerge } from './lora.js'
export { openLoraAdapter, type LoraAdapter } from './lora-adapter.js'
export { outputName } from './output-name.js'
