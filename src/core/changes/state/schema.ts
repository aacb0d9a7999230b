/** Checks the values in records against bounds: anyone who can write beside a run may have written them. */
import type { JsonValue } from '../../formats/text/json.js'
import { isNameInside } from './name-inside.js'

/** Characters. */
const longestText = 4096
/** Entries of one record. */
const mostEntries = 1_000_000
/** Seconds before or after 1970: some 30,000 years. */
const farthest = 1e12

export function isText(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value.length <= longestText
}

/** Unix seconds. */
export function isTime(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Math.abs(value) <= farthest
}

/** Bytes, or how often something was. */
export function isCount(value: JsonValue | undefined): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

/** A number that a process may have. In a container ckpt itself may be process 1. */
export function isPid(value: JsonValue | undefined): value is number {
  return isCount(value) && value > 0 && value <= 0x7fffffff
}

/** Of a process that another one started: `kill -- -1` would end all processes of the user (kill(2)). */
export function isChildPid(value: JsonValue | undefined): value is number {
  return isPid(value) && value > 1
}

/** The number of a file in its file system, in digits. */
export function isInode(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && /^\d{1,20}$/.test(value)
}

/**
 * A name that a checkpoint of a run may have, relative to it: hidden it is none, and what stands in `ckpt.yaml` is
 * settings.
 */
export function isCheckpointName(value: JsonValue | undefined): value is string {
  if (!isNameInside(value) || value.length > longestText) return false
  const parts = value.split('/')
  return (
    parts.every((part) => !part.startsWith('.') && part.length <= 255) && !/^ckpt\.ya?ml$/i.test(parts.at(-1) ?? '')
  )
}

/** A name right in a folder. */
export function isEntryName(value: JsonValue | undefined): value is string {
  return isNameInside(value) && !value.includes('/') && value.length <= 255
}

export function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value) && value.length <= mostEntries
}
