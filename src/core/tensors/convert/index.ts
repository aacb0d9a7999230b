/** The same tensors in another format. */
export { convert, planConversion, type Conversion } from './convert.js'
