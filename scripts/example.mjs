/**
 * Runs an example of examples/training, which is TypeScript, on any Node that ckpt runs on (dist/ must be built).
 *   node scripts/example.mjs NAME [ARGUMENT...]
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const [name = 'nutshell', ...rest] = process.argv.slice(2)
const source = readFileSync(join(root, 'examples', 'training', `${name}.ts`), 'utf8')
const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true }
const { outputText } = ts.transpileModule(source, { compilerOptions, fileName: `${name}.ts` })
// Inside of the package, so that `import … from 'ckpt'` finds it.
const file = join(root, 'dist', 'examples', `${name}.js`)
mkdirSync(dirname(file), { recursive: true })
writeFileSync(file, outputText)
process.argv = [process.execPath, file, ...rest]
await import(pathToFileURL(file).href)
