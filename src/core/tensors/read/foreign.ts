import { Buffer } from 'node:buffer'

/** Kinds of file that people take for files of tensors, told by their first bytes. */
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

const convert = 'Load it where it came from, and save its tensors with torch.save or as safetensors.'
const other = 'Name a safetensors file, or one that torch.save wrote.'

const signatures: readonly Signature[] = [
  { title: 'an empty zip archive', bytes: '504b0506', hint: other },
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
  {
    title: 'a tar archive (torch wrote such before 0.1.11)',
    bytes: '7573746172',
    at: 257,
    hint: 'Unpack it first: tar xf PATH.',
  },
]

/** What a file that begins with `head` is, when it is one of these. */
export function nameForeignFormat(head: Uint8Array): ForeignFormat | undefined {
  return signatures.find(({ bytes, at = 0 }) => {
    const found = Buffer.from(head.buffer, head.byteOffset, head.byteLength).subarray(at, at + bytes.length / 2)
    return found.toString('hex') === bytes
  })
}
