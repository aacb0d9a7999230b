/** A clone without its large files, of what somebody gave away: pointers of Git LFS in place of weights. */
import { join } from 'node:path'
import { byteText } from '../../../formats/text/text.js'
import type { LayoutIo, Unit } from '../spec.js'

/** True for a folder in which all that should be weights are such pointers. */
export async function isOfPointers({ path, entries }: Unit, io: LayoutIo): Promise<boolean> {
  const files = entries.filter(
    ({ name, kind }) => kind === 'file' && /\.(?:safetensors|bin|pt|pth|h5|msgpack)$/.test(name),
  )
  for (const { name } of files) {
    const look = await io.look(join(path, name))
    // What a file is is remembered, its bytes are not always.
    if (!look.is.has('text')) return false
    if (!byteText(await look.head()).startsWith('version https://git-lfs.github.com/spec/')) return false
  }
  return files.length > 0
}
