/**
 * The order of the folders of src (docs/design.md §2), as lint and the gate hold it: each place may import what its
 * row names, and its own files.
 */
import { dirname, join, relative, sep } from 'node:path'

/** What everything may use: types and errors at core's ground. */
const ground = 'core'
const wings = ['pretrain', 'jobs', 'runs', 'choosing', 'checkpoints', 'changes', 'tensors', 'storage', 'formats']
const allOfCore = [ground, ...wings.map((wing) => `core/${wing}`)]
const below = (...names) => [ground, ...names.map((name) => `core/${name}`)]

export const mayImport = {
  'main.ts': ['commands', 'cli', 'machine', ...allOfCore],
  'library.ts': ['machine', 'core/index.ts', ...allOfCore],
  commands: ['cli', 'render', 'machine', ...allOfCore],
  cli: ['render', 'machine', ...allOfCore],
  render: ['machine', ...allOfCore],
  // The script of a report's page, for a browser: what it needs of here is text and types alone.
  'render/page': ['render'],
  machine: allOfCore,
  'core/index.ts': allOfCore,
  'core/pretrain': below('jobs', 'runs', 'choosing', 'changes', 'tensors', 'storage', 'formats'),
  'core/jobs': below('runs', 'choosing', 'checkpoints', 'changes', 'storage', 'formats'),
  'core/runs': below('choosing', 'checkpoints', 'changes', 'tensors', 'storage', 'formats'),
  'core/choosing': below('checkpoints', 'storage', 'formats'),
  'core/checkpoints': below('tensors', 'storage', 'formats'),
  'core/changes': below('storage', 'formats'),
  'core/tensors': below('storage', 'formats'),
  'core/storage': below('formats'),
  'core/formats': below(),
  [ground]: [],
}

/** The place of a file below src, by its path from there; null for a loose file that is not a place's. */
export function placeOf(path) {
  const parts = path.split(sep)
  if (path in mayImport) return path
  if (parts.length === 1) return null
  const inner = `${parts[0]}/${parts[1]}`
  if (inner in mayImport) return inner
  if (parts[0] === ground && parts.length > 2) return null
  return parts[0] in mayImport ? parts[0] : null
}

/** Why a file may not import another, both by their paths from src; null where it may. */
export function refusal(from, to) {
  const [here, there] = [placeOf(from), placeOf(to)]
  if (here === null || there === null || here === there || mayImport[here].includes(there)) return null
  return `${here} may import ${mayImport[here].join(', ') || 'nothing'}, and not ${there} (docs/design.md §2)`
}

/** ESLint's rule of that order, for static and dynamic imports. */
export const orderRule = {
  meta: { type: 'problem', schema: [] },
  create(context) {
    const source = join(context.cwd, 'src')
    const check = ({ source: name }) => {
      if (typeof name?.value !== 'string' || !name.value.startsWith('.')) return
      const to = relative(source, join(dirname(context.filename), name.value)).replace(/\.js$/, '.ts')
      const message = refusal(relative(source, context.filename), to)
      if (message !== null) context.report({ node: name, message })
    }
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
    }
  },
}
