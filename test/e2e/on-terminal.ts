/** A script on a terminal of its own, which util-linux's `script` makes. */
import { spawn, spawnSync } from 'node:child_process'
import { commandFolder, plainEnvironment } from './ckpt.js'

export const hasScript =
  spawnSync('script', ['-qec', 'true', '/dev/null'], { env: { ...process.env, SHELL: '/bin/sh' }, stdio: 'ignore' })
    .status === 0

export interface Terminal {
  readonly cwd?: string
  /** Beside the plain environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Told of all that is shown, each time that there is more; types. */
  readonly answer?: (screen: string, type: (keys: string) => void) => void
}

/**
 * The exit status and all that was shown. `script` takes the user's own shell, and those differ: bash becomes the one
 * command that it is given, dash stays above it and dies of the Ctrl-C that the command survived. Here it is always sh.
 */
export function onTerminal(script: string, { cwd, env: more, answer = () => undefined }: Terminal = {}) {
  const env = {
    ...plainEnvironment(),
    ...more,
    PATH: `${commandFolder()}:${process.env['PATH'] ?? ''}`,
    TERM: 'xterm',
    SHELL: '/bin/sh',
  }
  const child = spawn('script', ['-qec', script, '/dev/null'], { env, cwd, stdio: ['pipe', 'pipe', 'inherit'] })
  // A program that ends before it has read what is typed is not a failure of the test.
  child.stdin.on('error', () => undefined)
  let screen = ''
  child.stdout.on('data', (part: Buffer) => {
    screen += part.toString('utf8')
    answer(screen, (keys) => child.stdin.write(keys))
  })
  return new Promise<{ readonly status: number | null; readonly screen: string }>((resolve) => {
    child.on('close', (status) => resolve({ status, screen }))
  })
}
