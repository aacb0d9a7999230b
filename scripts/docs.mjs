/**
 * A page for every command, from its help, in docs/commands/; docs/ckpt.schema.json, from `ckpt config --schema`; and
 * docs/frameworks.md, from the layouts that there are.
 *   node scripts/docs.mjs           writes them (dist/ must be built)
 *   node scripts/docs.mjs --check   fails when one is not what the help says
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const folder = join(root, 'docs', 'commands')
const manifest = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8'))

const help = JSON.parse(readFileSync(join(root, 'dist', 'help.json'), 'utf8'))

function page(id) {
  const name = id.replaceAll(':', ' ')
  return `# ckpt ${name}\n\n<!-- From \`ckpt ${name} --help\`; written by \`npm run docs\`. -->\n\n\`\`\`text\n${help[name][100].trim()}\n\`\`\`\n`
}

const pages = new Map()
for (const { id, hidden } of Object.values(manifest.commands)) {
  if (!hidden) pages.set(`${id.replaceAll(':', '-')}.md`, page(id))
}

const schemaFile = join(root, 'docs', 'ckpt.schema.json')
const schema = execFileSync(process.execPath, [join(root, 'bin', 'run.js'), 'config', '--schema', '--no-config'], {
  encoding: 'utf8',
})

const frameworksFile = join(root, 'docs', 'frameworks.md')
const frameworks = await frameworksPage()

if (process.argv.includes('--check')) {
  const stale = [...pages].filter(([file, text]) => read(join(folder, file)) !== text).map(([file]) => file)
  const orphans = list().filter((file) => !pages.has(file))
  if (stale.length + orphans.length > 0) {
    console.error(`docs/commands is stale (${[...stale, ...orphans].join(', ')}): npm run docs`)
    process.exit(1)
  }
  if (read(schemaFile) !== schema) {
    console.error('docs/ckpt.schema.json is stale: npm run docs')
    process.exit(1)
  }
  if (read(frameworksFile) !== frameworks) {
    console.error('docs/frameworks.md is stale: npm run docs')
    process.exit(1)
  }
} else {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const [file, text] of pages) writeFileSync(join(folder, file), text)
  writeFileSync(schemaFile, schema)
  writeFileSync(frameworksFile, frameworks)
}

/** A table that prettier would leave as it is. */
async function frameworksPage() {
  const { allLayouts } = await import(join(root, 'dist', 'core', 'checkpoints', 'layouts', 'list-layouts.js'))
  const rows = allLayouts().map(({ title, looks }) => [title, looks.replaceAll('|', '\\|').replaceAll('<', '\\<')])
  const widths = [0, 1].map((column) =>
    Math.max(...[['Framework', 'Its checkpoints'], ...rows].map((row) => row[column].length)),
  )
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`
  return [
    '# Frameworks',
    '',
    '<!-- From the layouts in src/core/checkpoints/layouts; written by `npm run docs`. -->',
    '',
    'What `ckpt layouts` lists. To describe checkpoints of your own: [docs/adding-a-layout.md](adding-a-layout.md).',
    '',
    line(['Framework', 'Its checkpoints']),
    rule,
    ...rows.map(line),
    '',
  ].join('\n')
}

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function list() {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
