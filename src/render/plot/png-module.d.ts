/** What draws PNG, which the build lays beside the program (scripts/bundle.mjs). */
declare module '#png' {
  export { Resvg, initWasm } from '@resvg/resvg-wasm'
  /** Packed by brotli, in base64, as the font is; null in the one-file executable (scripts/build-binary.mjs). */
  export const wasm: string | null
  export const font: string
}
