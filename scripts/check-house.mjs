/**
 * Part of `npm run gate`: src holds no file outside of its places, and no circle of imports, not even one that is
 * closed by a dynamic import or by types alone.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { placeOf } from './house.mjs'

const source = join(dirname(fileURLToPath(import.meta.url)), '..', 'src')
const files = readdirSync(source, { recursive: true }).filter((name) => name.endsWith('.ts'))
const imports = new Map(files.map((file) => [file, importsOf(file)]))

function importsOf(file) {
  const text = readFileSync(join(source, file), 'utf8')
  const specifiers = [...text.matchAll(/\b(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) => match[1])
  return specifiers.map((name) => join(dirname(file), name).replace(/\.js$/, '.ts'))
}

/** The first circle met, as the files on it. */
function findCircle() {
  const state = new Map()
  const path = []
  function visit(file) {
    if (state.get(file) === 'done') return null
    if (state.get(file) === 'open') return [...path.slice(path.indexOf(file)), file]
    state.set(file, 'open')
    path.push(file)
    for (const next of imports.get(file) ?? []) {
      const circle = visit(next)
      if (circle !== null) return circle
    }
    path.pop()
    state.set(file, 'done')
    return null
  }
  for (const file of files) {
    const circle = visit(file)
    if (circle !== null) return circle
  }
  return null
}

const loose = files.filter((file) => placeOf(file) === null)
for (const file of loose) console.error(`src/${file} stands in no place of the house: see scripts/house.mjs`)
const circle = findCircle()
if (circle !== null) console.error(`a circle of imports:\n  ${circle.join('\n  ')}`)
if (loose.length > 0 || circle !== null) process.exitCode = 1
