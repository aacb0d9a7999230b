/**
 * The order of the folders of src (docs/design.md §2), as lint and the gate hold it: each place may import what its
 * row names, and its own files.
 */
import { dirname, join, relative, sep } from 'node:path'

/** What everything may use: types and errors at core's ground, which has these files alone. */
const ground = 'core'
const groundFiles = ['checkpoint.ts', 'errors.ts', 'grouped.ts', 'nearest.ts']
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
  if (parts[0] === ground && (parts.length > 2 || !groundFiles.includes(parts[1]))) return null
  return parts[0] in mayImport ? parts[0] : null
}

/** Why a file may not import another, both by their paths from src; null where it may. */
export function refusal(from, to) {
  const [here, there] = [placeOf(from), placeOf(to)]
  if (here === null || there === null || here === there || mayImport[here].includes(there)) return null
  return `${here} may import ${mayImport[here].join(', ') || 'nothing'}, and not ${there} (docs/design.md §2)`
}

/** The file that an import names, of types and dynamic ones too; null where it is put together while the program runs. */
function namedBy({ source, argument }) {
  const name = source ?? argument?.literal
  if (name?.type === 'TemplateLiteral' && name.expressions.length === 0) return name.quasis[0].value.cooked
  return typeof name?.value === 'string' ? name.value : null
}

/** ESLint's rule of that order, for static and dynamic imports, and for types that are named by their file. */
export const orderRule = {
  meta: { type: 'problem', schema: [] },
  create(context) {
    const source = join(context.cwd, 'src')
    const check = (node) => {
      const name = namedBy(node)
      if (name === null && node.type === 'ImportExpression') {
        context.report({
          node,
          message: 'an import names its file as a text, so that the order of the house holds for it',
        })
      }
      if (name === null || !name.startsWith('.')) return
      const to = relative(source, join(dirname(context.filename), name)).replace(/\.js$/, '.ts')
      const message = refusal(relative(source, context.filename), to)
      if (message !== null) context.report({ node, message })
    }
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
      TSImportType: check,
    }
  },
}

/** The first circle of a graph that is met, by the names on it and the first one again; null where there is none. */
export function circleIn(graph) {
  const state = new Map()
  const path = []
  function visit(node) {
    if (state.get(node) === 'done') return null
    if (state.get(node) === 'open') return [...path.slice(path.indexOf(node)), node]
    state.set(node, 'open')
    path.push(node)
    for (const next of graph.get(node) ?? []) {
      const circle = visit(next)
      if (circle !== null) return circle
    }
    path.pop()
    state.set(node, 'done')
    return null
  }
  for (const node of graph.keys()) {
    const circle = visit(node)
    if (circle !== null) return circle
  }
  return null
}

/**
 * Of each folder the first circle of what stands in it, of folders and of files beside them, with an import for each
 * arrow. `imports` has by file those that it imports, as paths from src.
 */
export function circlesOfFolders(imports) {
  return foldersOf([...imports.keys()]).flatMap((folder) => {
    const { graph, reasons } = graphInside(folder, imports)
    const circle = circleIn(graph)
    if (circle === null) return []
    const arrows = circle.slice(1).map((to, index) => reasons.get(`${circle[index]} ${to}`))
    return [{ folder, circle, imports: arrows }]
  })
}

/** All of them, and src itself as the empty text. */
function foldersOf(files) {
  const folders = new Set([''])
  for (const file of files) {
    for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) folders.add(folder)
  }
  return [...folders].sort()
}

/** What stands in a folder, and what of it imports what else of it; a reason is the import of a file. */
function graphInside(folder, imports) {
  const start = folder === '' ? '' : `${folder}${sep}`
  const standing = (file) => (file.startsWith(start) ? file.slice(start.length).split(sep)[0] : null)
  const graph = new Map()
  const reasons = new Map()
  for (const [file, imported] of imports) {
    const from = standing(file)
    for (const to of imported) {
      const other = standing(to)
      if (from === null || other === null || from === other) continue
      graph.set(from, (graph.get(from) ?? new Set()).add(other))
      if (!reasons.has(`${from} ${other}`)) reasons.set(`${from} ${other}`, `${file} imports ${to}`)
    }
  }
  return { graph, reasons }
}
