/** The examples of training, run as their README says: again and again, until they are done. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { temporaryDirectory } from './ckpt.js'

const script = fileURLToPath(new URL('../../scripts/example.mjs', import.meta.url))

it.each([
  ['nutshell', 4, 'best: epoch 3, weight 2.4120', 2],
  ['duck', 3, 'duck 3, mallard 3, parrot hello 1, hello 2, hello 3; 30 visitors', 1],
  ['filter', 6, 'best of the full ones: epoch 4, loss 4.5', 3],
])(
  '%s trains one epoch a run, crashes, recovers, and ends with the best',
  (name, epochs, end, left) => {
    const run = join(temporaryDirectory(), 'save')
    for (let epoch = 1; epoch < epochs; epoch += 1) {
      const { status, stderr } = spawnSync(process.execPath, [script, name, run], { encoding: 'utf8' })
      expect(stderr).toContain(`Error: crashed after epoch ${epoch}: run it again`)
      expect(status).toBe(1)
    }
    for (let again = 0; again < 2; again += 1) {
      const stdout = execFileSync(process.execPath, [script, name, run], { encoding: 'utf8' })
      expect(stdout.trim().split('\n').at(-1)).toBe(end)
    }
    expect(readdirSync(run)).toHaveLength(left)
  },
  120_000,
)

it('the program in docs/library.md does what it says', () => {
  const page = readFileSync(fileURLToPath(new URL('../../docs/library.md', import.meta.url)), 'utf8')
  const [, program] = /^```js runnable\n(.*?)^```$/ms.exec(page) ?? []
  if (program === undefined) throw new Error('no program there')
  // Inside of the package, so that `import … from 'ckpt'` finds it.
  const folder = fileURLToPath(new URL('../../dist/examples', import.meta.url))
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'library-page.js')
  writeFileSync(file, program)
  const cwd = temporaryDirectory()
  for (let again = 0; again < 2; again += 1) {
    const stdout = execFileSync(process.execPath, [file], { cwd, encoding: 'utf8' })
    expect(stdout).toBe('the best is epoch 2, with a weight of 2\n')
  }
  expect(readdirSync(join(cwd, 'exp/save'))).toHaveLength(2)
})
