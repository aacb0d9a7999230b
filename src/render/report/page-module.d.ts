declare module '#page' {
  export const script: string
  export const style: string
  export const scriptHash: string
  export const styleHash: string
}
