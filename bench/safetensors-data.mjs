/** Files of tensors for the benches, without Python. */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'

/**
 * A safetensors file of `count` F32 tensors of `bytesEach` bytes (a multiple of 4), named by `nameOf(index)`; synced.
 * Values are finite and differ with `seed`.
 */
export function writeSafetensors(path, { count, bytesEach, nameOf, seed }) {
  const entries = Array.from({ length: count }, (_, i) => {
    return [nameOf(i), { dtype: 'F32', shape: [bytesEach / 4], data_offsets: [i * bytesEach, (i + 1) * bytesEach] }]
  })
  const json = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) })
  const header = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8))
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(BigInt(header.length))
  const values = new Float32Array(bytesEach / 4)
  for (let i = 0, x = seed; i < values.length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0
    values[i] = x / 2 ** 32 - 0.5
  }
  const bytes = new Uint8Array(values.buffer)
  const fd = openSync(path, 'wx')
  const write = (part) => {
    for (let done = 0; done < part.length;) done += writeSync(fd, part, done)
  }
  write(prefix)
  write(header)
  for (let i = 0; i < count; i++) write(bytes)
  fsyncSync(fd)
  closeSync(fd)
}
