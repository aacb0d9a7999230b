/** `ckpt verify --deep` of 8 torch files of 256 MiB against `cat FILES >/dev/null`, from a warm cache. */
import { closeSync, fsyncSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { ckpt, compare } from './harness.mjs'

const count = 8
const records = 64
const recordBytes = 4 << 20

export async function benchVerify(folder) {
  const run = join(folder, 'save')
  const paths = Array.from({ length: count }, (_, index) => join(run, `CKPT+${index}`, 'model.ckpt'))
  paths.forEach((path, index) => {
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(join(path, '..', 'CKPT.yaml'), `end-of-epoch: true\nunixtime: ${index}.0\n`)
    writeZip(path)
  })
  const cases = [
    { name: 'cat FILES >/dev/null', command: ['sh', ['-c', 'cat "$@" >/dev/null', 'sh', ...paths]] },
    { name: 'ckpt verify', args: ckpt('verify', run) },
    { name: 'ckpt verify --deep', args: ckpt('verify', run, '--deep'), most: 1.3 },
  ]
  return compare(folder, `${count} torch files of 256 MiB`, 5, cases, 200)
}

/** Stored entries as torch writes them: sizes and checksums after the data. */
function writeZip(path) {
  const fd = openSync(path, 'wx')
  const data = new Uint32Array(recordBytes / 4).map((_, index) => Math.imul(index, 2654435761))
  const bytes = new Uint8Array(data.buffer)
  const directory = []
  let at = 0
  const put = (part) => (at += writeSync(fd, part))
  for (let index = 0; index < records; index++) {
    data[0] = index
    const name = Buffer.from(`model/data/${index}`)
    const offset = at
    const sums = Buffer.alloc(12)
    sums.writeUInt32LE(crc32(bytes), 0)
    sums.writeUInt32LE(recordBytes, 4)
    sums.writeUInt32LE(recordBytes, 8)
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(0x0808, 6)
    local.writeUInt16LE(name.length, 26)
    for (const part of [local, name, bytes, Buffer.from('504b0708', 'hex'), sums]) put(part)
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50, 0)
    entry.writeUInt16LE(0x0808, 8)
    sums.copy(entry, 16)
    entry.writeUInt16LE(name.length, 28)
    entry.writeUInt32LE(offset, 42)
    directory.push(entry, name)
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(records, 8)
  end.writeUInt16LE(records, 10)
  end.writeUInt32LE(Buffer.concat(directory).length, 12)
  end.writeUInt32LE(at, 16)
  for (const part of [...directory, end]) put(part)
  // Else the system is still writing it while the first runs are measured.
  fsyncSync(fd)
  closeSync(fd)
}
