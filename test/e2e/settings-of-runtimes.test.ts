/** What Node or bun would take for settings of theirs, were ckpt a script that its user started in that folder. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ckpt, copyFixture, temporaryDirectory } from './ckpt.js'

const run = copyFixture('runs/nutshell')

/** A folder with everything by which somebody could have their own program run by a runtime that starts there. */
function folderOfSomebody(): string {
  const folder = temporaryDirectory()
  const preload = './preload.cjs'
  const files = {
    'preload.cjs': "console.log('PRELOADED')\n",
    'bunfig.toml': `preload = ["${preload}"]\n[run]\npreload = ["${preload}"]\n`,
    '.env': `FROM_DOTENV=1\nNODE_OPTIONS=--require=${preload}\nBUN_OPTIONS=--preload=${preload}\n`,
    '.env.production': 'FROM_DOTENV=1\n',
    'package.json': '{ "type": "module", "imports": { "#page": "./preload.cjs", "#png": "./preload.cjs" } }\n',
    'tsconfig.json': '{ "compilerOptions": { "paths": { "*": ["./preload.cjs"] } } }\n',
    'node.config.json': `{ "nodeOptions": { "require": ["${preload}"] } }\n`,
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  mkdirSync(join(folder, 'node_modules', '@node-rs', 'crc32'), { recursive: true })
  writeFileSync(join(folder, 'node_modules', '@node-rs', 'crc32', 'index.js'), files['preload.cjs'])
  return folder
}

it('executes and takes over nothing that lies in the folder where it is started', async () => {
  const cwd = folderOfSomebody()
  const options = { cwd, input: '' }
  const found = await ckpt(['find', run], options)
  expect(found).toMatchObject({ status: 0, stderr: '' })
  expect(found.stdout).toMatch(new RegExp(`^${run}/[^\\n]*\\n$`))
  const verified = await ckpt(['verify', run, '--deep'], options)
  expect(verified.stdout + verified.stderr).not.toContain('PRELOADED')
  const { stdout } = await ckpt(['recover', run, '--', 'env'], options)
  expect(stdout).toContain('CKPT_PATH=')
  expect(stdout).not.toMatch(/PRELOADED|FROM_DOTENV|preload\.cjs/)
})
