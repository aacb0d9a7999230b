/** What `npm run fuzz` is watched by: an input that a reader never ends with is known. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, expect, it } from 'vitest'

const script = fileURLToPath(new URL('../scripts/watched-thread.mjs', import.meta.url))
const { runWatched } = (await import(script)) as {
  runWatched: (
    file: URL,
    data: unknown,
    limit: { processor: number; clock: number },
  ) => Promise<{ code: number; hung: { label: string; input: Uint8Array } | null }>
}

const folder = mkdtempSync(join(tmpdir(), 'ckpt-watched-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Tries the bytes 1, 2 and so on; with the third it does what is said. */
function trials(third: string): string {
  const file = join(folder, `${Buffer.from(third).toString('hex').slice(0, 40)}.mjs`)
  writeFileSync(
    file,
    `import { workerData } from 'node:worker_threads'
     import { CurrentInput } from ${JSON.stringify(pathToFileURL(script).href)}
     const current = new CurrentInput(workerData.shared)
     for (const byte of [1, 2, 3, 4]) {
       current.show('byte ' + byte, Uint8Array.of(byte, byte))
       if (byte === 3) { ${third} }
     }`,
  )
  return file
}

const run = (third: string, limit: { processor: number; clock: number }) =>
  runWatched(pathToFileURL(trials(third)), null, limit)

it.each([
  ['an endless loop', 'for (;;);', { processor: 1, clock: 600 }],
  ['an endless loop of promises', 'for (;;) await null', { processor: 1, clock: 600 }],
  ['a wait for what is never told', 'await new Promise(() => undefined)', { processor: 600, clock: 600 }],
  [
    'a wait beside a clock that ticks',
    'await new Promise(() => setInterval(() => {}, 10))',
    { processor: 600, clock: 1 },
  ],
])('%s: the thread is ended, and its input known', async (_, third, limit) => {
  expect((await run(third, limit)).hung).toEqual({ label: 'byte 3', input: Uint8Array.of(3, 3) })
})

it('a thread that ends by itself hung at nothing', async () => {
  expect(await run('', { processor: 600, clock: 600 })).toEqual({ code: 0, hung: null })
  expect(await run('process.exit(1)', { processor: 600, clock: 600 })).toEqual({ code: 1, hung: null })
})
