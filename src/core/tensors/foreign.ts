import { Buffer } from 'node:buffer'

/** Kinds of file that people take for safetensors, told by their first bytes. */
export interface ForeignFormat {
  /** With its article. */
  readonly title: string
  readonly hint: string
}

interface Signature extends ForeignFormat {
  /** Hexadecimal. */
  readonly bytes: string
  readonly at?: number
}

const convert =
  'Save its tensors as safetensors first: in Python, safetensors.torch.save_file(torch.load(PATH, weights_only=True), OUT).'
const other = 'Name a safetensors file.'

const signatures: readonly Signature[] = [
  // PyTorch: torch/serialization.py, MAGIC_NUMBER as a pickle of protocol 2.
  { title: 'a torch file (legacy stream)', bytes: '80028a0a6cfc9c46f9206aa850192e', hint: convert },
  // PyTorch: caffe2/serialize/inline_container.cc; a zip that torch or another program wrote.
  { title: 'a zip archive, as torch.save writes it', bytes: '504b0304', hint: convert },
  { title: 'an HDF5 file, as Keras writes it', bytes: '894844460d0a1a0a', hint: other },
  { title: 'a NumPy array', bytes: '934e554d5059', hint: other },
  { title: 'a GGUF file', bytes: '47475546', hint: other },
  { title: 'a Python pickle (protocol 2)', bytes: '8002', hint: convert },
  { title: 'a Python pickle (protocol 3)', bytes: '8003', hint: convert },
  { title: 'a Python pickle (protocol 4)', bytes: '8004', hint: convert },
  { title: 'a Python pickle (protocol 5)', bytes: '8005', hint: convert },
  { title: 'compressed with gzip', bytes: '1f8b', hint: 'Unpack it first: gunzip PATH.' },
  { title: 'compressed with zstd', bytes: '28b52ffd', hint: 'Unpack it first: zstd -d PATH.' },
  { title: 'compressed with xz', bytes: 'fd377a585a00', hint: 'Unpack it first: unxz PATH.' },
  { title: 'a tar archive', bytes: '7573746172', at: 257, hint: 'Unpack it first: tar xf PATH.' },
]

/** What a file that begins with `head` is, when it is one of these. */
export function nameForeignFormat(head: Uint8Array): ForeignFormat | undefined {
  return signatures.find(({ bytes, at = 0 }) => {
    const found = Buffer.from(head.buffer, head.byteOffset, head.byteLength).subarray(at, at + bytes.length / 2)
    return found.toString('hex') === bytes
  })
}
