/** The thread of fuzz.mjs in which mutants are made and read. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { workerData } from 'node:worker_threads'
import { CurrentInput } from './watched-thread.mjs'

const { root, folder, seconds, seed, only } = workerData.data
const current = new CurrentInput(workerData.shared)
const slowest = 2000
/** Bytes that a mutant may take, so that with the program's own it is 300 MB. */
const largest = 220e6

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')
const memory = () => process.memoryUsage.rss()

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
  zstd: written.filter(({ reader }) => reader === 'zstd'),
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
    const label = `${specimen.name} (${specimen.reader}), trial ${tried}`
    const fail = (what) => {
      const kept = join(folder, 'mutant')
      writeFileSync(kept, mutant)
      console.error(`${label}: ${what}\nthe mutant is kept: ${kept}`)
      process.exit(1)
    }
    // What earlier mutants left behind is not this one's.
    if (memory() > settled + 50e6) {
      collect()
      settled = memory()
    }
    const before = memory()
    current.show(label, mutant)
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
