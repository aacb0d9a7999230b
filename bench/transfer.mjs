/** `ckpt transfer` of 2 GiB against `cp TARGET OUT && sync OUT`. */
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { ckpt, compare } from './harness.mjs'

const count = 400
/** Tensors that have their names in the source too. */
const common = 300
const bytesEach = (2 * 2 ** 30) / count

export async function benchTransfer(folder) {
  const [source, target, output] = ['source', 'target', 'out'].map((name) => join(folder, `${name}.safetensors`))
  writeData(source, (i) => (i < common ? `layer.${i}.weight` : `old.${i}.weight`), 1)
  writeData(target, (i) => `layer.${i}.weight`, 2)
  const after = () => rmSync(output)
  const cases = [
    { name: 'cp and sync', command: ['sh', ['-c', 'cp "$1" "$2" && sync "$2"', 'sh', target, output]], after },
    { name: 'ckpt transfer', args: ckpt('transfer', source, target, '--output', output), most: 1.5, after },
  ]
  return compare(folder, '2 GiB in 400 tensors (transfer under 200 MB)', 5, cases, 200)
}

function writeData(path, nameOf, seed) {
  const entries = Array.from({ length: count }, (_, i) => {
    const begin = i * Math.floor(bytesEach / 4) * 4
    const end = begin + Math.floor(bytesEach / 4) * 4
    return [nameOf(i), { dtype: 'F32', shape: [(end - begin) / 4], data_offsets: [begin, end] }]
  })
  const json = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) })
  const header = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8))
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(BigInt(header.length))
  const block = new Uint32Array(Math.floor(bytesEach / 4))
  for (let i = 0, x = seed; i < block.length; i++) block[i] = x = (Math.imul(x, 1664525) + 1013904223) >>> 0
  const bytes = new Uint8Array(block.buffer)
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
