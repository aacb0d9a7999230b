// `ckpt transfer` of 2 GiB against `cp TARGET OUT && sync OUT`, alternating, in one run; medians and their ratio.
//   node bench/transfer.mjs [FOLDER] [LIBRARY]     (default: a folder of its own under the system's temporary one,
//                                                   and dist/core/index.js)
// Makes its own data, 400 tensors of which 300 have their names in the source too, and removes it.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync, writeSync, fsyncSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const self = fileURLToPath(import.meta.url)
const count = 400
const common = 300
const bytesEach = (2 * 2 ** 30) / count
const rounds = 5

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

/** In a process of its own, so that the peak of its memory is its own. */
async function transferOnce(library, source, target, output) {
  const { localStorage, openTensors, matchTensors, transfer } = await import(library)
  const storage = localStorage()
  const files = [await openTensors(storage, source), await openTensors(storage, target)]
  const began = performance.now()
  await transfer(storage, matchTensors(files[0], files[1]), output)
  const seconds = (performance.now() - began) / 1000
  for (const file of files) await file.close()
  const peak = Number(/VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? NaN) / 1024
  console.log(JSON.stringify({ seconds, peak }))
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
const timed = (work) => {
  const began = performance.now()
  work()
  return (performance.now() - began) / 1000
}

function compare(folder, library) {
  const [source, target, output] = ['source', 'target', 'out'].map((name) => join(folder, `${name}.safetensors`))
  writeData(source, (i) => (i < common ? `layer.${i}.weight` : `old.${i}.weight`), 1)
  writeData(target, (i) => `layer.${i}.weight`, 2)
  const copies = []
  const transfers = []
  let peak = 0
  for (let round = 0; round < rounds; round++) {
    copies.push(timed(() => execFileSync('sh', ['-c', 'cp "$1" "$2" && sync "$2"', 'sh', target, output])))
    rmSync(output)
    transfers.push(
      timed(() => {
        const said = execFileSync(process.execPath, [self, '--once', library, source, target, output], {
          encoding: 'utf8',
        })
        peak = Math.max(peak, JSON.parse(said).peak)
      }),
    )
    rmSync(output)
  }
  const [copy, transfer] = [median(copies), median(transfers)]
  console.log(`cp and sync   ${copy.toFixed(2)} s   (${copies.map((s) => s.toFixed(2)).join(', ')})`)
  console.log(`ckpt transfer ${transfer.toFixed(2)} s   (${transfers.map((s) => s.toFixed(2)).join(', ')})`)
  console.log(`ratio ${(transfer / copy).toFixed(2)} (at most 1.5), peak memory ${peak.toFixed(0)} MiB (at most 190)`)
}

const args = process.argv.slice(2)
if (args[0] === '--once') {
  await transferOnce(...args.slice(1))
} else {
  const folder = mkdtempSync(join(resolve(args[0] ?? tmpdir()), 'ckpt-bench-'))
  try {
    compare(folder, resolve(args[1] ?? join(dirname(self), '../dist/core/index.js')))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
