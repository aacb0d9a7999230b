/** The parameter files of a unit, with their keys and roles. */
import { basename, sep } from 'node:path'
import type { ParamFile, Role } from '../../../checkpoint.js'
import type { Entry } from '../../../storage/storage.js'
import { compareText } from '../folders.js'
import type { FileRule, Form } from '../spec.js'
import { isNamed } from './has.js'
import type { Unit } from './unit.js'

const suffix = /(\.(safetensors|bin)\.index\.json|\.weights\.h5|\.pth\.tar|\.[A-Za-z][A-Za-z0-9_]*)$/

export function roleIn(form: Form, entry: Entry): Role {
  return ruleFor(form, entry)?.role ?? 'other'
}

function ruleFor({ files = [] }: Form, entry: Entry): FileRule | undefined {
  return files.find(({ name }) => isNamed(entry, name))
}

/** Sorted by key. Files that would share a key keep their whole names. */
export function paramFilesOf(unit: Unit): ParamFile[] {
  const base = (unit.kind === 'folder' ? unit.path : unit.folder.path) + sep
  const own = { name: basename(unit.path), kind: 'file' } as const
  const entries = unit.kind === 'file' ? [own] : unit.entries
  const found = entries.flatMap((entry) => {
    const rule = ruleFor(unit.form, entry) ?? (unit.kind === 'file' ? wholeFile : undefined)
    if (rule === undefined || rule.unlisted === true || entry.kind === 'directory') return []
    const path = unit.kind === 'file' ? unit.path : base + entry.name
    return [{ entry, rule, path, key: rule.key ?? entry.name.replace(suffix, '') }]
  })
  const counts = new Map<string, number>()
  for (const { key } of found) counts.set(key, (counts.get(key) ?? 0) + 1)
  return found
    .map(({ entry, rule, path, key }) => ({
      key: counts.get(key) === 1 ? key : entry.name,
      path,
      size: null,
      role: rule.role,
      ...(rule.optional === true ? { optional: true } : {}),
    }))
    .sort((a, b) => compareText(a.key, b.key))
}

/** A checkpoint that is one file is all of it, unless its layout knows better. */
const wholeFile: FileRule = { name: /^/, role: 'all', key: 'model' }
