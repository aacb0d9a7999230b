/** The same tensors in another format. */
export { convert, planConversion, type Conversion, type ConvertOptions } from './convert.js'
export { outputName } from './output-name.js'
