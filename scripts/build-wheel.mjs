/**
 * `npm run build:wheel`: packages for pip and uv, in dist/wheel, each with the executable of scripts/build-binary.mjs, and
 * `hf-ckpt` (scripts/hf-ckpt.sh), by which `hf ckpt` works. A wheel is a zip with a list of checksums (Binary
 * distribution format of PyPA).
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32, deflateRawSync } from 'node:zlib'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const { version, description, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const name = 'ckpt_manager'
const target = join(root, 'dist', 'wheel')
const mostBytes = 45e6

/** The executable's processor, by Node's name and by that of Python's platform tags. */
const platforms = { x64: 'x86_64', arm64: 'aarch64' }

const read = (...path) => readFileSync(join(root, ...path))

function filesFor(arch, tag) {
  const info = `${name}-${version}.dist-info`
  const scripts = `${name}-${version}.data/scripts`
  const metadata = [
    'Metadata-Version: 2.1',
    'Name: ckpt-manager',
    `Version: ${version}`,
    `Summary: ${description}`,
    `License: ${license}`,
    'Requires-Python: >=3.8',
    'Description-Content-Type: text/markdown',
    '',
    read('README.md').toString(),
  ]
  const wheel = ['Wheel-Version: 1.0', 'Generator: ckpt', 'Root-Is-Purelib: false', `Tag: ${tag}`, '']
  return [
    { path: `${scripts}/ckpt`, bytes: read('dist', 'binary', `ckpt-linux-${arch}`), mode: 0o755 },
    { path: `${scripts}/hf-ckpt`, bytes: read('scripts', 'hf-ckpt.sh'), mode: 0o755 },
    { path: `${info}/METADATA`, bytes: Buffer.from(metadata.join('\n')) },
    { path: `${info}/WHEEL`, bytes: Buffer.from(wheel.join('\n')) },
    { path: `${info}/licenses/LICENSE`, bytes: read('LICENSE') },
    { path: `${info}/licenses/THIRD-PARTY-LICENSES.txt`, bytes: read('dist', 'THIRD-PARTY-LICENSES.txt') },
  ]
}

function withRecord(files) {
  const path = `${name}-${version}.dist-info/RECORD`
  const rows = files.map(({ path: file, bytes }) => {
    const sum = createHash('sha256').update(bytes).digest('base64url')
    return `${file},sha256=${sum},${bytes.length}`
  })
  return [...files, { path, bytes: Buffer.from([...rows, `${path},,`, ''].join('\n')) }]
}

/** Node 20 has no crc32 before 20.15. */
function checksum(bytes) {
  if (crc32 === undefined) throw new Error('building a wheel needs Node 20.15 or newer')
  return crc32(bytes)
}

/** The first day that a zip can tell, so that the same files make the same wheel. */
const firstDay = 0x21

/** A zip archive (APPNOTE.TXT 4.3), its files compressed. */
function zip(files) {
  const parts = []
  const entries = []
  let offset = 0
  for (const { path, bytes, mode = 0o644 } of files) {
    const packed = deflateRawSync(bytes, { level: 9 })
    const fields = Buffer.alloc(26)
    fields.writeUInt16LE(20, 0)
    fields.writeUInt16LE(8, 4)
    fields.writeUInt16LE(firstDay, 8)
    fields.writeUInt32LE(checksum(bytes), 10)
    fields.writeUInt32LE(packed.length, 14)
    fields.writeUInt32LE(bytes.length, 18)
    fields.writeUInt16LE(Buffer.byteLength(path), 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), fields, Buffer.from(path), packed])
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE(((0o100000 | mode) << 16) >>> 0, 6)
    tail.writeUInt32LE(offset, 10)
    // Made by 3, which is Unix: the attributes are its modes.
    entries.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x03', 'latin1'), fields, tail, Buffer.from(path)]))
    parts.push(local)
    offset += local.length
  }
  const directory = Buffer.concat(entries)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(files.length, 8)
  end.writeUInt16LE(files.length, 10)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, directory, end])
}

rmSync(target, { recursive: true, force: true })
mkdirSync(target, { recursive: true })
for (const [arch, machine] of Object.entries(platforms)) {
  if (!existsSync(join(root, 'dist', 'binary', `ckpt-linux-${arch}`))) continue
  const tag = `py3-none-manylinux_2_28_${machine}`
  const bytes = zip(withRecord(filesFor(arch, tag)))
  const file = join(target, `${name}-${version}-${tag}.whl`)
  writeFileSync(file, bytes)
  console.log(`${file}: ${(bytes.length / 1e6).toFixed(1)} MB`)
  if (bytes.length > mostBytes) {
    console.error(`a wheel has at most ${mostBytes / 1e6} MB`)
    process.exitCode = 1
  }
}
