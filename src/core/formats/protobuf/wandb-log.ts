/**
 * What W&B keeps of a run on this machine, `run-<id>.wandb`: records in blocks of 32 kB as LevelDB's log has them, each
 * part under a head of its checksum (4 bytes), its length (2) and which part it is (1); and before all a head of 7 bytes
 * (wandb/sdk/internal/datastore.py). A record is a protocol buffer (wandb/proto/wandb_internal.proto). An offline run has
 * its name and its settings there alone.
 */
import type { MetaValue } from '../../checkpoint.js'
import { FormatError } from '../../errors.js'
import { parseJson } from '../text/json.js'
import { fieldsOf } from './protobuf.js'
import { byteText } from '../text/text.js'

export interface WandbRun {
  /** What it is called; null when it has no name. */
  readonly name: string | null
  /** As the script gave them, one after the other: a later one replaces an earlier one of its name. */
  readonly settings: ReadonlyMap<string, MetaValue>
}

const headOfFile = 7
const block = 32 << 10
const headOfPart = 7
/** Of the parts of a record: it is whole, its first, its last. */
const [full, first, last] = [1, 2, 4]

/** `Record` has one of these. */
const [configRecord, runRecord] = [5, 17]
const runRecordFields = { config: 4, name: 8 }
const itemFields = { key: 1, nested: 2, json: 16 }

/** Of the file or of its beginning: what is cut at the end is left out. Throws FormatError for what is none. */
export function readWandbLog(bytes: Uint8Array): WandbRun {
  if (!isWandbLog(bytes)) throw new FormatError('does not begin as a log of W&B')
  let name: string | null = null
  const settings = new Map<string, MetaValue>()
  for (const record of recordsOf(bytes)) {
    for (const { field, bytes: inner } of fieldsOf(record)) {
      if (inner === null) continue
      if (field === configRecord) addItems(settings, inner)
      if (field !== runRecord) continue
      for (const one of fieldsOf(inner)) {
        if (one.bytes === null) continue
        if (one.field === runRecordFields.name) name = textOf(one.bytes)
        if (one.field === runRecordFields.config) addItems(settings, one.bytes)
      }
    }
  }
  return { name: name === '' ? null : name, settings }
}

function isWandbLog(bytes: Uint8Array): boolean {
  return bytes.length >= headOfFile && byteText(bytes.subarray(0, 4)) === ':W&B'
}

function* recordsOf(bytes: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let parts: Uint8Array[] = []
  for (let at = headOfFile; at + headOfPart <= bytes.length;) {
    const left = block - (at % block)
    if (left < headOfPart) {
      at += left
      continue
    }
    const length = view.getUint16(at + 4, true)
    const kind = bytes[at + 6] ?? 0
    const end = at + headOfPart + length
    if (end > bytes.length) return
    if (kind === full || kind === first) parts = []
    if (length > 0) parts.push(bytes.subarray(at + headOfPart, end))
    if (kind === full || kind === last) {
      yield Buffer.concat(parts)
      // Else a last part after a last part would be the whole record once more.
      parts = []
    }
    at = end
  }
}

/** `ConfigRecord`: what was set, each under its name or the names that lead to it, as JSON. */
function addItems(settings: Map<string, MetaValue>, record: Uint8Array): void {
  for (const { field, bytes } of fieldsOf(record)) {
    if (field !== 1 || bytes === null) continue
    const names: string[] = []
    let value: MetaValue = null
    for (const one of fieldsOf(bytes)) {
      if (one.bytes === null) continue
      if (one.field === itemFields.key || one.field === itemFields.nested) names.push(textOf(one.bytes))
      if (one.field === itemFields.json) value = parseJson(one.bytes)
    }
    // What W&B itself noted there: of which version it is, and on what it ran.
    if (names.length > 0 && names[0] !== '_wandb') settings.set(names.join('.'), value)
  }
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
