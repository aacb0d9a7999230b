/**
 * Changes every fixture at random and reads it: an error of ckpt's own or a parse, never a crash, nor more than two
 * seconds of the processor or 300 MB. What fails is kept, also a mutant that a reader never ends with.
 *   npm run fuzz [SECONDS] [SEED] [TARGET]     60 seconds for each target and a seed of today, where they are left out;
 *                                              targets: files, folders, settings, answer, csv, jsonl, zstd, state, plan, and in
 *                                              runs of real frameworks: meta, index, pointer. Files and folders are tried
 *                                              reader by reader, each for so long: `files` stands for all of `files/…`,
 *                                              and `files/hdf5`, or `hdf5`, for one. The order does not matter: what
 *                                              is no number is the target
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { builtinModules } from 'node:module'
import { build } from 'rolldown'
import { runWatched } from './watched-thread.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const given = process.argv.slice(2)
const [seconds = 60, seed = Math.floor(Date.now() / 86_400_000)] = given.filter((one) => !isNaN(one)).map(Number)
const only = given.find((one) => isNaN(one))
/** Seconds; what takes two is a failure that the thread itself reports. */
const endless = { processor: 20, clock: 300 }

const folder = mkdtempSync(join(tmpdir(), 'ckpt-fuzz-'))
await build({
  cwd: root,
  input: 'test/fuzz.ts',
  platform: 'node',
  external: [...builtinModules, /^node:/],
  output: { file: join(folder, 'fuzz.mjs'), format: 'esm', codeSplitting: false },
  logLevel: 'silent',
})
const trials = new URL('fuzz-trials.mjs', import.meta.url)
const { code, hung } = await runWatched(trials, { root, folder, seconds, seed, only }, endless)
if (hung !== null) {
  const kept = join(folder, 'mutant')
  writeFileSync(kept, hung.input)
  console.error(`${hung.label}: no end\nthe mutant is kept: ${kept}`)
}
process.exitCode = hung === null ? code : 1
if (process.exitCode === 0) rmSync(folder, { recursive: true })
