/** The package comes without types. */
declare module 'safetensors' {
  export class SafeTensor {
    constructor(bytes: Uint8Array)
    readonly metadata: Map<string, { dtype: string; shape: number[] }>
    getTensor(name: string): Uint8Array
  }
}
