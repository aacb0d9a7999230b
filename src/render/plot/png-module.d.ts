/** What draws PNG, which the build lays beside the program (scripts/bundle.mjs). */
declare module '#png' {
  export { Resvg, initWasm } from '@resvg/resvg-wasm'
  /** Both packed by brotli, in base64. */
  export const wasm: string
  export const font: string
}
