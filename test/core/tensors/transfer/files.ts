/** Small safetensors files for tests. */
import * as fs from 'node:fs'
import { formatHeader, type Dtype } from '../../../../src/core/formats/safetensors/safetensors.js'

export interface Content {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

export function floats(name: string, shape: readonly number[], values: readonly number[]): Content {
  return { name, dtype: 'F32', shape, data: new Uint8Array(Float32Array.from(values).buffer) }
}

export function writeTensors(
  path: string,
  contents: readonly Content[],
  metadata: Record<string, string> = {},
): string {
  const outlines = contents.map((one) => ({ ...one, bytes: one.data.length }))
  const header = formatHeader(outlines, new Map(Object.entries(metadata)))
  fs.writeFileSync(path, Buffer.concat([header, ...contents.map(({ data }) => data)]))
  return path
}

export interface Written {
  readonly metadata: Record<string, string> | undefined
  /** In the order of the header. */
  readonly tensors: ReadonlyMap<string, { readonly dtype: string; readonly shape: number[]; readonly data: Buffer }>
}

/** Reads a file by other means than the code under test. */
export function readTensors(path: string): Written {
  const bytes = fs.readFileSync(path)
  const start = 8 + Number(bytes.readBigUInt64LE(0))
  const { __metadata__: metadata, ...entries } = JSON.parse(bytes.toString('utf8', 8, start)) as {
    __metadata__?: Record<string, string>
  } & Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>
  const tensors = Object.entries(entries).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [begin, end],
      },
    ]) => [name, { dtype, shape, data: bytes.subarray(start + begin, start + end) }] as const,
  )
  return { metadata, tensors: new Map(tensors) }
}

export function floatsIn(file: Written, name: string): number[] {
  const data = Uint8Array.from(file.tensors.get(name)?.data ?? [])
  return [...new Float32Array(data.buffer)]
}
