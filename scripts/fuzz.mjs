/**
 * Changes every fixture at random and reads it: an error of ckpt's own or a parse, never a crash, nor more than two
 * seconds of the processor or 300 MB.
 *   npm run fuzz [SECONDS] [SEED] [TARGET]     60 seconds for each target and a seed of today, where they are left out;
 *                                              targets: files, folders, settings, answer, csv, jsonl, state, plan, and in
 *                                              runs of real frameworks: meta, index, pointer. Files and folders are tried
 *                                              reader by reader, each for so long: `files` stands for all of `files/…`,
 *                                              and `files/hdf5`, or `hdf5`, for one. The order does not matter: what
 *                                              is no number is the target
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { builtinModules } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { build } from 'rolldown'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const given = process.argv.slice(2)
const [seconds = 60, seed = Math.floor(Date.now() / 86_400_000)] = given.filter((one) => !isNaN(one)).map(Number)
const only = given.find((one) => isNaN(one))
const slowest = 2000
/** Bytes that a mutant may take, so that with the program's own it is 300 MB. */
const largest = 220e6

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')
const memory = () => process.memoryUsage.rss()

const folder = mkdtempSync(join(tmpdir(), 'ckpt-fuzz-'))
await build({
  cwd: root,
  input: 'test/fuzz.ts',
  platform: 'node',
  external: [...builtinModules, /^node:/],
  output: { file: join(folder, 'fuzz.mjs'), format: 'esm', codeSplitting: false },
  logLevel: 'silent',
})
const { attempt, folderSpecimens, formatOf, randomFrom, runSpecimens, specimensOf, writtenSpecimens } = await import(
  pathToFileURL(join(folder, 'fuzz.mjs')).href
)

function* fixtures(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) yield* fixtures(path)
    else if (entry.isFile()) yield [relative(root, path), readFileSync(path)]
  }
}

const written = writtenSpecimens()
const inRuns = runSpecimens(join(root, 'test', 'fixtures', 'runs', 'frameworks'))
const targets = {
  ...byReader('files', await specimensOf(fixtures(join(root, 'test', 'fixtures')))),
  ...byReader('folders', await folderSpecimens(join(root, 'test', 'fixtures'))),
  settings: written.filter(({ reader }) => reader === 'settings'),
  answer: written.filter(({ reader }) => reader === 'answer'),
  csv: written.filter(({ reader }) => reader === 'csv'),
  jsonl: written.filter(({ reader }) => reader === 'jsonl'),
  state: written.filter(({ reader, name }) => reader === 'record' && name !== 'record: plan'),
  plan: written.filter(({ name }) => name === 'record: plan'),
  meta: inRuns.filter(({ reader }) => reader === 'meta'),
  index: inRuns.filter(({ reader }) => reader === 'index'),
  pointer: inRuns.filter(({ reader }) => reader === 'pointer'),
}
/** A reader alone names its files and its folders. */
const isChosen = (target) =>
  only === undefined || only === target || target.startsWith(`${only}/`) || target.endsWith(`/${only}`)
const chosen = Object.entries(targets).filter(([target]) => isChosen(target))
if (chosen.length === 0) {
  console.error(`there is no target ${only}: ${Object.keys(targets).join(', ')}`)
  process.exit(2)
}
collect()
/** After the last collection, with the fixtures, which a program that reads one of them does not hold. */
let settled = memory()
for (const [target, specimens] of chosen) await tryOut(target, specimens)
rmSync(folder, { recursive: true })

/** Targets of one kind, by what reads their specimens. */
function byReader(kind, specimens) {
  const found = new Map()
  for (const specimen of specimens) {
    const target = `${kind}/${formatOf(specimen)}`
    found.set(target, [...(found.get(target) ?? []), specimen])
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
}

async function tryOut(target, specimens) {
  console.log(`${target}: ${specimens.length} specimens, seed ${seed}, ${seconds} s`)
  const random = randomFrom(seed)
  let most = 0
  const end = Date.now() + seconds * 1000
  let tried = 0
  let read = 0
  let longest = { milliseconds: 0, name: '' }
  while (Date.now() < end) {
    const specimen = specimens[random(specimens.length)]
    const mutant = specimen.mutant(random)
    const fail = (what) => {
      const kept = join(folder, 'mutant')
      writeFileSync(kept, mutant)
      console.error(`${specimen.name} (${specimen.reader}), trial ${tried}: ${what}\nthe mutant is kept: ${kept}`)
      process.exit(1)
    }
    // What earlier mutants left behind is not this one's.
    if (memory() > settled + 50e6) {
      collect()
      settled = memory()
    }
    const before = memory()
    const trial = await attempt(specimen.reader, mutant).catch((error) => fail(error.stack))
    tried += 1
    if (trial.read) read += 1
    if (trial.milliseconds > longest.milliseconds) longest = { ...trial, name: specimen.name }
    if (trial.milliseconds > slowest) fail(`${Math.round(trial.milliseconds)} ms`)
    const taken = memory() - before
    most = Math.max(most, taken)
    if (taken > largest) fail(`${Math.round(taken / 1e6)} MB`)
  }
  console.log(
    `${target}: ${tried} mutants: ${read} read, ${tried - read} refused; the slowest took ${Math.round(longest.milliseconds)} ms ` +
      `(${longest.name}), at most ${Math.round(most / 1e6)} MB of memory`,
  )
}
