/** Fingerprints as a plan's file holds them. */
import { isJsonObject, type JsonValue } from '../../formats/text/json.js'
import { isNameInside } from '../state/index.js'
import type { EntryKind } from '../../storage/storage.js'
import type { Fingerprint, Mark } from './fingerprint.js'

/** Plain JSON data. Devices are left out: many file systems number them anew at each mount. */
export function writeFingerprint(print: Fingerprint): Record<string, unknown>[] {
  return [...print].map(([name, { kind, size, modified, inode }]) => {
    return { name, kind, size, modified, inode: inode.toString() }
  })
}

const kinds: readonly string[] = ['file', 'directory', 'link', 'other'] satisfies EntryKind[]

/** Null when it is none. */
export function readFingerprint(list: JsonValue | undefined): Fingerprint | null {
  if (!Array.isArray(list)) return null
  const print = new Map<string, Mark>()
  for (const one of list as readonly JsonValue[]) {
    if (!isJsonObject(one)) return null
    const [name, kind, size, modified, inode] = ['name', 'kind', 'size', 'modified', 'inode'].map((key) => one.get(key))
    // A checkpoint of one member has no name itself, and what is in it none that leads out of it.
    if (name !== '' && !isNameInside(name)) return null
    if (print.has(name) || !isKind(kind)) return null
    if (typeof size !== 'number' || typeof modified !== 'number') return null
    if (typeof inode !== 'string' || !/^\d{1,20}$/.test(inode)) return null
    print.set(name, { kind, size, modified, device: null, inode: BigInt(inode) })
  }
  return print.size > 0 ? print : null
}

function isKind(kind: JsonValue | undefined): kind is EntryKind {
  return typeof kind === 'string' && kinds.includes(kind)
}
