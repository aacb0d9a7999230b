/**
 * `npm run bench [NAME…]`: measures what docs/performance.md says, all or the named ones. Makes its own data in a
 * temporary folder (TMPDIR moves it; the transfer needs 6 GiB) and removes it. Exit status 1 when a bound is exceeded.
 */
import { benchAverage } from './average.mjs'
import { benchConvert } from './convert.mjs'
import { inTemporaryFolder } from './harness.mjs'
import { benchHeader } from './header.mjs'
import { benchList } from './list.mjs'
import { benchMany, benchRuns } from './many.mjs'
import { benchReport } from './report.mjs'
import { benchSharded } from './sharded.mjs'
import { benchStart } from './start.mjs'
import { benchTransfer } from './transfer.mjs'
import { benchVerify } from './verify.mjs'

const benches = {
  start: benchStart,
  list: benchList,
  runs: benchRuns,
  many: benchMany,
  report: benchReport,
  header: benchHeader,
  transfer: benchTransfer,
  convert: benchConvert,
  average: benchAverage,
  sharded: benchSharded,
  verify: benchVerify,
}

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(benches)
const unknown = names.filter((name) => !Object.hasOwn(benches, name))
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}`)
  process.exit(2)
}
console.log(`Node ${process.version}, medians of runs that alternate, ratios to the first line`)
for (const name of names) {
  if (!(await inTemporaryFolder(benches[name]))) process.exitCode = 1
}
