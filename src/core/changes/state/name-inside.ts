/** Names from a record, which must not lead out of the run. */
import type { JsonValue } from '../../formats/text/json.js'

/** True for a name that stays within its folder: parts between `/`, none of them empty, `.` or `..`. */
export function isNameInside(name: JsonValue | undefined): name is string {
  if (typeof name !== 'string' || name === '' || name.includes('\0')) return false
  return name.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
}
