/** Ways into what a unit's files hold; what a unit is stands beside what a layout is (spec.ts). */
import type { Meta, MetaValue } from '../../../checkpoint.js'
import type { KeyPath } from '../spec.js'

export type { UnclaimedUnit, FileLook, LayoutIo, OpenedFile, Question, Unit } from '../spec.js'

export function pathOf(path: KeyPath): readonly string[] {
  return typeof path === 'string' ? [path] : path
}

/** The value that these keys lead to. */
export function valueIn(content: MetaValue | undefined, path: KeyPath): MetaValue | undefined {
  let value = content
  for (const key of pathOf(path)) {
    if (!(value instanceof Map)) return undefined
    value = (value as Meta).get(key)
  }
  return value
}
