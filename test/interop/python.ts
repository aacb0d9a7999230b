/** Asks the Python side, which `npm run test:interop` has prepared. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('speechbrain_side.py', import.meta.url))

/** The answer is what speechbrain_side.py gives for the task; the caller knows its shape. */
export function askPython(task: Readonly<Record<string, unknown>>): unknown {
  const python = process.env['CKPT_TEST_PYTHON']
  if (python === undefined) throw new Error('run this with npm run test:interop')
  const answer = execFileSync(python, [script], {
    input: JSON.stringify(task),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  return JSON.parse(answer)
}
