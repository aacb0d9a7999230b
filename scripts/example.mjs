/**
 * Runs an example of examples/training, which is TypeScript, on any Node that ckpt runs on (dist/ must be built).
 *   node scripts/example.mjs NAME [ARGUMENT...]
 */
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const [name = 'nutshell', ...rest] = process.argv.slice(2)
const source = join(root, 'examples', 'training', `${name}.ts`)
// Inside of the package, so that `import … from 'ckpt'` finds it.
const file = join(root, 'dist', 'examples', `${name}.js`)
const changed = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

// To load the compiler takes longer than an example does.
if (changed(file) <= changed(source)) {
  const { default: ts } = await import('typescript')
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true }
  const { outputText } = ts.transpileModule(readFileSync(source, 'utf8'), { compilerOptions, fileName: source })
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(`${file}.${process.pid}`, outputText)
  renameSync(`${file}.${process.pid}`, file)
}
process.argv = [process.execPath, file, ...rest]
await import(pathToFileURL(file).href)
