/** The page's script and style, which the build puts in the place of `#page` (scripts/bundle.mjs). */
declare module '#page' {
  export const script: string
  export const style: string
  export const scriptHash: string
  export const styleHash: string
}
