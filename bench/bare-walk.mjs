/*
 * What commands on trees are measured against: `bare-walk.mjs WHAT ROOT` lists every folder, and of what ckpt reads, the
 * metas and the files that are checkpoints by themselves:
 * read: reads it; stat: stats every file, as `runs` does for their sizes; prune: does both; inspect: also opens each file
 * and reads its head and its end.
 */
import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'

const [what, root] = process.argv.slice(2)
const metas = new Set(['CKPT.yaml', 'trainer_state.json'])
const block = Buffer.alloc(16_384)

function walk(folder, isInCheckpoint) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) walk(path, /^(CKPT|checkpoint-)/.test(entry.name))
    else see(path, metas.has(entry.name) || (!isInCheckpoint && /\.(ckpt|pt)$/.test(entry.name)))
  }
}

function see(path, isRead) {
  if (what !== 'read') lstatSync(path)
  if (isRead && what !== 'stat') readFileSync(path)
  if (what === 'inspect') readEnds(path)
}

function readEnds(path) {
  const fd = openSync(path, 'r')
  const count = readSync(fd, block, 0, block.length, 0)
  readSync(fd, block, 0, block.length, Math.max(0, count - block.length))
  closeSync(fd)
}

walk(root, false)
