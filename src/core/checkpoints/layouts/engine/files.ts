/** The parameter files of a unit, with their keys and roles. */
import { basename, sep } from 'node:path'
import type { ParamFile, Role } from '../../../checkpoint.js'
import type { DirectoryEntry } from '../../../storage/storage.js'
import { compareText } from '../folders.js'
import type { FileRule, Form } from '../spec.js'
import { isNamed } from './names-beside.js'
import type { Unit } from './unit-paths.js'

const suffix = /(\.(safetensors|bin)\.index\.json|\.weights\.h5|\.pth\.tar|\.[A-Za-z][A-Za-z0-9_]*)$/

export function roleIn(form: Form, entry: DirectoryEntry): Role {
  return ruleFor(form, entry)?.role ?? 'other'
}

function ruleFor({ files = [] }: Form, entry: DirectoryEntry): FileRule | undefined {
  return files.find(({ name, folder = false }) => isNamed(entry, name) || (folder && name.test(entry.name)))
}

interface Known {
  readonly rule: FileRule
  readonly key: string
}

/** Names seen, of which few differ in a run: the same string for the same key is compared and looked up at once. */
const known = new WeakMap<Form, Map<string, Known | null>>()
/** Names remembered of one form. */
const mostKnown = 4096

function lookUp(form: Form, entry: DirectoryEntry): Known | null {
  const names = known.get(form) ?? new Map<string, Known | null>()
  if (names.size === 0 || names.size > mostKnown)
    known.set(form, names.size === 0 ? names : new Map<string, Known | null>())
  const name = entry.kind === 'directory' ? `${entry.name}/` : entry.name
  const found = names.get(name)
  if (found !== undefined) return found
  const rule = ruleFor(form, entry)
  const isListed = rule !== undefined && rule.unlisted !== true && (entry.kind !== 'directory' || rule.folder === true)
  const answer = isListed ? { rule, key: keyOf(rule, entry.name) } : null
  names.set(name, answer)
  return answer
}

function keyOf({ key, isBare = false }: FileRule, name: string): string {
  return key ?? (isBare ? basename(name) : name).replace(suffix, '')
}

/** Sorted by key. Files that would share a key keep their whole names. */
export function paramFilesOf(unit: Unit): ParamFile[] {
  if (unit.kind === 'file') {
    const name = basename(unit.path)
    const own = lookUp(unit.form, { name, kind: 'file' }) ?? wholeFile
    return [{ key: own.key, path: unit.path, size: null, role: own.rule.role }]
  }
  const base = (unit.kind === 'folder' ? unit.path : unit.folder.path) + sep
  const files: ParamFile[] = []
  for (const { name, key, role, isOptional } of keyedOnce(unit.form, unit.entries)) {
    const path = base + name
    files.push(isOptional ? { key, path, size: null, role, optional: true } : { key, path, size: null, role })
  }
  return files
}

interface Keyed {
  /** Of the entry. */
  readonly name: string
  readonly key: string
  readonly role: Role
  readonly isOptional: boolean
}

/** By listing, which thousands of checkpoints may share, the files of the form that asked last. */
const keyed = new WeakMap<readonly DirectoryEntry[], { readonly form: Form; readonly files: readonly Keyed[] }>()

function keyedOnce(form: Form, entries: readonly DirectoryEntry[]): readonly Keyed[] {
  const known = keyed.get(entries)
  if (known?.form === form) return known.files
  const files = keyedFiles(form, entries)
  keyed.set(entries, { form, files })
  return files
}

function keyedFiles(form: Form, entries: readonly DirectoryEntry[]): Keyed[] {
  const files = entries.flatMap((entry): Keyed[] => {
    const found = lookUp(form, entry)
    if (found === null) return []
    const { key, rule } = found
    return [{ name: entry.name, key, role: rule.role, isOptional: rule.optional === true }]
  })
  const sorted = files.sort((a, b) => compareText(a.key, b.key))
  const isShared = sorted.some((file, index) => index > 0 && file.key === sorted[index - 1]?.key)
  return isShared ? withWholeNames(sorted) : sorted
}

function withWholeNames(files: readonly Keyed[]): Keyed[] {
  const counts = new Map<string, number>()
  for (const { key } of files) counts.set(key, (counts.get(key) ?? 0) + 1)
  return files
    .map((file) => (counts.get(file.key) === 1 ? file : { ...file, key: basename(file.name) }))
    .sort((a, b) => compareText(a.key, b.key))
}

/** A checkpoint that is one file is all of it, unless its layout knows better. */
const wholeFile: Known = { rule: { name: /^/, role: 'all' }, key: 'model' }
