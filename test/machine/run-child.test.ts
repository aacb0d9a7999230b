import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const project = fileURLToPath(new URL('../..', import.meta.url))
let folder: string
let driver: string

/** A program that runs its arguments as ckpt would, so that signals and streams are real ones. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ckpt-run-child-'))
  const source = join(folder, 'driver.ts')
  writeFileSync(
    source,
    `import { runChild } from ${JSON.stringify(join(project, 'src/core/jobs/command/run-child.ts'))}
     import { processSignals, startChild } from ${JSON.stringify(join(project, 'src/machine/run-child.ts'))}
     const [command = '', ...args] = process.argv.slice(2)
     const { status, failure } = await runChild(startChild, processSignals, command, args, { ...process.env, ONLY: 'mine' })
     if (failure !== null) console.error(failure)
     process.exitCode = status`,
  )
  driver = join(folder, 'driver.mjs')
  const bundle = await rolldown({ input: source, platform: 'node', cwd: project })
  await bundle.write({ file: driver, format: 'esm', codeSplitting: false })
  await bundle.close()
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function start(...argv: string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [driver, ...argv], { stdio: 'pipe' })
  const texts = { stdout: '', stderr: '' }
  child.stdout.on('data', (part: Buffer) => (texts.stdout += part.toString()))
  child.stderr.on('data', (part: Buffer) => (texts.stderr += part.toString()))
  child.stdin.end('from the terminal')
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (status, signal) => resolve({ status, signal, ...texts }))
  })
  return { child, ended }
}

interface Ended {
  status: number | null
  signal: string | null
  stdout: string
  stderr: string
}

function script(text: string): string {
  const path = join(folder, `script-${(scripts += 1)}.mjs`)
  writeFileSync(path, text)
  return path
}
let scripts = 0

async function appears(path: string): Promise<void> {
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 10))
}

const node = process.execPath

describe('a command', () => {
  it('has our streams, and its status is ours', async () => {
    const path = script(
      `process.stdin.pipe(process.stdout); console.error(process.env.ONLY, process.argv[2]); process.exitCode = 7`,
    )
    expect(await start(node, path, 'a b*').ended).toEqual({
      status: 7,
      signal: null,
      stdout: 'from the terminal',
      stderr: 'mine a b*\n',
    })
  })

  it('killed by a signal gives 128 and its number', async () => {
    const path = script(`process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000)`)
    expect((await start(node, path).ended).status).toBe(137)
  })

  it('that is not there is 127, that may not be run is 126', async () => {
    const missing = await start('no-such-command-here').ended
    expect(missing).toMatchObject({ status: 127, stderr: 'no-such-command-here: command not found\n' })
    const data = script('data')
    expect(await start(data).ended).toMatchObject({
      status: 126,
      stderr: `${data}: not executable (permission denied)\n`,
    })
  })

  it.each(['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const)(
    'gets %s once and may take its time',
    async (signal) => {
      const ready = join(folder, `ready-${signal}`)
      const got = join(folder, `got-${signal}`)
      const path = script(`
        import { appendFileSync, writeFileSync } from 'node:fs'
        process.on('${signal}', () => {
          appendFileSync(${JSON.stringify(got)}, 'x')
          setTimeout(() => process.exit(42), 300)
        })
        writeFileSync(${JSON.stringify(ready)}, '')
        setInterval(() => {}, 1000)`)
      const { child, ended } = start(node, path)
      await appears(ready)
      child.kill(signal)
      expect(await ended).toMatchObject({ status: 42, signal: null, stderr: '' })
      expect(readFileSync(got, 'utf8')).toBe('x')
    },
  )

  it('is not killed for being slow after SIGTERM', async () => {
    const ready = join(folder, 'ready-slow')
    const path = script(`
      import { writeFileSync } from 'node:fs'
      process.on('SIGTERM', () => setTimeout(() => process.exit(3), 6000))
      writeFileSync(${JSON.stringify(ready)}, '')
      setInterval(() => {}, 1000)`)
    const { child, ended } = start(node, path)
    await appears(ready)
    child.kill('SIGTERM')
    expect((await ended).status).toBe(3)
  })
})
