/**
 * Part of `npm run gate`: src holds no file outside of its places, and no circle of imports: none of files, not even one
 * that is closed by a dynamic import or by types alone, and at no depth one of folders. Takes another folder than src.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { circleIn, circlesOfFolders, placeOf } from './house.mjs'

const source = process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '..', 'src')
const files = readdirSync(source, { recursive: true })
  .filter((name) => name.endsWith('.ts'))
  .sort()
const imports = new Map(files.map((file) => [file, importsOf(file)]))

function importsOf(file) {
  const text = readFileSync(join(source, file), 'utf8')
  const specifiers = text.matchAll(/\b(?:from|import)\s*\(?\s*(['"`])(\.[^'"`]+)\1/g)
  return [...specifiers].map(([, , name]) => join(dirname(file), name).replace(/\.js$/, '.ts'))
}

const mistakes = files
  .filter((file) => placeOf(file) === null)
  .map((file) => `src/${file} stands in no place of the house: see scripts/house.mjs`)
const circle = circleIn(imports)
if (circle !== null) mistakes.push(`a circle of imports:\n  ${circle.join('\n  ')}`)
for (const { folder, circle, imports: arrows } of circlesOfFolders(imports)) {
  mistakes.push(`a circle of what stands in src/${folder}: ${circle.join(' -> ')}\n  ${arrows.join('\n  ')}`)
}
for (const mistake of mistakes) console.error(mistake)
if (mistakes.length > 0) process.exitCode = 1
