/** Folders whose files hold the tensors of one checkpoint together, and files in no run, of which one file is changed. */
import { gzipSync } from 'node:zlib'
import * as fs from 'node:fs'
import { basename, join } from 'node:path'
import { checkHealth } from '../src/core/checkpoints/health/index.js'
import { loneFile } from '../src/core/runs/index.js'
import { openTensors } from '../src/core/tensors/read/open.js'
import { chunksOf } from '../src/core/tensors/read/tensor.js'
import { Memory } from './fuzz-runs.js'

export interface FolderSpecimen {
  /** The folder and the file in it. */
  readonly name: string
  readonly bytes: Uint8Array
}

let folders: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>> = new Map()

/** TensorFlow's: an index of a name, and its data files beside it. */
const ofTensorFlow = 'tensorflow-formats'

/**
 * Reads the folders of torch.distributed.checkpoint, of DeepSpeed's ZeRO and of Orbax below `fixtures` into memory, and
 * TensorFlow's files.
 */
export function loadFolders(fixtures: string): FolderSpecimen[] {
  const found = ['dcp', 'deepspeed', 'formats/orbax'].flatMap((kind) =>
    fs
      .readdirSync(join(fixtures, kind), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => [`${basename(kind)}-${name}`, filesIn(join(fixtures, kind, name))] as const),
  )
  const all = [...found, [ofTensorFlow, filesIn(join(fixtures, 'formats/tensorflow'))] as const]
  folders = new Map(all)
  return all.flatMap(([folder, files]) => [...files].map(([name, bytes]) => ({ name: `${folder}/${name}`, bytes })))
}

function filesIn(folder: string): ReadonlyMap<string, Uint8Array> {
  const names = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const files = names.filter((name) => fs.statSync(join(folder, name)).isFile())
  return new Map(files.map((name) => [name, fs.readFileSync(join(folder, name))]))
}

/** That of one of TensorFlow's files. */
function indexOf(name: string): string {
  return `/${name.replace(/\.data-.*$/, '.index')}`
}

/** Bytes of one mutant's tensors: what is after them is read the same way. */
const mostRead = 16 << 20

/** Reads all tensors of the specimen's folder, with these bytes in the file's place. */
export async function readFolderWith(name: string, bytes: Uint8Array): Promise<void> {
  const [folder = ''] = name.split('/')
  const files = new Map([...(folders.get(folder) ?? [])].map(([file, whole]) => [`/${folder}/${file}`, whole]))
  files.set(`/${name}`, bytes)
  const file = await openTensors(new Memory(files), folder === ofTensorFlow ? indexOf(name) : `/${folder}`)
  let read = 0
  for (const tensor of file.tensors) {
    for await (const chunk of chunksOf(await file.dataOf(tensor))) {
      read += chunk.length
      if (read > mostRead) return
    }
  }
}

/** Smallest files of formats whose own structure alone is looked at. */
export const loneSpecimens: readonly FolderSpecimen[] = [
  { name: 'm.onnx', bytes: Buffer.from('08083a0c12040a02787810031a024142', 'hex') },
  { name: 'm.h5', bytes: Buffer.from(`894844460d0a1a0a02080800${'00'.repeat(16)}5c${'00'.repeat(71)}`, 'hex') },
  { name: 'm.nemo', bytes: tar('model_weights.ckpt', Buffer.from('text')) },
  { name: 'packed.nemo', bytes: gzipSync(tar('model_weights.ckpt', Buffer.from('text')), { level: 0 }) },
]

function tar(name: string, bytes: Uint8Array): Uint8Array {
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write(bytes.length.toString(8).padStart(11, '0'), 124)
  header.write('        0', 148)
  header.write('ustar', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, bytes, Buffer.alloc(512 - bytes.length), Buffer.alloc(1024)])
}

/** Grades a file that is in no run: what is wrong with it is never thrown. */
export async function gradeLone(name: string, bytes: Uint8Array): Promise<void> {
  const storage = new Memory(new Map([[`/${name}`, bytes]]))
  const lone = await loneFile(storage, `/${name}`)
  if (lone !== null) await checkHealth(storage, lone.run.checkpoints, [lone.checkpoint], 'quick')
}
