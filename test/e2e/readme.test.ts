/** README shows what the program prints. */
import { cpSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { shell, temporaryDirectory } from './ckpt.js'

const project = fileURLToPath(new URL('../..', import.meta.url))

/** Ages differ from day to day, and paths are absolute. */
function plain(text: string, cwd: string): string {
  return text
    .replaceAll(`${cwd}/`, '')
    .replace(/ +\d+(?:d|h|y|mo) /g, ' AGE ')
    .replace(/ +$/gm, '')
    .trim()
}

it("README's first screen is what the commands print", async () => {
  const readme = readFileSync(join(project, 'README.md'), 'utf8')
  const [, block = ''] = /^```text\n(.*?)^```$/ms.exec(readme) ?? []
  const cwd = temporaryDirectory()
  mkdirSync(join(cwd, 'exp'))
  cpSync(join(project, 'examples', 'asr', 'save'), join(cwd, 'exp', 'save'), {
    recursive: true,
    preserveTimestamps: true,
  })
  const shown = block.split(/^\$ /m).filter((part) => part !== '')
  expect(shown).toHaveLength(2)
  for (const part of shown) {
    const [command = '', ...lines] = part.split('\n')
    const { stdout } = await shell(command, { cwd })
    expect(plain(stdout, cwd)).toBe(plain(lines.join('\n'), cwd))
  }
})
