// What `ckpt list` is measured against: lists the same folders and reads the same meta files.
import { readdirSync, readFileSync } from 'node:fs'

const [run] = process.argv.slice(2)
for (const name of readdirSync(run)) {
  readdirSync(`${run}/${name}`)
  readFileSync(`${run}/${name}/CKPT.yaml`)
}
